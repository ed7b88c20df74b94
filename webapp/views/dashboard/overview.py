"""The overview: a verdict a line, the figures behind them, and where to look further."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response

from webapp.hitpath import PREFIX
from webapp.reports import overview as overviews
from webapp.reports import wording
from webapp.reports.overview import Overview
from webapp.reports.reads import FAMILIES
from webapp.reports.releases import Releases, releases
from webapp.reports.verdicts import Verdict
from webapp.services import Services
from webapp.views.charts import Chart, spark
from webapp.views.dashboard.drawings import latency, outcomes
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""

    @views.get("/")
    def overview() -> Response:
        """Is it fast, is it fresh, what eats the budget, what is about to break?"""
        window = frame.window()
        report = overviews.report(services, window)
        return frame.page(
            "overview",
            "Overview",
            window,
            verdicts=_with_sparks(report),
            tiles=_tiles(report),
            charts=_charts(report, releases(services, window)),
            asked=report.reads is None or bool(report.reads.number()),
            base_url=guard.base_url() + PREFIX,
        )


def _charts(report: Overview, marks: Releases) -> list[Chart]:
    reads = report.reads
    if reads is None:
        return []
    return [outcomes(reads, marks), latency(reads, report.p95_before, marks)]


def _with_sparks(report: Overview) -> list[Verdict]:
    if report.reads is None:
        return report.verdicts
    reads = report.reads
    lines = {
        "Hit rate": spark(reads.hit_rates(), top=1),
        "Latency": spark(reads.quantiles(0.95)),
        "Errors": spark(reads.rates(FAMILIES["error"])),
        "Freshness": spark(reads.rates({"GRACE"})),
    }
    return [replace(each, spark=lines.get(each.name, "")) for each in report.verdicts]


def _tiles(report: Overview) -> list[dict[str, str]]:
    reads, before = report.reads, report.before
    if reads is None or before is None:
        return []
    spent, saved = report.points or (0, 0)
    return [
        {
            "name": "Answered from a shelf",
            "value": wording.share(reads.hit_rate()),
            "change": wording.points(reads.hit_rate(), before.hit_rate()),
        },
        {
            "name": "Requests",
            "value": wording.rate(reads.number() / reads.window.seconds),
            "change": wording.change(reads.number(), before.number()),
        },
        {
            "name": "Half within",
            "value": wording.duration(reads.quantile(0.5)),
            "change": wording.change(reads.quantile(0.5), before.quantile(0.5)),
        },
        {
            "name": "GitHub points spent",
            "value": wording.count(spent),
            "change": f"{wording.count(saved)} saved" if saved else "",
        },
    ]
