"""An event feed's page, without I/O: what is new on it, and what that makes untrue.

A feed says less than webhooks, later, and in other words: TYPES has a webhook's for each. What
isn't there (comments, wikis, sponsors) changes nothing that is kept. Events may join a feed late
and out of order, so what is new is what wasn't on the page that was read last, not what has a
greater id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webapp.github.events import Facts, Purges, action_of, purges

PAGE = 100
"""Entries that a page may have."""

Entry = Mapping[str, Any]

_FROM_PAYLOAD = "*"

TYPES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "WatchEvent": (("star", "created"),),
    "ForkEvent": (("fork", ""),),
    "PushEvent": (("push", ""),),
    "IssuesEvent": (("issues", _FROM_PAYLOAD),),
    "PullRequestEvent": (("pull_request", _FROM_PAYLOAD),),
    "ReleaseEvent": (("release", _FROM_PAYLOAD),),
    "CreateEvent": (("create", ""),),
    "DeleteEvent": (("delete", ""),),
    "PublicEvent": (("public", ""), ("repository", "publicized")),
    "MemberEvent": (("member", _FROM_PAYLOAD),),
}
"""A feed's type of event -> a webhook's event and action."""


@dataclass(frozen=True, slots=True)
class News:
    """What a page has that the last one hadn't.

    `ids` are all that are on it now. `gap`: it shares nothing with the last one, so that more may
    have happened between the two than it shows.
    """

    ids: tuple[str, ...]
    entries: tuple[Entry, ...]
    gap: bool


def news(page: object, seen: Collection[str]) -> News:
    """`page` as GitHub answered it, `seen` the ids of the last one. Raises ValueError for a page
    that is none."""
    if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
        raise ValueError("not a feed")
    by_id = {str(each["id"]): each for each in page if each.get("id")}
    new = {id_: each for id_, each in by_id.items() if id_ not in seen}
    gap = bool(new) and len(new) == len(by_id) and (bool(seen) or len(by_id) >= PAGE)
    return News(tuple(by_id), tuple(new.values()), gap)


def purges_of_entries(entries: Iterable[Entry]) -> Purges:
    """What they make untrue together, each tag once."""
    found = [purges(facts) for entry in entries for facts in facts_of_entry(entry)]
    hard = _once(tag for each in found for tag in each.hard)
    soft = _once(tag for each in found for tag in each.soft if tag not in hard)
    lists = _once(tag for each in found for tag in each.lists if tag not in {*hard, *soft})
    return Purges(hard=hard, soft=soft, lists=lists)


def facts_of_entry(entry: Entry) -> Iterator[Facts]:
    """A webhook's facts, of what a feed tells; it may lack anything."""
    repository = _text(entry.get("repo"), "name")
    payload = entry.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    kind = entry.get("type")
    for event, action in TYPES.get(kind, ()) if isinstance(kind, str) else ():
        member = _text(payload.get("member"), "login")
        yield Facts(
            event,
            action_of(payload) if action == _FROM_PAYLOAD else action,
            repositories=(repository,) if repository else (),
            members=(member,) if member else (),
        )
    # A repository that is made is known by the feed alone of whoever made it.
    made = repository if payload.get("ref_type") == "repository" else ""
    if kind == "ForkEvent":
        made = _text(payload.get("forkee"), "full_name")
    if made:
        yield Facts("repository", "created", repositories=(made,))


def _text(value: object, name: str) -> str:
    held = value.get(name) if isinstance(value, dict) else None
    return held if isinstance(held, str) else ""


def _once(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))
