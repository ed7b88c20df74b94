"""The event feeds of what is watched, for those who can't add webhooks.

    organisation  /orgs/{org}/events       user  /users/{user}/events (what that user did)
    repository    /repos/{owner}/{repo}/events

Polled once a minute, and never sooner than a feed's X-Poll-Interval allows, in the webhook lane,
by the archive's ETag: while nothing happens that costs no point. What is new is purged as a
webhook's events are, with the cause `feed`. A feed that is read for the first time purges nothing:
what it tells was true when the cache filled. Where a page no longer reaches back to the last one,
everything of its owner is purged softly. Feeds are public and late (GitHub says 30 s to 6 h), and
know nothing of renames, settings or deletions: webhooks do better.

`fw:feed:<path>`, in the cache's Redis: the ids on the last page, when the feed may be polled
again. With them goes what they kept true.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from webapp.cache.connection import Connection
from webapp.cache.keys import SERVICE, canonical_target
from webapp.changes.invalidation import Invalidation
from webapp.errors import (
    CredentialRefused,
    DatabaseUnavailable,
    GitHubUnavailable,
    OutOfBudget,
)
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.client import Client
from webapp.github.events import Purges
from webapp.github.feed_events import PAGE, news, purges_of_entries
from webapp.github.limits import Lane
from webapp.watches import ORG, OWNER, REPO, USER, Watch, Watches

log = logging.getLogger(__name__)

ASKER = Asker(SERVICE, lane=Lane.WEBHOOK, consumer="feed")
TURN = 45.0
"""Seconds for one round: the next minute's goes on where it ended, the longest waiting first."""
MOST = 100
"""Feeds in one round: a free 304 too is one of the 900 calls that GitHub allows in a minute."""
INTERVAL = 60.0
"""Seconds between polls where GitHub asks for no other."""
INTERVAL_MAX = 3600.0
EARLY = 5.0
"""Seconds. Rounds begin a minute apart, give or take a worker's delay: a feed that is due so soon
isn't left to the next one."""
MISSING_FOR = 3600.0
"""Seconds until a feed that isn't there, or that we may not see, is asked for again."""
KEPT = 7 * 86_400  # seconds since it was last polled
PATHS = {ORG: "/orgs/{}/events", USER: "/users/{}/events", REPO: "/repos/{}/events"}


@dataclass(frozen=True, slots=True)
class Feed:
    """What is remembered of one; `seen` is None where it was never read, `due` Unix seconds."""

    path: str
    watch: Watch
    kind: str
    seen: tuple[str, ...] | None
    due: float


class Feeds:
    """One per process."""

    def __init__(
        self,
        watches: Watches,
        client: Client,
        redis: Connection,
        invalidation: Invalidation,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives Unix seconds."""
        self._watches = watches
        self._client = client
        self._redis = redis
        self._invalidation = invalidation
        self._clock = clock

    def poll(self) -> tuple[str, ...]:
        """Read every feed that is due; the tags purged.

        Raises OutOfBudget; StoreUnavailable, GitHubUnavailable: the feeds are then still due.
        """
        began, purged = self._clock(), dict[str, None]()
        due = [each for each in self._feeds() if each.due <= began + EARLY]
        for feed in sorted(due, key=lambda each: each.due)[:MOST]:
            if self._clock() - began > TURN:
                break
            try:
                purged |= dict.fromkeys(self._read(feed))
            except GitHubUnavailable:
                # Behind the others: one that GitHub can't give keeps none of them from its turn.
                self._remember(feed, feed.seen, self._clock() + INTERVAL)
                raise
        return tuple(purged)

    def _feeds(self) -> list[Feed]:
        watches = self._watches.all()
        whole = {each.name for each in watches if each.kind == ORG}
        # An owner of unknown kind is taken for an organisation, until GitHub knows none. What an
        # organisation's feed tells needs no other.
        return self._remembered(
            [
                (each, ORG if each.kind == OWNER else each.kind)
                for each in watches
                if each.kind != REPO or each.owner not in whole
            ]
        )

    def _remembered(self, watches: Sequence[tuple[Watch, str]]) -> list[Feed]:
        if not watches:
            return []
        paths = [PATHS[kind].format(watch.name) for watch, kind in watches]
        feeds = []
        held = self._redis.mget([_key(path) for path in paths])
        for (watch, kind), path, data in zip(watches, paths, held, strict=True):
            state: dict[str, Any] = orjson.loads(data) if data else {"seen": None, "due": 0.0}
            seen = None if state["seen"] is None else tuple(state["seen"])
            feeds.append(Feed(path, watch, kind, seen, state["due"]))
        return feeds

    def _read(self, feed: Feed) -> tuple[str, ...]:
        target = canonical_target(feed.path, f"per_page={PAGE}", "", "")
        try:
            answer = self._client.get(target, ASKER, None)
        except CredentialRefused as error:
            return self._missing(feed, str(error))
        if answer.limited:
            raise OutOfBudget(self._clock() + answer.retry_after, "limit")
        if answer.status == 404 and feed.kind == ORG and feed.watch.kind == OWNER:
            self._missing(feed, "it may be a user's")
            (feed,) = self._remembered([(feed.watch, USER)])
            return self._read(feed) if feed.due <= self._clock() else ()
        if answer.status != 200 or answer.body is None:
            answer.close()
            return self._missing(feed, f"GitHub answered {answer.status}")
        return self._news(feed, answer, answer.body)

    def _news(self, feed: Feed, answer: Answer, body: bytes) -> tuple[str, ...]:
        try:
            found = news(orjson.loads(body), feed.seen or ())
        except ValueError as error:
            raise GitHubUnavailable(f"{feed.path} can't be read: {error}", 200) from None
        tags: tuple[str, ...] = ()
        if feed.seen is not None and found.entries:
            purges = purges_of_entries(found.entries)
            if found.gap:
                purges = Purges(soft=(f"owner:{feed.watch.owner}",))
            tags = self._invalidation.apply(purges, cause="feed", detail=feed.path)
        self._learn(feed)
        # Only now: who fails above reads the same again.
        self._remember(feed, found.ids, self._clock() + _interval(answer))
        return tags

    def _missing(self, feed: Feed, why: str) -> tuple[str, ...]:
        log.info("feed %s is left alone for a while: %s", feed.path, why)
        self._remember(feed, feed.seen, self._clock() + MISSING_FOR)
        return ()

    def _remember(self, feed: Feed, seen: tuple[str, ...] | None, due: float) -> None:
        state = {"seen": seen, "due": due}
        self._redis.set(_key(feed.path), orjson.dumps(state), ex=KEPT)

    def _learn(self, feed: Feed) -> None:
        """The feed that answers says what an owner is."""
        if feed.watch.kind != OWNER:
            return
        try:
            self._watches.learn(feed.watch.name, feed.kind)
        except DatabaseUnavailable as error:
            log.debug("what %s is isn't noted: %s", feed.watch.name, error)


def _key(path: str) -> str:
    return f"fw:feed:{path}"


def _interval(answer: Answer) -> float:
    """Seconds until the feed may be polled again."""
    told = answer.headers.get("X-Poll-Interval", "")
    return min(float(told), INTERVAL_MAX) if told.isdecimal() else INTERVAL
