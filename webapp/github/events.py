"""GitHub's events, without I/O: is a delivery GitHub's, what does it say, what does it make untrue.

    verify   HMAC-SHA256 over the raw body, before anything is parsed
    parse    JSON, or a form's `payload`, as a dict; RequestRefused for all else
    facts_of a payload's facts, whatever it lacks; REPOSITORIES and its like say where
    purges   facts -> tags, hard or soft, read off the policy table's rows

A payload may be late or wrong in its fields, so nothing of it is stored as an answer: it names what
to ask GitHub for anew. An event feed's entries are shaped otherwise; whoever reads one gives its
facts to `purges` by the webhook's names (a `PushEvent` is Facts("push", repositories=("o/r",))).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson

from webapp import policy
from webapp.errors import RequestRefused
from webapp.secret import Secret

Payload = Mapping[str, Any]

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
SIGNATURE = "sha256="
_SIGNATURE = re.compile(rf"{SIGNATURE}[0-9a-f]{{64}}")

_LOGIN = re.compile(r"[a-z0-9._-]{1,100}")
_FULL_NAME = re.compile(r"[a-z0-9._-]{1,100}/[a-z0-9._-]{1,100}")
_WORD = re.compile(r"[a-z0-9_]{1,64}")

# Where a payload names things. A step into a list takes each of its items.
REPOSITORIES = (
    ("repository", "full_name"),
    ("repositories_added", "full_name"),
    ("repositories_removed", "full_name"),
)
OWNERS = (
    ("repository", "owner", "login"),
    ("organization", "login"),
    ("installation", "account", "login"),
    ("account", "login"),
    ("changes", "login", "from"),
)
MEMBERS = (("member", "login"), ("membership", "user", "login"))
FORMER_NAMES = (("changes", "repository", "name", "from"),)
FORMER_OWNERS = (
    ("changes", "owner", "from", "organization", "login"),
    ("changes", "owner", "from", "user", "login"),
)
MOMENTS: Mapping[str, tuple[str, ...]] = {
    "fork": ("forkee", "created_at"),
    "issues": ("issue", "updated_at"),
    "pull_request": ("pull_request", "updated_at"),
    "push": ("repository", "pushed_at"),
    "release": ("release", "published_at"),
    "repository": ("repository", "updated_at"),
    "star": ("starred_at",),
}
"""Event -> where its payload says when it happened."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to what, in GitHub's names; letter case doesn't count.

    `event` and `action` are a webhook's ("issues", "opened"). `repositories` are full names,
    former ones too; `owners` are logins of organisations and users that aren't named by a
    repository already; `members` are people whose membership changed.
    """

    event: str
    action: str = ""
    repositories: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """The first owner named, '' where none is; for accounts of what happened."""
        return next(iter(_owners(self)), "")

    @property
    def repository(self) -> str:
        """The first repository's name without its owner."""
        return next(iter(_lower(self.repositories, _FULL_NAME)), "").partition("/")[2]


@dataclass(frozen=True, slots=True)
class Purges:
    """Tags to purge. `hard` and `soft` at once.

    `lists` softly, at most once in policy.COUNTER_PAUSE. `installed` are owners whose App
    installation changed (Credentials.installed).
    """

    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the event makes nothing untrue."""
        return not (self.hard or self.soft or self.lists or self.installed)


def purges(facts: Facts) -> Purges:
    """What an event makes untrue, by the policy table; every event is taken, most change nothing.

    Hard events purge all of their tags hard. A counter's event purges the repository's own tag at
    once and leaves its owner's lists, and those that name no owner, to the pause.
    """
    event, action = facts.event, facts.action
    owners = _owners(facts)
    tags: dict[str, None] = {}
    for row in policy.RESOURCES:
        if policy.listed(row.purged_by, event, action):
            named = owners if row.named_by == "owner" else _lower(facts.members, _LOGIN)
            tags |= dict.fromkeys(_tags(row, named, _lower(facts.repositories, _FULL_NAME)))
    if policy.listed(policy.OWNER_WIDE, event, action):
        tags |= dict.fromkeys(f"owner:{owner}" for owner in owners)
    installed = owners if policy.listed(policy.INSTALLED, event, action) else ()
    if policy.listed(policy.HARD, event, action):
        return Purges(hard=tuple(tags), installed=installed)
    if policy.listed(policy.COUNTERS, event, action):
        detail = tuple(tag for tag in tags if tag.startswith("repo:"))
        return Purges(soft=detail, lists=tuple(tag for tag in tags if tag not in detail))
    return Purges(soft=tuple(tags), installed=installed)


def facts_of(event: str, action: str, payload: Payload) -> Facts:
    """What a webhook's payload says; it may lack any field, or hold null in its place."""
    repositories = tuple(_found(payload, REPOSITORIES))
    owners = (*_found(payload, OWNERS), *_found(payload, FORMER_OWNERS))
    now_named = next(_found(payload, REPOSITORIES[:1]), "")
    owner, _, name = now_named.partition("/")
    former = [f"{owner}/{old}" for old in _found(payload, FORMER_NAMES) if owner]
    former += [f"{old}/{name}" for old in _found(payload, FORMER_OWNERS) if name]
    members = tuple(_found(payload, MEMBERS))
    return Facts(event, action, (*repositories, *former), owners, members)


def action_of(payload: Payload) -> str:
    """Its action, '' where it has none."""
    action = payload.get("action")
    return action if isinstance(action, str) and _WORD.fullmatch(action) else ""


def lag_of(event: str, payload: Payload, now: float) -> float | None:
    """Seconds from what happened to `now` (Unix seconds), where the payload tells; never below 0.

    GitHub says whole seconds.
    """
    happened: Any = payload
    for step in MOMENTS.get(event, ("",)):
        happened = happened.get(step) if isinstance(happened, Mapping) else None
    if isinstance(happened, str):
        try:
            moment = datetime.fromisoformat(happened)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        return max(0.0, now - moment.timestamp())
    if isinstance(happened, int) and not isinstance(happened, bool):  # pushes give numbers
        return max(0.0, now - happened)
    return None


def is_signature(text: str) -> bool:
    """Whether it can be any body's, which `verify` tells."""
    return _SIGNATURE.fullmatch(text) is not None


def verify(secret: Secret, body: bytes, signature: str) -> None:
    """Raises RequestRefused (401) unless `signature` (X-Hub-Signature-256) is this body's.

    The weaker X-Hub-Signature, of SHA-1, proves nothing here.
    """
    digest = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
    given = signature.encode(errors="replace")
    if not hmac.compare_digest((SIGNATURE + digest).encode(), given):
        raise RequestRefused(401, "X-Hub-Signature-256 doesn't match the body.")


def parse(body: bytes, content_type: str) -> Payload:
    """The payload of a delivery. Raises RequestRefused (400) and nothing else."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM:
        body = _form_field(body, "payload")
    elif kind != JSON:
        raise RequestRefused(400, f"The content type must be {JSON} or {FORM}.")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefused(400, "The payload is not JSON in UTF-8.") from None
    if not isinstance(payload, dict):
        raise RequestRefused(400, "The payload is not a JSON object.")
    return payload


def word(text: str) -> str:
    """An event's name, as a header has it. Raises RequestRefused (400)."""
    if not _WORD.fullmatch(text):
        raise RequestRefused(400, "X-GitHub-Event is missing or is no event's name.")
    return text


def _form_field(body: bytes, name: str) -> bytes:
    try:
        fields = parse_qsl(body.decode(), strict_parsing=True, errors="strict", max_num_fields=8)
    except ValueError:
        raise RequestRefused(400, "The form is malformed.") from None
    for key, value in fields:
        if key == name:
            return value.encode()
    raise RequestRefused(400, "The form has no payload.")


def _tags(
    row: policy.Resource, owners: Iterable[str], repositories: Iterable[str]
) -> Iterable[str]:
    if "{repo}" in row.tag:
        for full_name in repositories:
            owner, _, repo = full_name.partition("/")
            yield row.tag.format(owner=owner, repo=repo)
        return
    for owner in owners:
        yield row.tag.format(owner=owner)
    if row.unnamed:
        yield row.unnamed


def _owners(facts: Facts) -> tuple[str, ...]:
    named = [each.partition("/")[0] for each in _lower(facts.repositories, _FULL_NAME)]
    return tuple(dict.fromkeys((*named, *_lower(facts.owners, _LOGIN))))


def _lower(names: Iterable[str], shape: re.Pattern[str]) -> tuple[str, ...]:
    """Lower-case, each once; what can't be a name names nothing."""
    return tuple(dict.fromkeys(name for each in names if shape.fullmatch(name := each.lower())))


def _found(payload: Any, places: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for place in places:
        yield from _at(payload, place)


def _at(value: Any, place: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, place)
    elif not place:
        if isinstance(value, str):
            yield value
    elif isinstance(value, Mapping):
        yield from _at(value.get(place[0]), place[1:])
