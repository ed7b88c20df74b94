"""What POST /webhooks/github refuses: with a clear 4xx, and nothing has changed."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from io import BytesIO

import orjson
import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.standin.webhooks import signature
from tests.webapp.delivering import FORM, SECRET, deliver, forget_deliveries, named, post, rows
from tests.webapp.lasting import Applications, lasting_applications
from webapp.views import webhooks

BODY = orjson.dumps(named(action="privatized"))
DETAIL = "/repos/pallets/flask"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "webhook_views") as started:
        yield started


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    applications.empty(github)
    forget_deliveries(applications.environ)
    return applications(GITHUB_WEBHOOK_SECRET=SECRET)


def assert_refused(forewarm: Forewarm, answer: TestResponse, status: int, says: str) -> None:
    """With GitHub's shape of an error, and nothing purged or journalled."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert says in answer.get_json()["message"]
    assert SECRET not in answer.get_data(as_text=True)
    assert forewarm.get(DETAIL).headers["X-Cache"] == "HIT"
    assert rows(dict_of(forewarm), "select delivery from webhook_deliveries") == []


def dict_of(forewarm: Forewarm) -> dict[str, str]:
    return {"DATABASE_URL": forewarm.settings.database_url.reveal()}


SHA1 = "sha1=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()
FORGED = signature("another secret", BODY)
NOBODYS = "sha256=" + "0" * 64


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({"X_Hub_Signature_256": ""}, 401, "X-Hub-Signature-256 is missing"),
        ({"X_Hub_Signature_256": "", "X_Hub_Signature": SHA1}, 401, "X-Hub-Signature-256"),
        ({"X_Hub_Signature_256": SHA1}, 401, "missing or no signature"),
        ({"X_Hub_Signature_256": FORGED}, 401, "doesn't match"),
        ({"X_Hub_Signature_256": signature(SECRET, BODY + b"}")}, 401, "doesn't match"),
        ({"X_GitHub_Event": ""}, 400, "X-GitHub-Event"),
        ({"X_GitHub_Event": "push; drop"}, 400, "X-GitHub-Event"),
        ({"X_GitHub_Delivery": "../../etc"}, 400, "X-GitHub-Delivery"),
        ({"Content_Type": "text/plain"}, 400, "content type"),
        ({"Content_Type": ""}, 400, "content type"),
        ({"Content_Type": FORM}, 400, "form"),
    ],
)
def test_a_delivery_that_is_not_githubs_is_refused_and_changes_nothing(
    forewarm: Forewarm, headers: dict[str, str], status: int, says: str
) -> None:
    forewarm.get(DETAIL)
    named_so = {name: value for name, value in headers.items() if name != "Content_Type"}
    kind = headers.get("Content_Type", "application/json")
    answer = post(forewarm, BODY, content_type=kind, **named_so)
    assert_refused(forewarm, answer, status, says)


@pytest.mark.parametrize(
    "body",
    [b"", BODY[:-9], b"[]", b"null", BODY.decode().encode("utf-16"), BODY + b"\xff", b"\x00"],
    ids=["empty", "truncated", "list", "null", "utf-16", "not utf-8", "zero"],
)
def test_a_signed_delivery_that_is_malformed_is_a_400(forewarm: Forewarm, body: bytes) -> None:
    forewarm.get(DETAIL)
    assert_refused(forewarm, post(forewarm, body), 400, "The payload is not")


def test_a_delivery_cut_short_on_its_way_does_not_match_its_signature(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    answer = post(forewarm, BODY[:-9], X_Hub_Signature_256=signature(SECRET, BODY))
    assert_refused(forewarm, answer, 401, "doesn't match")


def test_thirty_megabytes_are_refused_unread(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    answer = post(forewarm, b" " * (30 * 1024 * 1024), X_Hub_Signature_256=NOBODYS)
    assert_refused(forewarm, answer, 413, "too large")


@pytest.mark.parametrize("given", ["x", "sha256=", SHA1, NOBODYS[:-1], NOBODYS + "0", "sha256=é"])
def test_a_body_is_not_read_for_what_can_be_no_signature(
    forewarm: Forewarm, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(webhooks, "read_body", lambda *_: read.append(given))
    assert post(forewarm, BODY, X_Hub_Signature_256=given).status_code == 401
    assert read == []


def test_thirty_megabytes_that_do_not_say_so_are_refused(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    answer = forewarm.app.test_client().post(
        "/webhooks/github",
        input_stream=BytesIO(b" " * (30 * 1024 * 1024)),
        headers={"Transfer-Encoding": "chunked", "X-Hub-Signature-256": NOBODYS},
        environ_overrides={"wsgi.input_terminated": True},
        base_url="http://127.0.0.1:8000",
    )
    assert_refused(forewarm, answer, 413, "too large")


def test_a_delivery_of_many_megabytes_is_accepted(forewarm: Forewarm) -> None:
    payload = named(commits=["x" * 1_000] * 8_000)
    assert deliver(forewarm, "push", payload).status_code == 202


def test_without_a_secret_nothing_is_accepted_and_it_says_why(
    applications: Applications, github: StandIn
) -> None:
    applications.empty(github)
    forget_deliveries(applications.environ)
    forewarm = applications()
    forewarm.get(DETAIL)
    assert_refused(forewarm, post(forewarm, BODY), 401, "GITHUB_WEBHOOK_SECRET is not set")


def test_other_methods_are_not_allowed(forewarm: Forewarm) -> None:
    assert forewarm.request("GET", "/webhooks/github").status_code == 405


def test_a_delivery_needs_neither_password_nor_origin(applications: Applications) -> None:
    guarded = applications(GITHUB_WEBHOOK_SECRET=SECRET, ADMIN_PASSWORD="a password for tests")
    assert deliver(guarded, "ping", {}).status_code == 202
