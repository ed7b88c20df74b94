"""GitHub: each credential's budget, who spends it, which calls are slow or refused."""

from __future__ import annotations

from collections import defaultdict

from flask import Blueprint, Response

from webapp.reports import github as reports
from webapp.reports.github import GitHubReport
from webapp.services import Services
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

CONSUMERS_MAX = 15


def add(views: Blueprint, services: Services, _: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""

    @views.get("/github")
    def github() -> Response:
        """How much is left, when is it empty, who spends it?"""
        window = frame.window()
        report = reports.report(services, window)
        return frame.page(
            "github",
            "GitHub",
            window,
            verdicts=report.verdicts,
            budgets=report.budgets,
            lanes=report.lanes,
            consumers=list(report.totals.consumers.items())[:CONSUMERS_MAX],
            calls=_calls(report),
            refused=report.refused,
            paused=report.paused,
            slowest=report.slowest,
        )


def _calls(report: GitHubReport) -> list[dict[str, object]]:
    """By resource: how many, by kind of status, and how long."""
    counted: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (resource, status, _), number in report.calls.items():
        kind = "failed" if status == "0" else f"{status[:1]}xx" if status != "304" else "304"
        counted[resource][kind] = counted[resource].get(kind, 0) + number
    rows = []
    for resource, kinds in counted.items():
        times = report.latency.get(resource)
        rows.append(
            {
                "resource": resource,
                "calls": sum(kinds.values()),
                "kinds": kinds,
                "p50": times.quantile(0.5) if times else None,
                "p95": times.quantile(0.95) if times else None,
                "spent_seconds": times.sum / 1e6 if times else 0.0,
            }
        )
    return sorted(rows, key=lambda each: -float(str(each["spent_seconds"])))
