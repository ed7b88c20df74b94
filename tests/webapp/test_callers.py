"""Who asks, by Authorization: which scope, which token, and what is refused before GitHub hears."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standin.accounts import ALICE_TOKEN, BOB_TOKEN, FINE_GRAINED_TOKEN
from webapp.cache.keys import PUBLIC, SERVICE
from webapp.callers import Caller, Callers, bearer
from webapp.errors import RequestRefused
from webapp.settings import Settings

KEY = "fwk_a-key-for-callers-00001"
ENVIRON = {
    "HOST": "127.0.0.1",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "API_KEYS": f"dashboards:{KEY}",
    "SECRET_KEY": "a secret key for tests only",
}


def made(**settings: str) -> Callers:
    return Callers(Settings.from_env({**ENVIRON, **settings}))


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def refusal(ask: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as refused:
        ask()
    return refused.value.status, refused.value.message


@pytest.mark.parametrize(
    "form",
    [
        "Bearer {}",
        "bearer {}",
        "BEARER   {}",
        "token {}",
        "Token {} ",
    ],
)
def test_a_token_is_read_from_each_scheme_that_github_knows(form: str) -> None:
    assert bearer(form.format(ALICE_TOKEN)) == ALICE_TOKEN


@pytest.mark.parametrize("form", ["alice:{}", "{}:", "{}:x-oauth-basic", ":{}", "x-oauth-basic:{}"])
def test_a_token_is_read_from_basic_wherever_github_takes_it(form: str) -> None:
    assert bearer(basic(form.format(ALICE_TOKEN))) == ALICE_TOKEN


MALFORMED = [
    "Bearer",
    "Bearer ",
    "Bearer \t",
    "token",
    "Basic",
    "Basic !!!!",
    "Basic Zm9vOmJhcg",  # no padding
    "Basic /////w==",  # not UTF-8
    basic(":"),
    basic(""),
    basic("user:with space"),
    basic("user:ümlaut"),
    basic("user:new\nline"),
    "Digest username=x",
    "Negotiate abcd",
    "AWS4-HMAC-SHA256 Credential=x",
    ALICE_TOKEN,
    f"Bearer\t{ALICE_TOKEN}",
    f"Bearer={ALICE_TOKEN}",
    f"Bearer: {ALICE_TOKEN}",
    f"Bearer {ALICE_TOKEN} {BOB_TOKEN}",
    f"Bearer {ALICE_TOKEN},Bearer {BOB_TOKEN}",
    f"Bearer {ALICE_TOKEN}\nX-Evil: 1",
    f"Bearer {ALICE_TOKEN}\r\nX-Evil: 1",
    f"Bearer {ALICE_TOKEN}\x00",
    "Bearer é",
    "Bearer \x7f",
    "Bearer " + "a" * 4_097,
]


@pytest.mark.parametrize("authorization", MALFORMED)
def test_a_malformed_authorization_is_refused_as_github_would(authorization: str) -> None:
    callers = made(ANONYMOUS_SCOPE="service")
    assert refusal(lambda: callers.identify(authorization)) == (401, "Bad credentials")


UNKNOWN_KEYS = [
    "fwk_",
    "fwk_x",
    KEY + "x",
    KEY[:-1],
    KEY.upper(),
    "FWK_x",
    "Fwk_mistyped-000000000000001",
    f'"{KEY}x"',
    f"'{KEY}x'",
    f'"{KEY}"',
    f"<{KEY}>",
    f"dashboards:{KEY}",
    f"${KEY}",
]


@pytest.mark.parametrize("key", UNKNOWN_KEYS)
@pytest.mark.parametrize("form", ["Bearer {}", "token {}"])
def test_what_looks_like_a_key_of_ours_is_never_taken_for_a_github_token(
    form: str, key: str
) -> None:
    callers = made(ANONYMOUS_SCOPE="service")
    authorization = form.format(key)
    assert refusal(lambda: callers.identify(authorization)) == (401, "Bad credentials")


@pytest.mark.parametrize("form", ["{}:", "{}:x-oauth-basic", "any:{}", ":{}"])
def test_an_unknown_key_in_basic_is_refused_too(form: str) -> None:
    callers = made()
    authorization = basic(form.format("fwk_unknown-key-0000000001"))
    assert refusal(lambda: callers.identify(authorization)) == (401, "Bad credentials")


@pytest.mark.parametrize(
    "authorization", [f"Bearer {KEY}", f"token {KEY}", basic(f"{KEY}:"), basic(f"x:{KEY}")]
)
def test_a_key_holder_has_the_services_eyes_and_a_name(authorization: str) -> None:
    assert made().identify(authorization) == Caller(SERVICE, name="dashboards")


def test_a_github_token_has_a_scope_of_its_own_that_does_not_show_it() -> None:
    callers = made()
    seen = {callers.identify(f"Bearer {each}").scope for each in (ALICE_TOKEN, BOB_TOKEN)}
    assert {each.kind for each in seen} == {"token"}
    assert len(seen) == 2
    assert not any(ALICE_TOKEN in each.name or BOB_TOKEN in each.name for each in seen)


def test_one_token_is_one_scope_however_it_is_sent() -> None:
    callers = made()
    forms = (
        f"Bearer {FINE_GRAINED_TOKEN}",
        f"token {FINE_GRAINED_TOKEN}",
        basic(f"carol:{FINE_GRAINED_TOKEN}"),
    )
    assert len({callers.identify(each).scope for each in forms}) == 1


def test_another_secret_key_gives_another_scope_name() -> None:
    one, other = made(), made(SECRET_KEY="another secret key for tests")
    authorization = f"Bearer {ALICE_TOKEN}"
    assert one.identify(authorization).scope != other.identify(authorization).scope


def test_a_caller_never_prints_its_token() -> None:
    caller = made().identify(f"Bearer {ALICE_TOKEN}")
    assert ALICE_TOKEN not in f"{caller!r} {caller}"


@pytest.mark.parametrize(
    "authorization",
    [
        basic(f"{ALICE_TOKEN}:{KEY}"),
        basic(f"{ALICE_TOKEN}:{KEY}").replace("Basic", "bASIC"),
        basic(f"{'x' * 8_000}:{KEY}"),
        f"Bearer{' ' * 200}{KEY}",
    ],
)
def test_of_a_key_holder_nothing_but_a_key_is_remembered(authorization: str) -> None:
    callers = made()
    assert callers.identify(authorization).name == "dashboards"
    assert authorization not in callers._known


def test_a_key_holder_is_remembered() -> None:
    callers = made()
    first = callers.identify(f"Bearer {KEY}")
    assert callers.identify(f"Bearer {KEY}") is first
    assert set(callers._known) == {f"Bearer {KEY}"}


def test_an_anonymous_caller_has_the_scope_that_is_set() -> None:
    assert made().identify("").scope == PUBLIC
    assert made(ANONYMOUS_SCOPE="service").identify("").scope == SERVICE


def test_an_anonymous_caller_is_refused_where_none_is_set() -> None:
    callers = made(ANONYMOUS_SCOPE="none")
    assert refusal(lambda: callers.identify("")) == (401, "Requires authentication")


def outcome(authorization: str) -> Caller | int:
    """The caller, or the status it is refused with."""
    try:
        return made().identify(authorization)
    except RequestRefused as refused:
        return refused.status


@given(st.text(min_size=1))
def test_any_authorization_is_a_github_token_or_a_401(authorization: str) -> None:
    found = outcome(authorization)
    assert found == 401 or (isinstance(found, Caller) and found.token is not None)


@given(st.binary(max_size=60))
def test_any_basic_is_a_plain_token_or_a_401(credentials: bytes) -> None:
    found = outcome(f"Basic {base64.b64encode(credentials).decode()}")
    if isinstance(found, Caller):
        assert found.token is not None
        assert found.token.reveal().isascii()
    else:
        assert found == 401
