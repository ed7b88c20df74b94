"""WSGI middleware before Flask: a fresh hit, and nothing else.

    GET or HEAD below /api/v3, Host ours, no directive but no-cache
      └ caller -> key -> near, else Redis: fresh -> answered here
    everything else -> the application; one hit in HIT_SAMPLE too, so that traces see hits

It gives the answers that the application gives (cache/reply.py makes both), refuses nothing and
logs nothing: what isn't plainly a hit falls through. A hit is noted in `hits` and in `demand`,
which are emptied off the request's path.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING

from webapp import policy
from webapp.cache.entry import Entry, State
from webapp.cache.keys import canonical_target, scoped_key, target_digest
from webapp.cache.near import EVERYBODY, Near, NearEntry
from webapp.cache.reply import (
    BODYLESS,
    Headers,
    accepts_gzip,
    cache_groups,
    cache_status_hit,
    fixed_headers,
    moving_headers,
    not_modified,
)
from webapp.cache.store import Store
from webapp.callers import Callers
from webapp.demand import asked_text
from webapp.errors import RequestRefused, StoreUnavailable
from webapp.github.allowance import Allowances
from webapp.hosts import Hosts
from webapp.outcome import Outcome

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/api/v3"
READS = frozenset({"GET", "HEAD"})
_HIT, _NEGATIVE = Outcome.HIT.value, Outcome.NEGATIVE.value
SAMPLED_MOST = 20
"""Traced hits a second and process: Flask and the agent take a millisecond for each, and at tens of
thousands of hits a second one in a hundred would be a quarter of all work."""
REMEMBERED_MAX = 512  # characters of a path and query whose key is remembered

Hit = tuple[str, str, str, str, str, float]
"""resource, outcome, path, kind of scope, shelf, seconds"""
Tally = dict[tuple[str, str, str, str, str], list[float]]
"""Hits by all but their seconds."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """All that a request's target says, whoever asks."""

    digest: str
    match: policy.Match
    path: str
    groups: str
    owner: str
    refused_to_service: bool
    refused_to_public: bool
    asked: str


class HitPath:
    """One per process."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        store: Store,
        near: Near,
        callers: Callers,
        hosts: Hosts,
        allowances: Allowances,
        hits: deque[Hit] | None,
        demand: deque[str],
        sample: int,
        honour_no_cache: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`hits` None records nothing but demand; `sample` 0 lets no hit fall through."""
        self._app = app
        self._store = store
        self._near = near
        self._callers = callers
        self._hosts = hosts
        self._allowances = allowances
        self._hits = hits
        self._demand = demand
        self._sample = sample
        self._ignored = frozenset({""} if honour_no_cache else {"", "no-cache"})
        self._clock = clock
        self._turn = count(1)
        self._second, self._taken = 0, 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        answer = self._answer(environ, start_response, began)
        return self._app(environ, start_response) if answer is None else answer

    def _answer(
        self, environ: WSGIEnvironment, start_response: StartResponse, began: float
    ) -> Iterable[bytes] | None:
        path: str = environ["PATH_INFO"]
        if not path.startswith(PREFIX) or environ["REQUEST_METHOD"] not in READS:
            return None
        host = environ.get("HTTP_HOST", "")
        if (
            environ.get("HTTP_CACHE_CONTROL", "") not in self._ignored
            or "HTTP_X_FORWARDED_HOST" in environ
            or not self._hosts.is_ours(host)
        ):
            return None
        lookup = _lookup(
            path[len(PREFIX) :] or "/",
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_ACCEPT", ""),
            environ.get("HTTP_X_GITHUB_API_VERSION", ""),
            self._hosts.base_url(environ["wsgi.url_scheme"], host) + PREFIX,
        )
        if lookup is None:
            return None
        try:
            scope = self._callers.identify(environ.get("HTTP_AUTHORIZATION", "")).scope
        except RequestRefused:
            return None
        if scope.kind != "token" and (
            lookup.refused_to_service if scope.kind == "service" else lookup.refused_to_public
        ):
            return None
        key = scoped_key(scope, lookup.digest)
        shelf = "near"
        found = self._near.get(key)
        if found is None:
            shelf, found = "redis", self._from_redis(key, lookup)
        now = self._clock()
        if found is None or now >= found.entry.fresh_until:
            return None
        if self._sample and next(self._turn) % self._sample == 0 and self._sampled(began):
            return None
        headers = self._moving(found.entry, shelf, now) + self._allowances.headers(scope.name)
        body = self._reply(found, environ, start_response, headers)
        if scope.kind == "service" and not found.entry.negative:
            self._demand.append(lookup.asked)
        if self._hits is not None:
            outcome = _NEGATIVE if found.entry.negative else _HIT
            seconds = time.perf_counter() - began
            resource = lookup.match.resource.name
            self._hits.append((resource, outcome, lookup.path, scope.kind, shelf, seconds))
        return body

    def _sampled(self, began: float) -> bool:
        """Whether this second has room for another traced hit; threads may let one too many in."""
        second = int(began)
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= SAMPLED_MOST

    def _from_redis(self, key: str, lookup: Lookup) -> NearEntry | None:
        # Before the read: a purge heard meanwhile voids what is inserted (near.py).
        read_at, counted = time.monotonic(), self._near.counts.of(lookup.owner)
        try:
            read = self._store.read(key, lookup.match.tags)
        except StoreUnavailable:
            return None
        entry = read.entry
        if entry is None or entry.state(read.versions, self._clock()) is not State.FRESH:
            return None
        found = NearEntry(
            entry, fixed_headers(entry, lookup.groups), read_at, counted, lookup.owner
        )
        self._near.put(key, found)
        return found

    def _moving(self, entry: Entry, shelf: str, now: float) -> Headers:
        outcome = Outcome.NEGATIVE if entry.negative else Outcome.HIT
        return moving_headers(entry, outcome, cache_status_hit(entry, shelf, now), now)

    def _reply(
        self,
        found: NearEntry,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        headers: Headers,
    ) -> Iterable[bytes]:
        entry = found.entry
        headers += found.headers
        if not_modified(
            entry,
            environ.get("HTTP_IF_NONE_MATCH", ""),
            environ.get("HTTP_IF_MODIFIED_SINCE", ""),
        ):
            # RFC 9110 section 15.4.5: the ETag says it all. Flask leaves it out by itself.
            start_response("304 Not Modified", [h for h in headers if h[0] != "Last-Modified"])
            return ()
        if entry.content_type:
            headers.append(("Content-Type", entry.content_type))
        if entry.gzipped and accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = entry.body
            headers.append(("Content-Encoding", "gzip"))
        else:
            body = found.identity()
        if entry.status not in BODYLESS:
            headers.append(("Content-Length", str(len(body))))
        start_response(_status_line(entry), headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)


def _status_line(entry: Entry) -> str:
    return "200 OK" if entry.status == 200 else _other_status_line(entry.status)


@lru_cache(maxsize=16)
def _other_status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _lookup(path: str, query: str, accept: str, version: str, base_url: str) -> Lookup | None:
    """What the table says of a target; None where the application must refuse it."""
    short = len(path) + len(query) <= REMEMBERED_MAX
    return (_remembered if short else _looked_up)(path, query, accept, version, base_url)


def _looked_up(path: str, query: str, accept: str, version: str, base_url: str) -> Lookup | None:
    try:
        target = canonical_target(path, query, accept, version)
    except RequestRefused:
        return None
    match = policy.match(target.path)
    return Lookup(
        digest=target_digest(target, base_url),
        match=match,
        path=target.path,
        groups=cache_groups(match.tags),
        owner=match.owner.lower() if match.owner else EVERYBODY,
        refused_to_service=policy.refused(target.path, service=True),
        refused_to_public=policy.refused(target.path, service=False),
        asked=asked_text(target, base_url),
    )


_remembered = lru_cache(maxsize=4_096)(_looked_up)
