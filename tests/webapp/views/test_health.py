"""/readyz tells the truth, and whoever asks for it without end costs nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving import Forewarm
from webapp.views import health


def test_many_who_ask_at_once_are_one_look(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = health.readiness

    def look(services: object) -> health.Readiness:
        looks.append(1)
        return real(services)  # type: ignore[arg-type]

    monkeypatch.setattr(health, "readiness", look)
    monkeypatch.setattr(health, "KEPT", 60.0)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(forewarm.app.test_client().get, "/readyz") for _ in range(40)]
        answers = [each.result() for each in asked]
    assert {each.status_code for each in answers} <= {200, 400}
    assert len(looks) == 1
