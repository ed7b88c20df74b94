"""Settings that are unsafe together, told without asking anyone."""

from __future__ import annotations

import pytest

from tests.serving import API_KEY
from tests.webapp.doctor.asking import OFF_LOOPBACK, SOUND, finding, findings
from webapp.doctor.finding import State

LOCAL = {
    "HOST": "127.0.0.1",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "DATABASE_URL": "postgresql://127.0.0.1/forewarm",
    "SECRET_KEY": "a secret key for tests only",
    "GITHUB_TOKEN": "ghp_FakeForDoctor",
    "API_KEYS": f"tests:{API_KEY}",
}
DEPLOYED = {**LOCAL, **SOUND, **OFF_LOOPBACK}


@pytest.mark.parametrize("environ", [{**LOCAL, **SOUND}, DEPLOYED], ids=["local", "deployed"])
def test_a_sound_set_leaves_nothing_to_say(environ: dict[str, str]) -> None:
    assert [each for each in findings("settings", environ) if each.state is not State.OK] == []


def test_off_loopback_no_admin_password_fails() -> None:
    found = finding("settings", "administrator", DEPLOYED, ADMIN_PASSWORD="")
    assert (found.state, found.action) == (State.FAIL, "set ADMIN_PASSWORD")


def test_on_loopback_no_admin_password_is_needed() -> None:
    assert finding("settings", "administrator", LOCAL).state is State.OK


def test_off_loopback_a_short_admin_password_is_warned_of() -> None:
    found = finding("settings", "administrator", DEPLOYED, ADMIN_PASSWORD="letmein")
    assert (found.state, "letmein" in found.reason) == (State.WARN, False)


def test_no_webhook_secret_is_warned_of() -> None:
    assert finding("settings", "webhooks", LOCAL).state is State.WARN


def test_off_loopback_the_services_eyes_for_anyone_are_warned_of() -> None:
    found = finding("settings", "anonymous callers", DEPLOYED, ANONYMOUS_SCOPE="service")
    assert (found.state, "private" in found.reason) == (State.WARN, True)


def test_on_loopback_the_services_eyes_are_this_machines_own() -> None:
    found = finding("settings", "anonymous callers", LOCAL, ANONYMOUS_SCOPE="service")
    assert found.state is State.OK


def test_a_service_scope_that_nobody_can_use_is_warned_of() -> None:
    assert finding("settings", "API keys", LOCAL, API_KEYS="").state is State.WARN


def test_no_credentials_are_warned_of() -> None:
    assert finding("settings", "service credentials", LOCAL, GITHUB_TOKEN="").state is State.WARN


def test_off_loopback_http_is_warned_of() -> None:
    found = finding("settings", "transport", DEPLOYED, PUBLIC_URL="http://forewarm.example.com")
    assert found.state is State.WARN


def test_unverified_tls_to_redis_is_warned_of() -> None:
    more = {"REDIS_URL": "rediss://host:6379/0", "REDIS_TLS_VERIFY": "off"}
    assert finding("settings", "Redis certificate", LOCAL, **more).state is State.WARN


def test_the_demo_is_called_one() -> None:
    assert "a demo" in finding("settings", "settings", LOCAL, DEMO="on").reason
