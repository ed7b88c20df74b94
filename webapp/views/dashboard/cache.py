"""Cache: outcomes by resource, shelves, purges; why a path is a miss; purge by hand."""

from __future__ import annotations

from flask import Blueprint, Response, request
from pydantic import ValidationError

from webapp.errors import RequestRefused
from webapp.outcome import Outcome
from webapp.policy import RESOURCES
from webapp.reports import cache as reports
from webapp.reports import wording
from webapp.reports.cache import CacheReport
from webapp.reports.releases import releases
from webapp.services import Services
from webapp.views.api.operators import EntriesQuery, PurgeBody, asked_entry, purge_named
from webapp.views.dashboard.drawings import hit_rate, outcomes
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""

    @views.get("/cache")
    def cache() -> Response:
        """What is answered without GitHub, and what isn't, and why."""
        window = frame.window()
        report = reports.report(services, window)
        marks = releases(services, window)
        path = request.args.get("path", "").strip()
        why, problem = _why(services, guard, path) if path else (None, "")
        return frame.page(
            "cache",
            "Cache",
            window,
            verdicts=report.verdicts,
            tiles=_tiles(report),
            charts=[hit_rate(report.reads, marks), outcomes(report.reads, marks)],
            outcomes=[each.value for each in Outcome],
            resources=[
                (row.name, [report.reads.numbers[row.name, each] for each in Outcome])
                for row in RESOURCES
            ],
            shelves=report.shelves,
            purges=sorted(report.purges.items(), key=lambda each: -each[1]),
            path=path,
            why=why,
            problem=problem,
        )

    @views.post("/cache/purge")
    def purge_by_hand() -> Response:
        """What a form names, softly or hard; a path stands for its row's tag."""
        named = request.form.get("what", "").split()
        try:
            body = PurgeBody(
                paths=[each for each in named if each.startswith("/")],
                tags=[each for each in named if not each.startswith("/")],
                hard=request.form.get("hard") == "on",
            )
            purge_named(services, guard, body)
        except (RequestRefused, ValidationError):
            return frame.back("dashboard.cache", "purge-unknown" if named else "purge-nothing")
        return frame.back("dashboard.cache", "purged")


def _why(services: Services, guard: Guard, path: str) -> tuple[dict[str, object] | None, str]:
    try:
        return asked_entry(services, guard, EntriesQuery(path=path)), ""
    except RequestRefused as error:
        return None, error.message
    except ValidationError:
        return None, "A GitHub path begins with a slash: /repos/pallets/flask"


def _tiles(report: CacheReport) -> list[dict[str, str]]:
    return [
        {
            "name": "Answered from a shelf",
            "value": wording.share(report.reads.hit_rate()),
            "change": wording.points(report.reads.hit_rate(), report.before.hit_rate()),
        },
        {
            "name": "Points saved",
            "value": wording.count(report.saved),
            "change": f"{wording.count(report.spent)} spent",
        },
        {
            "name": "Purges",
            "value": wording.count(report.purges.total()),
            "change": "",
        },
        {
            "name": "Redis in use",
            "value": wording.size(report.memory.used),
            "change": f"of {wording.size(report.memory.limit)}" if report.memory.limit else "",
        },
    ]
