"""What is struck out of texts and values, and what stays."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

import jwt
import pytest

from tests.standin.accounts import FINE_GRAINED_TOKEN, SERVICE_TOKEN
from webapp import scrub as scrubbing
from webapp.scrub import know, scrub, scrubbed
from webapp.secret import MASK, Secret
from webapp.settings import Settings

PLANTED = "planted-0123456789"
JWT = jwt.encode({"iss": "4242"}, "a key of thirty-two characters and more", algorithm="HS256")
PEM = "-----BEGIN RSA PRIVATE KEY-----\nplanted-0123456789\nabc\n-----END RSA PRIVATE KEY-----"
BASIC = base64.b64encode(b"x:planted-0123456789").decode()


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(scrubbing, "_known", ())
    know(())
    yield
    know(())


def holding(*secrets: str) -> None:
    know(map(Secret, secrets))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"asked with {SERVICE_TOKEN}.", SERVICE_TOKEN),
        *((f"a {prefix}_{'a1' * 18} b", "a1a1") for prefix in ("gho", "ghu", "ghs", "ghr")),
        (f"ghs_4242_{JWT}", JWT[-20:]),
        (f"x={FINE_GRAINED_TOKEN}", FINE_GRAINED_TOKEN[-20:]),
        (f'"a line\\n{SERVICE_TOKEN}"', "FakeStandIn"),
        (f"%3D{SERVICE_TOKEN}%26", "FakeStandIn"),
        ("v1." + "0123456789" * 4, "0123456789"),
        (f"key fwk_{PLANTED} refused", PLANTED),
        (JWT, JWT.split(".")[2]),
        ("X-Hub-Signature-256: sha256=" + "ab" * 32, "abab"),
        ("sha1=" + "ab" * 20 + " differs", "abab"),
        (f"Authorization: Bearer {PLANTED}", PLANTED),
        (f"authorization: token {PLANTED} and more {PLANTED}", PLANTED),
        (f"{{'Authorization': 'Basic {BASIC}', 'Accept': '*/*'}}", BASIC),
        (f"[('Cookie', 'a={PLANTED}; b={PLANTED}')]", PLANTED),
        (f"Set-Cookie: session={PLANTED}; HttpOnly", PLANTED),
        (f'{{"cookie": "a=\\"{PLANTED}\\"; b={PLANTED}"}}', PLANTED),
        (f"sent Bearer {PLANTED}", PLANTED),
        (f"redis://:{PLANTED}@localhost:6379/0", PLANTED),
        (f"postgresql://me:{PLANTED}@db/x", PLANTED),
        (f"https://{PLANTED}@github.com/o/r.git", PLANTED),
        (f"host=db password={PLANTED} user=me", PLANTED),
        (f"password='{PLANTED} b'", PLANTED),
        (f"GET /x?a=1&access_token={PLANTED}&b=2", PLANTED),
        (f"/callback?code={PLANTED}&state={PLANTED}", PLANTED),
        (f"/x?client_secret={PLANTED}#f", PLANTED),
        (f'{{"client_secret": "{PLANTED}"}}', PLANTED),
        (json.dumps({"text": json.dumps({"token": f'a"{PLANTED}'})}), PLANTED),
        (f"token = '{PLANTED}'", PLANTED),
        (f"GITHUB_TOKEN={PLANTED}", PLANTED),
        (PEM, PLANTED),
        (PEM.replace("\n", "\\n"), PLANTED),
        (PEM[:60], "planted"),
    ],
)
def test_a_secret_is_struck_by_its_shape(text: str, secret: str) -> None:
    assert secret in text
    struck = scrub(text)
    assert secret not in struck
    assert MASK in struck


@pytest.mark.parametrize(
    "text",
    [
        "MISS repo /repos/pallets/flask key=fw:e:1:service:0123456789abcdef scope=token cause=miss",
        "GET /repos/a/b/issues?state=open&page=2&per_page=100&sort=updated",
        "weighs_more, the token expired, basic authentication failed, bearer of news",
        'password authentication failed for user "forewarm"',
        "select key, etag from upstream_responses where token = %(token)s",
        "https://api.github.com/repos/a/b/contents/c@2?ref=main",
        "redis://localhost:6379/0 and postgresql://localhost/forewarm",
        "commit 0123456789abcdef0123456789abcdef01234567 by me@example.com",
        "forewarm_points_total{resource=repo,lane=warming} 12",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


def test_the_rest_of_a_text_stays() -> None:
    text = f"GET /x?access_token={PLANTED}&page=2 by redis://me:{PLANTED}@host:1/0"
    assert scrub(text) == f"GET /x?access_token={MASK}&page=2 by redis://me:{MASK}@host:1/0"


def test_json_stays_json() -> None:
    told = {
        "a": f"Bearer {PLANTED}",
        "authorization": f"token {PLANTED}",
        "password": 'a"b',
        "n": 1,
    }
    assert json.loads(scrub(json.dumps(told))) == {
        "a": MASK,
        "authorization": MASK,
        "password": MASK,
        "n": 1,
    }


def test_a_known_secret_is_struck_wherever_it_is() -> None:
    holding("a pass word/0123", "redis://:p%2Fss-word-7@h:1/0")
    encoded = base64.b64encode(b"admin:a pass word/0123").decode()
    for text in ("xa pass word/0123y", "a%20pass%20word%2F0123", "a+pass+word%2F0123", encoded):
        assert "0123" not in scrub(text)
    assert scrub("x p/ss-word-7 p%2Fss-word-7") == f"x {MASK} {MASK}"


def test_a_longer_secret_is_struck_before_the_one_it_contains() -> None:
    holding("secret-123", "secret-123-and-more")
    assert scrub("secret-123-and-more") == MASK


def test_a_hooks_path_is_struck_without_its_host() -> None:
    holding("https://hooks.example.com/services/T00/B00/" + PLANTED, "http://localhost/alerts")
    assert PLANTED not in scrub(f"Max retries exceeded with url: /services/T00/B00/{PLANTED}")
    assert scrub("GET /alerts") == "GET /alerts"


@pytest.mark.parametrize("weak", ["", "a", "1234567", "postgres"])
def test_what_would_be_found_in_every_text_is_not_struck(weak: str) -> None:
    holding(weak)
    assert scrub("a postgres 1234567 text") == "a postgres 1234567 text"


def test_settings_tell_every_secret_they_hold() -> None:
    environ = {
        "HOST": "127.0.0.1",
        "REDIS_URL": f"redis://:redis-{PLANTED}@h:1/0",
        "DATABASE_URL": f"postgresql://u:database-{PLANTED}@h/d",
        "GITHUB_TOKENS": f"ghp_one{PLANTED},ghp_two{PLANTED}",
        "GITHUB_PUBLIC_TOKEN": f"ghp_public{PLANTED}",
        "API_KEYS": f"name:fwk_{PLANTED}",
        "GITHUB_WEBHOOK_SECRET": f"webhook-{PLANTED}",
        "ADMIN_PASSWORD": f"admin-{PLANTED}",
        "SECRET_KEY": f"secret-{PLANTED}",
        "ALERT_WEBHOOK_SECRET": f"alert-{PLANTED}",
        "SMTP_URL": f"smtp://u:smtp-{PLANTED}@h:25",
    }
    know(Settings.from_env(environ).secrets())
    for name in ("redis", "database", "webhook", "admin", "secret", "alert", "smtp"):
        assert scrub(f"<{name}-{PLANTED}>") == f"<{MASK}>"
    assert PLANTED not in scrub(" ".join(environ.values()))


def test_a_value_is_scrubbed_all_the_way_down() -> None:
    value = {
        "headers": [("Authorization", f"Bearer {PLANTED}"), (SERVICE_TOKEN,)],
        "GITHUB_TOKEN": PLANTED,
        "tokens": [PLANTED],
        "points": {"tokens": 3, "none": None},
        "body": f"password={PLANTED}".encode(),
        "error": ValueError(f"https://u:{PLANTED}@h"),
    }
    struck = scrubbed(value)
    assert PLANTED not in str(struck)
    assert SERVICE_TOKEN not in str(struck)
    assert isinstance(struck, dict)
    assert struck["points"] == {"tokens": 3, "none": None}


@pytest.mark.parametrize("piece", ["eyJ" * 20, "://:", "token=", '"', "cookie:'", "ghp_a.", '\\"'])
def test_a_long_text_takes_no_longer_than_its_length_explains(piece: str) -> None:
    def seconds(text: str) -> float:
        began = time.perf_counter()
        scrub(text)
        return time.perf_counter() - began

    short = piece * (20_000 // len(piece))
    assert min(seconds(short * 4) for _ in range(3)) < 16 * max(
        0.001, min(seconds(short) for _ in range(3))
    )
