"""GitHub: what is left of each credential's budget, who spends it, and how GitHub answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from webapp.errors import CredentialRefused, GitHubUnavailable
from webapp.github.allowance import RESOURCES
from webapp.github.ledger.points import Tally, Totals
from webapp.github.limits import Lane
from webapp.reports import wording
from webapp.reports.figures import Packed, kept, packed, unpacked
from webapp.reports.periods import Window
from webapp.reports.upstream_paths import UpstreamPath, slowest_paths
from webapp.reports.verdicts import Bounds, State, Verdict, worst
from webapp.services import Services
from webapp.telemetry.gauges import CREDENTIALS_MAX
from webapp.telemetry.histogram import Histogram

LEFT = Bounds(warn=0.2, fail=0.05, low=True)  # share of the hour
FAILING = Bounds(warn=0.02, fail=0.2, samples=10)  # share of calls without an answer
LIMITED = frozenset({"403", "429"})


@dataclass(frozen=True, slots=True)
class Budget:
    """One credential's hour of one resource; `empty` is when it will be spent, before `reset`."""

    credential: str
    resource: str
    remaining: int
    limit: int
    reset: datetime
    empty: datetime | None

    @property
    def share(self) -> float:
        """Of the hour that is left."""
        return self.remaining / self.limit if self.limit else 1.0

    @property
    def state(self) -> State:
        """By what is left; spent before its reset is worth a look."""
        state = LEFT.state(self.share)
        return "warn" if state == "ok" and self.empty is not None else state

    def as_json(self) -> dict[str, object]:
        """Moments in ISO 8601."""
        return {
            "credential": self.credential,
            "resource": self.resource,
            "remaining": self.remaining,
            "limit": self.limit,
            "reset": self.reset.isoformat(),
            "empty": self.empty.isoformat() if self.empty else None,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class GitHubReport:
    """The page's and its twin's content. `calls` by (resource, status, lane); `paused` are
    credentials that a secondary limit keeps from calling, until when."""

    window: Window
    budgets: list[Budget]
    totals: Totals
    before: Totals
    calls: Mapping[tuple[str, str, str], int]
    latency: Mapping[str, Histogram]
    paused: Mapping[str, datetime]
    slowest: Sequence[UpstreamPath]

    @property
    def refused(self) -> dict[str, dict[str, int]]:
        """Calls that GitHub answered with 403 or 429, by resource; mostly limits, not only."""
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (resource, status, _), number in sorted(self.calls.items()):
            if status in LIMITED:
                found[resource][status] = found[resource].get(status, 0) + number
        return dict(found)

    @property
    def verdicts(self) -> list[Verdict]:
        """Budget, GitHub's answers."""
        return [
            budget(self.budgets, self.totals.all.spent, self.before.all.spent),
            answers(self.calls),
        ]

    @property
    def lanes(self) -> dict[str, Tally]:
        """Points by lane, the most urgent first."""
        return {
            lane.value: sum(
                (tally for (_, each), tally in self.totals.lanes.items() if each == lane), Tally()
            )
            for lane in Lane
        }

    def as_json(self) -> dict[str, object]:
        """Section 12's shape."""
        return {
            "as_of": self.window.now.isoformat(),
            "period": self.window.name,
            "verdicts": [each.as_json() for each in self.verdicts],
            "budgets": [each.as_json() for each in self.budgets],
            "points": {
                "spent": self.totals.all.spent,
                "saved": self.totals.all.saved,
                "lanes": _tallies(self.lanes),
                "consumers": _tallies(self.totals.consumers),
                "credentials": _tallies(self.totals.credentials),
            },
            "calls": [
                {"resource": resource, "status": status, "lane": lane, "count": number}
                for (resource, status, lane), number in sorted(self.calls.items())
            ],
            "latency": {
                resource: {
                    "count": each.count,
                    "p50": each.quantile(0.5),
                    "p95": each.quantile(0.95),
                }
                for resource, each in self.latency.items()
            },
            "refused": self.refused,
            "paused": {name: until.isoformat() for name, until in self.paused.items()},
            "slowest": [each.as_json() for each in self.slowest],
        }


def report(services: Services, window: Window) -> GitHubReport:
    """Raises StoreUnavailable, DatabaseUnavailable."""
    metrics, points = services.metrics, services.points
    since, until = window.since.timestamp(), window.now.timestamp()
    earlier = window.before()

    def counted() -> list[tuple[str, str, str, int]]:
        by = ("resource", "status", "lane")
        totals = metrics.totals("upstream_requests_total", since=since, until=until, by=by)
        return [(a, b, c, each.count) for (a, b, c), each in totals.items()]

    def timed() -> list[tuple[str, Packed]]:
        name, by = "upstream_request_duration_seconds", ("resource",)
        totals = metrics.totals(name, since=since, until=until, by=by)
        return [(each, packed(held.histogram or Histogram())) for (each,), held in totals.items()]

    calls = kept(services, "calls", window, counted)
    latency = kept(services, "calls-latency", window, timed)
    return GitHubReport(
        window=window,
        budgets=budgets(services, window.now),
        totals=points.totals(since, until),
        before=points.totals(earlier.since.timestamp(), earlier.now.timestamp()),
        calls={(resource, status, lane): n for resource, status, lane, n in calls},
        latency={name: unpacked(each) for name, each in latency},
        paused=pauses(services, window.now),
        slowest=slowest_paths(services, window),
    )


def pauses(services: Services, now: datetime) -> dict[str, datetime]:
    """Our own credentials that a secondary limit pauses now, and until when."""
    found = {}
    for credential in _ours(services):
        until = services.budget.paused_until(credential)
        if until > now.timestamp():
            found[credential] = datetime.fromtimestamp(until, UTC)
    return found


def _ours(services: Services) -> Sequence[str]:
    try:
        return services.credentials.ids()[:CREDENTIALS_MAX]
    except (CredentialRefused, GitHubUnavailable):
        return ()


def budgets(services: Services, now: datetime) -> list[Budget]:
    """Of our own credentials, the nearest to its end first; what GitHub hasn't told is left out.

    Without Redis as this process knows them.
    """
    found = []
    for credential in _ours(services):
        for resource in RESOURCES:
            limits = services.budget.limits(credential, resource)
            if not limits.limit or limits.reset <= now.timestamp():
                continue  # not ours to use, or not told since its last reset
            empty = services.budget.forecast(credential, resource)
            found.append(
                Budget(
                    credential=credential,
                    resource=resource,
                    remaining=limits.remaining,
                    limit=limits.limit,
                    reset=datetime.fromtimestamp(limits.reset, UTC),
                    empty=None if empty is None else datetime.fromtimestamp(empty, UTC),
                )
            )
    return sorted(found, key=lambda each: (each.share, each.credential, each.resource))


def budget(held: list[Budget], spent: int, before: int) -> Verdict:
    """The worst of all credentials'; points spent in the period and in the one before."""
    if not held:
        return Verdict(
            "GitHub budget",
            "unknown",
            "GitHub hasn’t told its limits yet.",
            page="dashboard.github",
        )
    least = held[0]
    when = f"; empty at {least.empty:%H:%M}" if least.empty else ""
    state = worst([Verdict("", each.state, "") for each in held])
    return Verdict(
        "GitHub budget",
        state,
        f"{wording.count(least.remaining)} of {wording.count(least.limit)} points left"
        f" ({least.resource}){when}; reset {least.reset:%H:%M} UTC.",
        "See who spends it." if state in {"warn", "fail"} else "",
        wording.change(spent, before),
        page="dashboard.github",
    )


def answers(calls: Mapping[tuple[str, str, str], int]) -> Verdict:
    """Calls that brought nothing: no connection, 5xx, a limit."""
    whole = sum(calls.values())
    failed = sum(n for (_, status, _), n in calls.items() if status == "0" or status >= "500")
    limited = sum(n for (_, status, _), n in calls.items() if status in LIMITED)
    state = FAILING.state(failed / whole if whole else None, whole)
    if not whole:
        return Verdict("GitHub", "unknown", "GitHub wasn’t asked.", page="dashboard.github")
    return Verdict(
        "GitHub",
        state,
        f"{wording.count(whole)} calls, {wording.count(failed)} without an answer,"
        f" {wording.count(limited)} refused by 403 or 429.",
        "See githubstatus.com; known answers go on being served." if state == "fail" else "",
        page="dashboard.github",
    )


def _tallies(tallies: Mapping[str, Tally]) -> dict[str, dict[str, int]]:
    return {name: {"spent": each.spent, "saved": each.saved} for name, each in tallies.items()}
