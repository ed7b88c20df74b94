"""Events to tags, over every event and action of the table as GitHub publishes their schemas."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standin.webhooks import signature
from tests.webapp.github.published import Style, event_names, models, payload_of
from webapp import policy
from webapp.errors import RequestRefused
from webapp.github import events
from webapp.github.events import Facts, Payload, Purges, action_of, facts_of, parse, purges, verify
from webapp.secret import Secret

SECRET = Secret("a webhook secret")

NAMES = {
    ("repository", "full_name"): "Octo/Hello",
    ("repository", "owner", "login"): "Octo",
    ("organization", "login"): "Octo",
    ("installation", "account", "login"): "Octo",
    ("account", "login"): "Octo",
    ("member", "login"): "Newcomer",
    ("membership", "user", "login"): "Newcomer",
    ("changes", "login", "from"): "Former-Octo",
    ("changes", "repository", "name", "from"): "Former-Hello",
    ("changes", "owner", "from", "user", "login"): "Seller",
    ("changes", "owner", "from", "organization", "login"): "Seller",
    ("repositories_added", "full_name"): "Octo/Added",
    ("repositories_removed", "full_name"): "Octo/Removed",
}

DETAIL = "repo:octo/hello"
LISTS = frozenset({"repos:octo", "repos:any"})
COUNTER = ({DETAIL}, LISTS)
ALL_OF_IT = {"owner:octo", "repos:octo", "repos:any", "orgs:any"}
ADDED_AND_REMOVED = {DETAIL, "repo:octo/added", "repo:octo/removed", *LISTS}

SOFT: Mapping[tuple[str, str], tuple[set[str], frozenset[str]]] = {
    ("branch_protection_rule", "*"): ({DETAIL}, frozenset()),
    ("create", "*"): ({DETAIL}, frozenset()),
    ("custom_property_values", "*"): ({DETAIL}, frozenset()),
    ("delete", "*"): ({DETAIL}, frozenset()),
    ("fork", "*"): COUNTER,
    ("installation", "created"): (ALL_OF_IT, frozenset()),
    ("installation", "new_permissions_accepted"): (ALL_OF_IT, frozenset()),
    ("installation", "unsuspend"): (ALL_OF_IT, frozenset()),
    ("installation_repositories", "added"): (ADDED_AND_REMOVED, frozenset()),
    ("issues", "closed"): COUNTER,
    ("issues", "deleted"): COUNTER,
    ("issues", "opened"): COUNTER,
    ("issues", "reopened"): COUNTER,
    ("issues", "transferred"): COUNTER,
    ("member", "*"): ({DETAIL, *LISTS, "orgs:newcomer", "orgs:any"}, frozenset()),
    ("organization", "member_added"): ({"org:octo", "orgs:newcomer", "orgs:any"}, frozenset()),
    ("organization", "member_invited"): ({"org:octo", "orgs:any"}, frozenset()),
    ("organization", "member_removed"): ({"org:octo", "orgs:newcomer", "orgs:any"}, frozenset()),
    ("public", "*"): ({DETAIL, *LISTS}, frozenset()),
    ("pull_request", "closed"): COUNTER,
    ("pull_request", "opened"): COUNTER,
    ("pull_request", "reopened"): COUNTER,
    ("push", "*"): COUNTER,
    ("release", "*"): ({DETAIL}, frozenset()),
    ("repository", "created"): ({DETAIL, *LISTS, "org:octo"}, frozenset()),
    ("repository", "publicized"): ({DETAIL, *LISTS, "org:octo"}, frozenset()),
    ("repository", "archived"): ({DETAIL, *LISTS}, frozenset()),
    ("repository", "edited"): ({DETAIL, *LISTS}, frozenset()),
    ("repository", "unarchived"): ({DETAIL, *LISTS}, frozenset()),
    ("security_and_analysis", "*"): ({DETAIL}, frozenset()),
    ("star", "*"): COUNTER,
    ("team", "*"): (set(LISTS), frozenset()),
    ("team_add", "*"): (set(LISTS), frozenset()),
    ("watch", "*"): COUNTER,
}
"""Event and action -> tags purged at once, lists purged under the pause."""

HARD: Mapping[tuple[str, str], set[str]] = {
    ("installation", "deleted"): ALL_OF_IT,
    ("installation", "suspend"): ALL_OF_IT,
    ("installation_repositories", "removed"): ADDED_AND_REMOVED,
    ("installation_target", "renamed"): {
        *("owner:octo", "owner:former-octo", "repos:octo", "repos:former-octo"),
        *("repos:any", "orgs:any"),
    },
    ("organization", "deleted"): {
        *("owner:octo", "org:octo", "repos:octo", "repos:any", "orgs:any", "orgs:newcomer"),
    },
    ("organization", "renamed"): {
        *("owner:octo", "owner:former-octo", "org:octo", "org:former-octo"),
        *("repos:octo", "repos:former-octo", "repos:any", "orgs:any", "orgs:newcomer"),
    },
    ("repository", "deleted"): {DETAIL, *LISTS, "org:octo"},
    ("repository", "privatized"): {DETAIL, *LISTS, "org:octo"},
    ("repository", "renamed"): {DETAIL, *LISTS, "repo:octo/former-hello"},
    ("repository", "transferred"): {
        *(DETAIL, "repo:seller/hello", "repos:octo", "repos:seller", "repos:any"),
        *("org:octo", "org:seller"),
    },
}


def purges_of(event: str, action: str, payload: Payload) -> Purges:
    return purges(facts_of(event, action, payload))


def named_in(payload: Mapping[str, Any]) -> set[str]:
    """The names of NAMES that this payload really holds, lower-case."""

    def at(value: Any, path: tuple[str, ...]) -> Iterator[str]:
        if isinstance(value, list):
            for each in value:
                yield from at(each, path)
        elif not path:
            if isinstance(value, str):
                yield value.lower()
        elif isinstance(value, dict):
            yield from at(value.get(path[0]), path[1:])

    return {found for path in NAMES for found in at(payload, path)}


def told(tags: set[str] | frozenset[str], payload: Mapping[str, Any]) -> set[str]:
    """Those of the tags that this payload, with what it lacks, can tell of."""
    held = named_in(payload)
    owners = {name.partition("/")[0] for name in held} | {"any"}

    def is_told(tag: str) -> bool:
        kind, _, name = tag.partition(":")
        if kind != "repo":
            return name in owners
        owner, _, repo = name.partition("/")
        former = owner == "seller" or repo.startswith("former")
        return ({"octo/hello"} if former else {name}) <= held and owner in owners

    return {tag for tag in tags if is_told(tag)}


def expected(event: str, action: str, payload: Mapping[str, Any]) -> Purges:
    if tags := HARD.get((event, action)):
        return Purges(hard=tuple(told(tags, payload)))
    soft, lists = SOFT.get((event, action)) or SOFT.get((event, "*")) or (set(), frozenset())
    return Purges(soft=tuple(told(soft, payload)), lists=tuple(told(lists, payload)))


def the_tables_events() -> list[str]:
    rows = {event for row in policy.RESOURCES for event in row.purged_by}
    return sorted(rows | set(policy.OWNER_WIDE))


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("event", [*the_tables_events(), "ping"])
def test_every_action_of_an_event_purges_its_tags_and_no_others(event: str, style: Style) -> None:
    for action, model in models(event).items():
        payload = payload_of(model, style, NAMES)
        assert action_of(payload) == action
        found, wanted = purges_of(event, action, payload), expected(event, action, payload)
        assert [set(found.hard), set(found.soft), set(found.lists)] == [
            *(set(wanted.hard), set(wanted.soft), set(wanted.lists))
        ], action


def test_every_action_named_by_the_tables_is_one_that_github_publishes() -> None:
    tables = [*(row.purged_by for row in policy.RESOURCES), policy.HARD, policy.OWNER_WIDE]
    unknown = {
        (event, action)
        for table in (*tables, policy.COUNTERS, policy.INSTALLED)
        for event, actions in table.items()
        for action in actions
        if action != "*" and action not in models(event)
    }
    assert unknown == set()


@pytest.mark.parametrize("event", sorted(set(event_names()) - set(the_tables_events())))
def test_an_event_that_the_table_does_not_name_purges_nothing(event: str) -> None:
    facts = Facts(event, "created", ("octo/hello",), ("octo",), ("newcomer",))
    assert purges(facts).nothing


@pytest.mark.parametrize(
    ("event", "action", "installed"),
    [
        ("installation", "created", {"octo"}),
        ("installation", "deleted", {"octo"}),
        ("installation_target", "renamed", {"octo", "former-octo"}),
        ("repository", "deleted", set()),
    ],
)
def test_only_where_an_app_is_installed_is_learnt_anew_after_an_installation(
    event: str, action: str, installed: set[str]
) -> None:
    payload = payload_of(models(event)[action], Style.FULL, NAMES)
    assert set(purges_of(event, action, payload).installed) == installed


def test_a_renamed_repository_without_its_former_name_is_purged_by_its_present_one() -> None:
    payload = {"repository": {"full_name": "octo/hello"}, "changes": None}
    assert DETAIL in purges_of("repository", "renamed", payload).hard


def test_a_feeds_facts_purge_as_a_deliverys() -> None:
    payload = payload_of(models("push")[""], Style.FULL, NAMES)
    assert purges(Facts("push", repositories=("Octo/Hello",))) == purges_of("push", "", payload)


def test_an_event_that_names_nobody_purges_the_lists_that_name_nobody() -> None:
    assert purges(Facts("repository", "created")).soft == ("repos:any",)


@pytest.mark.parametrize(
    "name", ["", "octo", "a b/c", "octo/hello/x", "octo/h\x00", "oc\nto/h", "/"]
)
def test_what_can_be_no_name_names_nothing(name: str) -> None:
    payload = {"repository": {"full_name": name, "owner": {"login": name + "\x00"}}}
    assert purges_of("push", "", payload).soft == ()


# Verify


def test_githubs_own_signature_is_accepted() -> None:
    verify(SECRET, b"{}", signature(SECRET.reveal(), b"{}"))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + hmac.new(b"a webhook secret", b"{}", "sha1").hexdigest(),
        hmac.new(b"a webhook secret", b"{}", hashlib.sha256).hexdigest(),
        "sha256=" + hmac.new(b"another secret", b"{}", hashlib.sha256).hexdigest(),
        "sha256=" + hmac.new(b"a webhook secret", b"{} ", hashlib.sha256).hexdigest(),
        "sha256=é\udcff",
    ],
)
def test_any_other_signature_is_refused(given: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        verify(SECRET, b"{}", given)
    assert refused.value.status == 401


# Parse


def test_json_and_a_forms_payload_say_the_same() -> None:
    payload = payload_of(models("star")["created"], Style.FULL, NAMES)
    body = orjson.dumps(payload)
    form = urlencode({"payload": body.decode()}).encode()
    assert parse(body, "application/json; charset=utf-8") == payload
    assert parse(form, "application/x-www-form-urlencoded") == payload


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b'{"action": "opened"', "application/json"),
        (b'{"action": "\xff"}', "application/json"),
        ('{"action": "é"}'.encode("utf-16"), "application/json"),
        (b'{"action": NaN}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"", "application/x-www-form-urlencoded"),
        (b"payload", "application/x-www-form-urlencoded"),
        (b"payload=%FF", "application/x-www-form-urlencoded"),
        (b"payload=\xff", "application/x-www-form-urlencoded"),
        (b"other=%7B%7D", "application/x-www-form-urlencoded"),
        (b"a=1&" * 9, "application/x-www-form-urlencoded"),
        (b"{}", ""),
        (b"{}", "text/plain"),
        (b"{}", "multipart/form-data"),
    ],
)
def test_what_is_malformed_is_a_400(body: bytes, content_type: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse(body, content_type)
    assert refused.value.status == 400


KINDS = st.sampled_from(["application/json", "application/x-www-form-urlencoded"])


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode), KINDS | st.text(max_size=40)
)
def test_the_parser_raises_its_own_error_alone(body: bytes, content_type: str) -> None:
    payload: events.Payload = {}
    with suppress(RequestRefused):
        payload = parse(body, content_type)
    assert isinstance(payload, dict)


STEPS = sorted({step for path in NAMES for step in path} | {"changes", "starred_at", "pushed_at"})
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False) | st.datetimes().map(str),
    lambda inside: st.lists(inside, max_size=3)
    | st.dictionaries(st.sampled_from(STEPS), inside, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(
    st.sampled_from([*the_tables_events(), "ping", "unheard_of"]),
    st.dictionaries(st.sampled_from([*STEPS, "action"]), JSON, max_size=5),
)
def test_no_payload_of_whatever_shape_crashes(event: str, payload: dict[str, Any]) -> None:
    found = purges_of(event, action_of(payload), payload)
    assert all(isinstance(tag, str) for tag in (*found.hard, *found.soft, *found.lists))
    lag = events.lag_of(event, payload, 1_790_000_000.0)
    assert lag is None or lag >= 0


# Lag


@pytest.mark.parametrize(
    ("event", "payload", "lag"),
    [
        ("push", {"repository": {"pushed_at": 1_000}}, 60.0),
        ("star", {"starred_at": "1970-01-01T00:17:10Z"}, 30.0),
        ("issues", {"issue": {"updated_at": "1970-01-01T01:17:30+01:00"}}, 10.0),
        ("star", {"starred_at": None}, None),
        ("star", {"starred_at": "soon"}, None),
        ("star", {"starred_at": "1970-01-01T00:17:10"}, None),
        ("push", {"repository": {"pushed_at": 2_000}}, 0.0),
        ("ping", {"hook": {}}, None),
    ],
)
def test_the_lag_is_what_the_payload_tells(
    event: str, payload: dict[str, Any], lag: float | None
) -> None:
    assert events.lag_of(event, payload, 1_060.0) == lag
