"""Who may use what isn't the mirror: every rule of the application, and each way in."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp.views.guard import ACCESS, CSRF_HEADER, Access, Guard

PURGE = {"tags": ["repo:pallets/flask"]}
PUBLIC = {"HOST": "0.0.0.0", "PUBLIC_URL": "https://forewarm.example"}
OWN = {"Host": "forewarm.example"}


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


ADMIN = {"Authorization": basic("admin", ADMIN_PASSWORD)}


def send(
    forewarm: Forewarm,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    peer: str = "127.0.0.1",
    **more: Any,
) -> TestResponse:
    """A request from a peer of one's choice."""
    named = {"Host": "127.0.0.1:8000"} | (headers or {})
    return forewarm.app.test_client().open(
        path, method=method, headers=named, environ_base={"REMOTE_ADDR": peer}, **more
    )


def purge(forewarm: Forewarm, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
    return send(forewarm, "POST", "/api/purge", headers, **({"json": PURGE} | more))


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    """Shared by the module: what is refused leaves nothing behind."""
    with lasting_applications(valkey, postgres, standin, "guard") as made:
        yield made


@pytest.fixture
def start_forewarm(applications: Applications, standin: StandIn) -> ForewarmFactory:
    """Nothing cached, an application of these settings."""
    applications.empty(standin)
    return applications


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    """With the usual settings."""
    return start_forewarm()


@pytest.fixture
def closed(start_forewarm: ForewarmFactory) -> Forewarm:
    """With a password: nothing is open to anybody but health and mirror."""
    return start_forewarm(ADMIN_PASSWORD=ADMIN_PASSWORD)


def guarded(forewarm: Forewarm) -> Iterator[tuple[str, str, Access]]:
    """Every rule: a method, a path, and what its blueprint asks."""
    for rule in forewarm.app.url_map.iter_rules():
        path = rule.rule
        for argument in rule.arguments:
            converter = path[path.index("<") : path.index(">") + 1]
            path = path.replace(converter, "1" if converter.startswith("<int:") else argument)
        blueprint = rule.endpoint.rpartition(".")[0] or rule.endpoint
        for method in sorted(rule.methods or ()):
            yield method, path, ACCESS.get(blueprint, Access.ADMINISTRATOR)


def test_every_blueprint_says_what_it_asks(forewarm: Forewarm) -> None:
    assert set(forewarm.app.blueprints) <= set(ACCESS)


def test_every_rule_but_health_mirror_webhooks_and_static_refuses_a_stranger(
    closed: Forewarm,
) -> None:
    open_to_all = {Access.OPEN, Access.SCOPED, Access.SIGNED}
    rules = list(guarded(closed))
    assert len(rules) > 10
    for method, path, access in rules:
        if access not in open_to_all:
            assert send(closed, method, path).status_code == 401, (method, path)


def test_every_rule_that_asks_for_the_administrator_refuses_a_key(closed: Forewarm) -> None:
    for method, path, access in guarded(closed):
        if access is Access.ADMINISTRATOR:
            answer = send(closed, method, path, {"Authorization": f"Bearer {API_KEY}"})
            assert answer.status_code == 403, (method, path)


def test_every_rule_refuses_a_github_token(closed: Forewarm) -> None:
    for method, path, access in guarded(closed):
        if access in {Access.ADMINISTRATOR, Access.KEY_MAY_READ}:
            for token in (ALICE_TOKEN, SERVICE_TOKEN):
                answer = send(closed, method, path, {"Authorization": f"Bearer {token}"})
                assert answer.status_code == 401, (method, path)


def test_what_is_open_to_all_tells_nothing_of_its_settings(closed: Forewarm) -> None:
    for path in ("/healthz", "/readyz"):
        answer = send(closed, "GET", path)
        assert answer.status_code == 200
        assert set(answer.get_json()) <= {"status", "redis", "postgres", "github", "mode"}


@pytest.mark.parametrize(
    "authorization",
    [
        basic("admin", ADMIN_PASSWORD),
        f"Bearer {ADMIN_PASSWORD}",
        f"bearer {ADMIN_PASSWORD}",
    ],
)
def test_the_password_opens_everything(closed: Forewarm, authorization: str) -> None:
    headers = {"Authorization": authorization}
    assert send(closed, "GET", "/", headers).status_code == 200
    assert send(closed, "GET", "/api/entries?path=/x", headers).status_code == 200
    assert purge(closed, headers).status_code == 200


@pytest.mark.parametrize(
    "password", ["plain", "with a space", "with:colon", "Umlaut-Äöü-密码", "x-oauth-basic", "a=b,c"]
)
def test_any_password_works_as_basic(start_forewarm: ForewarmFactory, password: str) -> None:
    forewarm = start_forewarm(ADMIN_PASSWORD=password)
    right = {"Authorization": basic("admin", password)}
    assert send(forewarm, "GET", "/", right).status_code == 200
    wrong = {"Authorization": basic("admin", password + "x")}
    assert send(forewarm, "GET", "/", wrong).status_code == 401


WRONG = [
    basic("admin", "wrong"),
    basic("admin", ""),
    basic("admin", ADMIN_PASSWORD[:-1]),
    basic("admin", ADMIN_PASSWORD + " "),
    basic("root", ADMIN_PASSWORD),
    basic("", ADMIN_PASSWORD),
    basic(ADMIN_PASSWORD, ""),
    basic(ADMIN_PASSWORD, "x-oauth-basic"),
    "Bearer wrong",
    "Bearer",
    "Basic !!!",
    "Basic",
    f"Digest {ADMIN_PASSWORD}",
    ADMIN_PASSWORD,
    "Bearer fwk_unknown-key-00000001",
]


@pytest.mark.parametrize("authorization", WRONG)
def test_a_wrong_password_is_told_the_same_whatever_is_wrong(
    closed: Forewarm, authorization: str
) -> None:
    answer = send(closed, "GET", "/", {"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.get_json()["message"] == "Bad credentials"
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_a_browser_without_a_password_is_asked_for_it(closed: Forewarm) -> None:
    answer = send(closed, "GET", "/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_a_key_reads_the_api(closed: Forewarm) -> None:
    for headers in (
        {"Authorization": f"Bearer {API_KEY}"},
        {"Authorization": f"token {API_KEY}"},
        {"Authorization": basic("x", API_KEY)},
    ):
        assert send(closed, "GET", "/api/entries?path=/x", headers).status_code == 200


def test_a_key_neither_purges_nor_sees_the_dashboard(closed: Forewarm) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    assert purge(closed, headers).status_code == 403
    assert send(closed, "GET", "/", headers).status_code == 403


def test_a_key_changes_nothing_on_an_open_loopback_either(forewarm: Forewarm) -> None:
    assert purge(forewarm, {"Authorization": f"Bearer {API_KEY}"}).status_code == 403


def test_without_a_password_no_password_is_right(forewarm: Forewarm) -> None:
    for password in ("", "None", "admin", ADMIN_PASSWORD):
        answer = send(forewarm, "GET", "/", {"Authorization": basic("admin", password)})
        assert answer.status_code == 401


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:1", "[::1]:8000"])
def test_without_a_password_loopback_is_open_to_loopback(
    forewarm: Forewarm, peer: str, host: str
) -> None:
    assert send(forewarm, "GET", "/", {"Host": host}, peer).status_code == 200


@pytest.mark.parametrize(
    "peer", ["10.0.0.1", "192.168.1.5", "::ffff:10.0.0.1", "", "unix", "fe80::1"]
)
def test_without_a_password_another_peer_is_a_stranger(forewarm: Forewarm, peer: str) -> None:
    assert send(forewarm, "GET", "/", peer=peer).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Anything",
        "x-forwarded-for",
    ],
)
def test_without_a_password_whoever_comes_through_a_proxy_is_a_stranger(
    forewarm: Forewarm, header: str
) -> None:
    assert send(forewarm, "GET", "/", {header: "127.0.0.1"}).status_code == 401
    assert purge(forewarm, {header: "127.0.0.1"}).status_code == 401


def test_a_forwarded_host_of_ours_is_still_a_proxy(forewarm: Forewarm) -> None:
    assert send(forewarm, "GET", "/", {"X-Forwarded-Host": "127.0.0.1:8000"}).status_code == 401


def test_without_a_password_a_public_bind_is_open_to_nobody(
    start_forewarm: ForewarmFactory,
) -> None:
    forewarm = start_forewarm(**PUBLIC)
    assert send(forewarm, "GET", "/", OWN).status_code == 401
    assert purge(forewarm, OWN).status_code == 401


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "10.0.0.7", "evil.example", "", "a b"]
)
def test_a_public_bind_answers_to_its_public_name_only(
    start_forewarm: ForewarmFactory, host: str
) -> None:
    forewarm = start_forewarm(**PUBLIC, ADMIN_PASSWORD=ADMIN_PASSWORD)
    for path in ("/", "/api/v3/repos/pallets/flask", "/api/entries?path=/x", "/nope"):
        assert send(forewarm, "GET", path, ADMIN | {"Host": host}).status_code == 400
    assert send(forewarm, "GET", "/", ADMIN | OWN).status_code == 200


def test_links_point_to_the_public_url_whatever_proxy_is_between(
    start_forewarm: ForewarmFactory,
) -> None:
    forewarm = start_forewarm(**PUBLIC, TRUSTED_PROXIES="1")
    key = {"Authorization": f"Bearer {API_KEY}"}
    for forwarded in (
        {"Host": "internal:8000", "X-Forwarded-Host": "forewarm.example"},
        OWN | {"X-Forwarded-Proto": "http", "X-Forwarded-Port": "1"},
        OWN,
    ):
        answer = send(forewarm, "GET", "/api/v3/repos/pallets/flask", key | forwarded)
        assert answer.status_code == 200
        assert answer.get_json()["url"].startswith("https://forewarm.example/api/v3/")


def test_a_trusted_proxys_host_from_elsewhere_is_refused(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(**PUBLIC, TRUSTED_PROXIES="1")
    headers = OWN | {"X-Forwarded-Host": "evil.example", "Authorization": f"Bearer {API_KEY}"}
    assert send(forewarm, "GET", "/api/v3/repos/pallets/flask", headers).status_code == 400


def test_a_trusted_proxy_does_not_make_a_peer_local(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(TRUSTED_PROXIES="1")
    answer = send(forewarm, "GET", "/", {"X-Forwarded-For": "127.0.0.1"}, peer="10.0.0.1")
    assert answer.status_code == 401


ELSEWHERE = [
    "https://evil.example",
    "http://evil.example:8000",
    "null",
    "",
    "http://127.0.0.1:8001",
    "https://127.0.0.1:8000",
    "http://localhost:8000",
    "http://127.0.0.1:8000.evil.example",
    "http://127.0.0.1:8000/",
]


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_a_write_from_another_origin_is_refused(forewarm: Forewarm, origin: str) -> None:
    assert purge(forewarm, {"Origin": origin}).status_code == 403


def test_a_write_from_another_origin_is_refused_to_the_administrator_too(closed: Forewarm) -> None:
    assert purge(closed, ADMIN | {"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1:8000"}])
def test_a_write_of_ones_own_origin_or_none_is_done(
    forewarm: Forewarm, headers: dict[str, str]
) -> None:
    assert purge(forewarm, headers).get_json() == {"purged": 1}


BLIND = [
    {"data": '{"tags":["all"]}', "content_type": "text/plain"},
    {"data": '{"tags":["all"]}', "content_type": "text/plain; x=application/json"},
    {"data": '{"tags":["all"]}', "content_type": "application/x-www-form-urlencoded"},
    {"data": '{"tags":["all"]}', "content_type": "application/jsonx"},
    {"data": '{"tags":["all"]}'},
    {"data": {"tags": "all"}},
    {"data": {"tags": "all", "csrf_token": "forged"}},
    {"data": {"tags": "all", "csrf_token": ""}},
]


@pytest.mark.parametrize("body", BLIND)
def test_what_any_web_page_can_post_blindly_is_refused(
    forewarm: Forewarm, body: dict[str, Any]
) -> None:
    assert send(forewarm, "POST", "/api/purge", **body).status_code == 403


def guard_of(forewarm: Forewarm) -> Guard:
    services = forewarm.services
    return Guard(
        *(forewarm.settings, services.callers, services.hosts, services.shares, services.limits)
    )


def test_a_form_with_our_token_is_no_blind_post(forewarm: Forewarm) -> None:
    token = guard_of(forewarm).csrf_token()
    form = {"data": {"tags": "all", "csrf_token": token}}
    header = {"data": "{}", "headers": {CSRF_HEADER: token}, "content_type": "text/plain"}
    for body in (form, header):
        assert send(forewarm, "POST", "/api/purge", **body).status_code == 400  # not JSON


def test_a_csrf_token_of_another_secret_key_is_forged(
    forewarm: Forewarm, start_forewarm: ForewarmFactory
) -> None:
    other = start_forewarm(SECRET_KEY="another secret key for tests")
    token = guard_of(other).csrf_token()
    body: dict[str, Any] = {"data": {"tags": "all", "csrf_token": token}}
    assert send(forewarm, "POST", "/api/purge", **body).status_code == 403


def test_a_write_whose_body_no_thread_may_read_is_a_503(forewarm: Forewarm) -> None:
    with ExitStack() as slow:
        for _ in range(forewarm.settings.web_threads // 4):
            slow.enter_context(forewarm.services.shares.reading_body())
        assert send(forewarm, "POST", "/api/purge", json={"tags": ["all"]}).status_code == 503
    assert send(forewarm, "POST", "/api/purge", json={"tags": ["all"]}).status_code == 200


def test_a_mirror_write_needs_no_origin_but_a_token(forewarm: Forewarm) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = send(forewarm, "POST", "/api/v3/repos/initech/shared/issues", headers)
    assert answer.status_code == 403


def test_nothing_allows_another_origin_to_read(closed: Forewarm) -> None:
    for path in ("/", "/healthz", "/api/entries?path=/x", "/api/v3/repos/pallets/flask"):
        answer = send(closed, "GET", path, ADMIN | {"Origin": "https://evil.example"})
        assert "Access-Control" not in str(answer.headers)


def test_the_password_appears_in_no_answer(closed: Forewarm) -> None:
    for path in ("/", "/api/entries?path=/x", "/nope", "/api/purge"):
        answer = send(closed, "GET", path, ADMIN)
        assert ADMIN_PASSWORD not in answer.text + str(answer.headers)
        assert API_KEY not in answer.text
