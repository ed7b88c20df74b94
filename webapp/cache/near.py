"""The near shelf: finished responses in the web process, at most a second old, bounded by bytes.

It may answer only while it hears every purge, so it is off while unsubscribed. Each purge message
changes the count of its owner (or of all); an entry is inserted with the count that was read
*before* Redis was, and is a hit only while that count stands. So neither a reader that read just
before a purge nor one that inserts just after it serves the old answer. Where messages are lost
without notice, age bounds what can be served to MAX_AGE.

What this process purges or fetches itself counts at once, not when the message comes round: who has
written, or asked past the cache, never sees the answer from before.

Entries are inserted anew at least every MAX_AGE, so dropping the oldest insertion first is LRU to
the second, and a hit needs no lock and moves nothing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson
import redis

from webapp.cache.connection import plain_connection
from webapp.cache.entry import Entry
from webapp.cache.reply import Headers
from webapp.cache.store import PURGES_CHANNEL
from webapp.lasting import lasting
from webapp.outcome import Outcome
from webapp.secret import Secret
from webapp.signals import purged, served

log = logging.getLogger(__name__)

MAX_AGE = 1.0  # seconds
OVERHEAD = 2_000  # bytes an entry takes beside its body
LISTEN = 0.5  # seconds between signs of life
SILENCE = 2.0  # seconds without an answer to a ping, after which the line is dead
RECONNECT = 0.25  # seconds
OWNERS_MAX = 100_000
EVERYBODY = ""
Label = tuple[str, str, str, str, str]
"""A hit but its seconds: resource, outcome, path, kind of scope, shelf."""
FETCHED = frozenset(
    {each.value for each in (Outcome.MISS, Outcome.REVALIDATED, Outcome.COALESCED, Outcome.BYPASS)}
)


@dataclass(slots=True)
class Finished:
    """An answer but for its sending, until a whole second makes Age or ttl another.

    `label` is what a hit is noted by, `asked` what demand is, '' for none.
    """

    status: str
    headers: Headers
    body: bytes
    label: Label
    asked: str
    allowance: Headers
    since: float
    until: float


@dataclass(slots=True)
class NearEntry:
    """`headers` is what doesn't change while it is here; `count` its owner's when it was read.

    `finished` is what was last answered with it, by Accept-Encoding.
    """

    entry: Entry
    headers: Headers
    read_at: float
    count: int
    owner: str
    finished: dict[str, Finished] = field(default_factory=dict)


class PurgeCounts:
    """How often each owner was purged, as far as this process heard. Never goes back."""

    def __init__(self) -> None:
        self._sequence = 0
        # One tuple, replaced as one: a floor never goes with another floor's owners.
        self._counted: tuple[int, dict[str, int]] = (0, {})
        self._lock = threading.Lock()

    def of(self, owner: str) -> int:
        """A number that changes with every purge that could concern this owner."""
        floor, by_owner = self._counted
        return by_owner.get(owner, floor)

    def heard(self, tags: Iterable[str]) -> None:
        """Count a message's purges."""
        owners = {owner_of(tag) for tag in tags}
        with self._lock:
            self._sequence += 1
            _, by_owner = self._counted
            if EVERYBODY in owners or len(by_owner) > OWNERS_MAX:
                self._counted = (self._sequence, {})
            else:
                by_owner.update(dict.fromkeys(owners, self._sequence))

    def missed(self) -> None:
        """Messages may have been lost: everybody may have been purged."""
        self.heard(("all",))


def owner_of(tag: str) -> str:
    """The owner a tag names; EVERYBODY for `all`, `orgs:any`, `repos:any`."""
    kind, _, name = tag.partition(":")
    if kind == "all" or name == "any":
        return EVERYBODY
    return name.partition("/")[0]


class Near:
    """One per process; `get` is the hit path."""

    def __init__(self, url: Secret, *, limit: int) -> None:
        """`limit` is in bytes; 0 turns the shelf off."""
        self._url = url
        self._limit = limit
        self.start_afresh()
        purged.connect(self._purged_here)
        served.connect(self._served_here)
        _shelves.add(self)

    def start_afresh(self) -> None:
        """Empty and deaf, as in a new process."""
        self.counts = PurgeCounts()
        self.subscribed = False
        self._entries: dict[str, NearEntry] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pid = 0

    def close(self) -> None:
        """Stop listening; what is held is not served any more."""
        self._closed.set()
        self.subscribed = False

    def get(self, key: str) -> NearEntry | None:
        """What may be served now, if anything."""
        found = self._entries.get(key)
        if (
            found is None
            or not self.subscribed
            or found.count != self.counts.of(found.owner)
            or time.monotonic() - found.read_at > MAX_AGE
        ):
            return None
        return found

    def put(self, key: str, entry: NearEntry) -> None:
        """Keep an entry for MAX_AGE from its reading, if nothing purged it since."""
        size = len(entry.entry.body) + OVERHEAD
        if not self.listening() or size > self._limit:
            return
        with self._lock:
            self._drop(key)
            self._entries[key] = entry
            self._bytes += size
            self._shrink(entry.read_at - MAX_AGE)

    def _purged_here(self, _: object, *, tags: Iterable[str], **__: object) -> None:
        self.counts.heard(tags)

    def _served_here(self, _: object, *, key: str, outcome: str, **__: object) -> None:
        if outcome in FETCHED:
            with self._lock:
                self._drop(key)

    def _drop(self, key: str) -> None:
        dropped = self._entries.pop(key, None)
        if dropped:
            self._bytes -= len(dropped.entry.body) + OVERHEAD

    def _shrink(self, oldest: float) -> None:
        # Those too old to serve go first: the bodies finished with them don't count.
        while self._entries:
            key = next(iter(self._entries))
            if self._bytes <= self._limit and self._entries[key].read_at >= oldest:
                return
            self._drop(key)

    def listening(self) -> bool:
        """Whether purges are heard; starts the listener in a process that has none yet."""
        if self._pid != os.getpid() and self._limit:
            self._start()
        return self.subscribed

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """What the shelf holds now."""
        return self._bytes

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
        lasting(self._listen, "near-purges")

    def _listen(self) -> None:
        closed = self._closed
        while not closed.is_set():
            try:
                with plain_connection(self._url) as connection:
                    self._hear(connection, closed)
            except redis.exceptions.RedisError:
                pass  # away, or refusing: one that can't save refuses even a ping
            finally:
                self._deaf()
            closed.wait(RECONNECT)

    def _hear(self, connection: redis.Redis, closed: threading.Event) -> None:
        with connection.pubsub() as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(PURGES_CHANNEL)
            heard_at = time.monotonic()
            while not closed.is_set() and time.monotonic() - heard_at < SILENCE:
                message = channel.get_message(timeout=LISTEN)
                if message is None:
                    channel.ping()
                    continue
                heard_at = time.monotonic()
                if message["type"] == "message":
                    self.counts.heard(orjson.loads(message["data"])["tags"])
                elif message["type"] == "subscribe":
                    self.counts.missed()
                    self.subscribed = True

    def _deaf(self) -> None:
        if self.subscribed:
            log.info("near shelf off: purges are not heard")
        self.subscribed = False
        self.counts.missed()


_shelves: weakref.WeakSet[Near] = weakref.WeakSet()


def _forget_in_child() -> None:
    """A fork copies what the parent holds, but not the listener that keeps it true."""
    for shelf in _shelves:
        shelf.start_afresh()


os.register_at_fork(after_in_child=_forget_in_child)
