"""How long a comparison takes tells nothing of what is compared: where secrets meet guesses."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from flask import Flask

from tests.serving import API_KEY
from webapp.callers import Callers
from webapp.errors import RequestRefused
from webapp.github import events
from webapp.hosts import Hosts
from webapp.limits import Limits
from webapp.secret import Secret
from webapp.settings import Settings
from webapp.shares import Shares
from webapp.views.guard import Guard

PASSWORD = "a long password for tests"
ENVIRON = {
    "HOST": "127.0.0.1",
    "REDIS_URL": "redis://127.0.0.1:1",
    "DATABASE_URL": "postgresql://127.0.0.1:1/x",
    "SECRET_KEY": "a secret key for tests only",
    "ADMIN_PASSWORD": PASSWORD,
    "API_KEYS": API_KEY,
}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Every pair that hmac.compare_digest was given."""
    pairs: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def note(one: bytes, other: bytes) -> bool:
        pairs.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", note)
    return pairs


@pytest.fixture
def guard() -> Guard:
    settings = Settings.from_env(ENVIRON)
    # Without Redis nothing is limited, and nothing is asked of it here.
    limits = Limits.__new__(Limits)
    return Guard(settings, Callers(settings), Hosts(settings), Shares(4), limits)


@pytest.mark.parametrize("guess", [PASSWORD, "", "a", PASSWORD[:-1] + "x", PASSWORD * 2, "Ä"])
def test_a_password_is_compared_whole_whatever_is_guessed(
    guard: Guard, compared: list[tuple[bytes, bytes]], guess: str
) -> None:
    with Flask("tests").test_request_context():
        assert guard._is_admin("admin", guess) is (guess == PASSWORD)
        assert guard._is_admin("root", guess) is False
    assert compared == [(guess.encode(), PASSWORD.encode())] * 2


def test_a_key_is_found_by_its_digest_alone() -> None:
    callers = Callers(Settings.from_env(ENVIRON))
    assert set(callers._keys) == {hashlib.sha256(API_KEY.encode()).digest()}
    assert callers.key_holder(API_KEY) is not None
    assert callers.key_holder(API_KEY[:-1]) is None


def test_a_signature_is_compared_whole(compared: list[tuple[bytes, bytes]]) -> None:
    secret, body = Secret("a secret for tests"), b"{}"
    right = "sha256=" + hmac.new(b"a secret for tests", body, "sha256").hexdigest()
    events.verify(secret, body, right)
    for wrong in ("sha256=", right[:-1] + "x", right.upper(), "sha1=" + right, "\udcff"):
        with pytest.raises(RequestRefused):
            events.verify(secret, body, wrong)
    assert [pair[0] for pair in compared] == [right.encode()] * 6


def test_two_secrets_are_compared_whole(compared: list[tuple[bytes, bytes]]) -> None:
    assert Secret("abc") != Secret("abd")
    assert Secret("abc") == Secret("abc")
    assert len(compared) == 2
