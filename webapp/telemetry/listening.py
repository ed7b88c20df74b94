"""Signals become counts (measures.py). Nothing on a request's path knows of it.

A request of the mirror counts once, whoever answers it: hits as the hit path noted them, handed on
by the recorder; everything else, refusals and failures included, as Flask answered it. What Flask
answers outside the mirror has its route, method and URL rule, and never a path; pages, health
checks and /metrics are kept apart as our own.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import repeat
from operator import mul
from typing import Any

from flask import Flask, Response, g, request
from flask.signals import request_finished, request_started

from webapp import policy
from webapp.hitpath import Tally
from webapp.outcome import Outcome
from webapp.signals import (
    job_ran,
    purged,
    query_ran,
    served,
    upstream_called,
    webhook_received,
)
from webapp.telemetry.counts import Counts
from webapp.telemetry.histogram import MOST_US, Histogram
from webapp.telemetry.routes import mirror_route, mirrored, route

HITS = frozenset({Outcome.HIT.value, Outcome.NEGATIVE.value})
OUTCOMES = frozenset(each.value for each in Outcome)
RESOURCES = frozenset({*(row.name for row in policy.RESOURCES), "graphql"})
OWN = frozenset({"dashboard", "health", "metrics", "static"})
"""Blueprints and endpoints whose traffic is ours."""
ARCHIVE_QUERY = "archive_get"
ATTEMPTS_MAX = 9
FAILURES = frozenset({500, 502, 503})
"""Not 504, which a caller asks for by only-if-cached, nor limits: those are the budget's."""


class Listening:
    """One per process."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def start(self, app: Flask | None) -> None:
        """Listen; to an application's requests where there is one."""
        served.connect(self._served)
        upstream_called.connect(self._upstream_called)
        purged.connect(self._purged)
        job_ran.connect(self._job_ran)
        webhook_received.connect(self._webhook_received)
        query_ran.connect(self._query_ran)
        if app is not None:
            request_started.connect(self._request_started, sender=app)
            request_finished.connect(self._request_finished, sender=app)

    def stop(self) -> None:
        """Hear nothing more."""
        served.disconnect(self._served)
        upstream_called.disconnect(self._upstream_called)
        purged.disconnect(self._purged)
        job_ran.disconnect(self._job_ran)
        webhook_received.disconnect(self._webhook_received)
        query_ran.disconnect(self._query_ran)
        request_started.disconnect(self._request_started)
        request_finished.disconnect(self._request_finished)

    def hits(self, tally: Tally) -> None:
        """Count a flush's hits (see recorder.py), many at once: equal ones are one step."""
        histograms: dict[tuple[str, tuple[str, ...]], Histogram] = {}
        for (resource, outcome, path, _, shelf), times in tally.items():
            called = mirror_route("GET", policy.match(path).pattern)
            merged = [
                histograms.setdefault(series, Histogram())
                for series in (
                    ("request_duration_seconds", (resource, outcome)),
                    ("cache_read_duration_seconds", (shelf,)),
                    ("route_duration_seconds", (called, outcome)),
                )
            ]
            equal = Counter(map(int, map(mul, times, repeat(1e6))))
            own = Histogram()
            for us, number in equal.items():
                own.record_us(min(us, MOST_US), number)
            for each in merged:
                each.merge(own)
        for (name, values), histogram in histograms.items():
            self._counts.merge(name, values, histogram)

    def _served(self, _: object, **what: Any) -> None:
        if what["outcome"] == Outcome.STALE.value:  # as hits, it waits for nobody but its shelf
            self._counts.observe(
                "cache_read_duration_seconds", what["shelf"], seconds=what["seconds"]
            )

    def _request_started(self, _: Flask, **__: Any) -> None:
        g.forewarm_began = time.perf_counter()

    def _request_finished(self, _: Flask, response: Response, **__: Any) -> None:
        seconds = time.perf_counter() - g.forewarm_began
        method, rule = request.method, request.url_rule
        found = mirrored(request.path)
        if found is not None:
            outcome = response.headers.get("X-Cache", "")
            if outcome in HITS:
                return  # the recorder hands it on
            if outcome not in OUTCOMES:
                failed = response.status_code >= 400
                outcome = Outcome.ERROR.value if failed else Outcome.BYPASS.value
            resource, pattern = found
            self._counts.observe("request_duration_seconds", resource, outcome, seconds=seconds)
            if response.status_code in FAILURES:
                self._counts.add("request_failures_total", str(response.status_code))
            name, called = "route_duration_seconds", mirror_route(method, pattern)
        else:
            where = request.blueprint or request.endpoint or ""
            outcome = f"{response.status_code // 100}xx"
            name = "own_route_duration_seconds" if where in OWN else "route_duration_seconds"
            called = route(method, request.path, rule.rule if rule else None)
        self._counts.observe(name, called, outcome, seconds=seconds)

    def _upstream_called(self, _: object, **what: Any) -> None:
        resource, status = what["resource"], str(what["status"])
        self._counts.add("upstream_requests_total", resource, status, what["lane"])
        self._counts.observe("upstream_request_duration_seconds", resource, seconds=what["seconds"])

    def _purged(self, _: object, **what: Any) -> None:
        self._counts.add("purges_total", "hard" if what["hard"] else "soft", what["cause"])

    def _job_ran(self, _: object, **what: Any) -> None:
        actor = what["actor"]
        self._counts.add("jobs_total", what["queue"], actor, what["result"])
        attempt = min(ATTEMPTS_MAX, int(what["attempt"]))
        self._counts.add("job_attempts_total", actor, str(attempt))
        self._counts.observe("job_duration_seconds", actor, seconds=what["seconds"])

    def _webhook_received(self, _: object, **what: Any) -> None:
        event = what["event"]
        self._counts.add("webhooks_total", event, what["result"], what["reason"])
        if what["lag"] is not None:
            self._counts.observe("webhook_lag_seconds", event, seconds=what["lag"])

    def _query_ran(self, _: object, **what: Any) -> None:
        query, seconds = what["query"], what["seconds"]
        self._counts.observe("db_query_duration_seconds", query, seconds=seconds)
        if query == ARCHIVE_QUERY:
            self._counts.observe("cache_read_duration_seconds", "archive", seconds=seconds)
