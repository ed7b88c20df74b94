"""How tests ask the doctor: one section's findings by name, from settings in the environment."""

from __future__ import annotations

from collections.abc import Mapping

from tests.serving import ADMIN_PASSWORD
from webapp.doctor.checkup import CHECKS
from webapp.doctor.finding import Finding
from webapp.settings import Settings

SOUND = {"ADMIN_PASSWORD": ADMIN_PASSWORD, "GITHUB_WEBHOOK_SECRET": "signs deliveries"}
"""What a deployment sets beside the usual settings of tests, to leave nothing to warn of."""
OFF_LOOPBACK = {"HOST": "0.0.0.0", "PUBLIC_URL": "https://forewarm.example.com"}


def findings(section: str, environ: Mapping[str, str], **more: str) -> list[Finding]:
    """What one check says."""
    return dict(CHECKS)[section](Settings.from_env({**environ, **more}))


def finding(section: str, name: str, environ: Mapping[str, str], **more: str) -> Finding:
    """The one finding of that name."""
    found = [each for each in findings(section, environ, **more) if each.name == name]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]
