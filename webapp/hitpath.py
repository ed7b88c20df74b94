"""WSGI middleware before Flask: a fresh hit, and nothing else.

    GET or HEAD below /api/v3, Host (and X-Forwarded-Host) ours, no directive but no-cache
      └ caller -> key -> near, else Redis: fresh -> answered here
    everything else -> the application; one hit in HIT_SAMPLE too, so that traces see hits

It gives the answers that the application gives (cache/reply.py makes both), refuses nothing and
logs nothing: what isn't plainly a hit falls through. A hit is noted in `hits` and in `demand`,
which are emptied off the request's path.
"""

from __future__ import annotations

import threading
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
from webapp.cache.keys import Scope, canonical_target, scoped_key, target_digest
from webapp.cache.near import EVERYBODY, Finished, Label, Near, NearEntry
from webapp.cache.reply import (
    Headers,
    cache_groups,
    cache_status_hit,
    coded_body,
    fixed_headers,
    moving_headers,
    not_modified,
    unmoved_until,
)
from webapp.cache.store import Store
from webapp.cache.unpacked import Unpacked
from webapp.callers import Callers
from webapp.demand import asked_text
from webapp.errors import RequestRefused, StoreUnavailable
from webapp.github.allowance import Allowances
from webapp.hosts import Hosts
from webapp.outcome import Outcome
from webapp.resting import Last, Resting

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/api/v3"
READS = frozenset({"GET", "HEAD"})
SAMPLED_MOST = 20
"""Traced hits a second and process: Flask and the agent take a millisecond for each, and at tens of
thousands of hits a second one in a hundred would be a quarter of all work."""
REMEMBERED = 4_096
REMEMBERED_MAX = 1_024  # characters of all that is remembered of a request
CODINGS = 8  # ways to ask for a coding that an entry is finished for, in its second
_BODY_HEADERS = frozenset({"Content-Type", "Content-Encoding", "Content-Length"})
# RFC 9110 section 15.4.5: the ETag says it all. Flask leaves the date out by itself.
_NOT_IN_304 = _BODY_HEADERS | {"Last-Modified"}

Hit = tuple[Label, float]
"""What it was, and its seconds."""
Tally = dict[Label, list[float]]
_Asked = tuple[str, str, str, str, str, str, str]
"""Path, query, Accept, API version, Host, X-Forwarded-Host, scheme."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """All that a request's target says, whoever asks; `refused` to these kinds of scope."""

    digest: str
    match: policy.Match
    path: str
    groups: str
    owner: str
    refused: frozenset[str]
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
        transport: Headers,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`hits` None records nothing but demand; `sample` 0 lets no hit fall through;
        `transport` is what every answer says of HTTPS."""
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
        self._transport = transport
        self._clock = clock
        self._unpacked = Unpacked()
        self._resting = Resting()
        self._lookups: dict[_Asked, Lookup] = {}
        self._remembering = threading.Lock()
        self._turn = count(1)
        self._second, self._taken = 0, 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        answer = self._answer(environ, start_response, began)
        if answer is None:
            self._resting.wanted()
            return self._app(environ, start_response)
        return answer

    def _answer(
        self, environ: WSGIEnvironment, start_response: StartResponse, began: float
    ) -> list[bytes] | None:
        path: str = environ["PATH_INFO"]
        asked = environ.get
        if (
            not path.startswith(PREFIX)
            or environ["REQUEST_METHOD"] not in READS
            or asked("HTTP_CACHE_CONTROL", "") not in self._ignored
        ):
            return None
        target = (
            *(path, asked("QUERY_STRING", ""), asked("HTTP_ACCEPT", "")),
            *(asked("HTTP_X_GITHUB_API_VERSION", ""), asked("HTTP_HOST", "")),
            *(asked("HTTP_X_FORWARDED_HOST", ""), environ["wsgi.url_scheme"]),
        )
        lookup = self._lookups.get(target) or self._look_up(target)
        if lookup is None:
            return None
        try:
            scope = self._callers.identify(asked("HTTP_AUTHORIZATION", "")).scope
        except RequestRefused:
            return None
        if scope.kind in lookup.refused:
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
        accepted = asked("HTTP_ACCEPT_ENCODING", "")
        finished = found.finished.get(accepted)
        if (
            finished is None
            or not finished.since <= now < finished.until
            or finished.allowance is not self._allowances.headers(scope.name)
        ):
            finished = self._finished(found, lookup, scope, accepted, shelf=shelf, now=now)
            if shelf == "near" and (accepted in found.finished or len(found.finished) < CODINGS):
                found.finished[accepted] = finished
        body = _sent(finished, found.entry, environ, start_response)
        if finished.asked:
            self._demand.append(finished.asked)
        if self._hits is not None:
            self._hits.append((finished.label, time.perf_counter() - began))
        if shelf == "near" and self._resting.served(began, environ):
            return Last(body, self._resting)
        return body

    def _sampled(self, began: float) -> bool:
        """Whether this second has room for another traced hit; threads may let one too many in."""
        second = int(began)
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= SAMPLED_MOST

    def _from_redis(self, key: str, lookup: Lookup) -> NearEntry | None:
        self._resting.wanted()
        # Before the read: a purge heard meanwhile voids what is inserted (near.py).
        read_at, counted = time.monotonic(), self._near.counts.of(lookup.owner)
        try:
            read = self._store.read(key, lookup.match.tags)
        except StoreUnavailable:
            return None
        entry = read.entry
        if entry is None or entry.state(read.versions, self._clock()) is not State.FRESH:
            return None
        headers = [*fixed_headers(entry, lookup.groups), *self._transport]
        found = NearEntry(entry, headers, read_at, counted, lookup.owner)
        self._near.put(key, found)
        return found

    def _finished(
        self,
        found: NearEntry,
        lookup: Lookup,
        scope: Scope,
        accepted: str,
        *,
        shelf: str,
        now: float,
    ) -> Finished:
        """An entry as it is answered in this second."""
        entry = found.entry
        allowance = self._allowances.headers(scope.name)
        outcome = Outcome.NEGATIVE if entry.negative else Outcome.HIT
        moving = moving_headers(entry, outcome, cache_status_hit(entry, shelf, now), now)
        body, coding = coded_body(entry, accepted, self._unpacked.body)
        return Finished(
            status=_status_line(entry.status),
            headers=[*moving, *allowance, *found.headers, *coding],
            body=body,
            label=(lookup.match.resource.name, outcome.value, lookup.path, scope.kind, shelf),
            asked=lookup.asked if scope.kind == "service" and not entry.negative else "",
            allowance=allowance,
            since=now,
            until=unmoved_until(entry, now),
        )

    def _look_up(self, asked: _Asked) -> Lookup | None:
        """What hosts and table say of a target; None where the application must decide."""
        path, query, accept, version, host, forwarded, scheme = asked
        if not self._hosts.is_ours(host):
            return None
        own = self._hosts.base_url(scheme, host)
        # As the guard judges it; the links of whoever has no PUBLIC_URL may follow it.
        if forwarded and not (
            self._hosts.is_ours(forwarded) and self._hosts.base_url(scheme, forwarded) == own
        ):
            return None
        base_url = own + PREFIX
        try:
            target = canonical_target(path[len(PREFIX) :] or "/", query, accept, version)
        except RequestRefused:
            return None
        match = policy.match(target.path)
        lookup = Lookup(
            digest=target_digest(target, base_url),
            match=match,
            path=target.path,
            groups=cache_groups(match.tags),
            owner=match.owner.lower() if match.owner else EVERYBODY,
            refused=frozenset(
                kind
                for kind in ("service", "public")
                if policy.refused(target.path, service=kind == "service")
            ),
            asked=asked_text(target, base_url),
        )
        if sum(map(len, asked)) <= REMEMBERED_MAX:
            with self._remembering:
                while len(self._lookups) >= REMEMBERED:
                    del self._lookups[next(iter(self._lookups))]
                self._lookups[asked] = lookup
        return lookup


def _sent(
    finished: Finished, entry: Entry, environ: WSGIEnvironment, start_response: StartResponse
) -> list[bytes]:
    if ("HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ) and not_modified(
        entry,
        environ.get("HTTP_IF_NONE_MATCH", ""),
        environ.get("HTTP_IF_MODIFIED_SINCE", ""),
    ):
        kept = [header for header in finished.headers if header[0] not in _NOT_IN_304]
        start_response("304 Not Modified", kept)
        return []
    start_response(finished.status, finished.headers.copy())
    # A list: granian sends it at once, what else can be iterated as a stream.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [finished.body]


@lru_cache(maxsize=16)
def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
