"""Repositories: search the catalog; one repository's history, entries and what would purge it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from flask import Blueprint, Response, request
from pydantic import ValidationError

from webapp.cache.keys import SERVICE
from webapp.catalog.listing import Wanted
from webapp.errors import DatabaseUnavailable, GitHubUnavailable, RequestRefused
from webapp.github.asker import Asker
from webapp.hitpath import PREFIX
from webapp.policy import RESOURCES
from webapp.reports import repository as repository_report
from webapp.reports import wording
from webapp.reports.periods import Window
from webapp.services import Services
from webapp.views.api.catalog_models import RepositoryPath, ReposQuery
from webapp.views.api.operators import EntriesQuery, asked_entry
from webapp.views.charts import Chart, Series, chart
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

FLAGS = {"": "any", "true": "only", "false": "none"}
SORTS = ("stars", "pushed", "updated", "name")
HISTORY_DAYS = 90
# The paths whose entries a repository's page tells of.
PATHS = tuple(
    path.removesuffix("/**")
    for row in RESOURCES
    if row.name in {"repo", "repo_part"}
    for path in row.paths
)


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put these pages on the dashboard."""

    @views.get("/repos")
    def repos() -> Response:
        """Find a repository."""
        asked = {name: value for name, value in request.args.items() if value and name != "live"}
        found: dict[str, Any] = {"items": [], "next": None}
        problem = ""
        try:
            query = ReposQuery.model_validate(asked)
            wanted = Wanted(**query.model_dump(exclude={"limit", "cursor"}))
            listing = services.catalog.listing
            found = orjson.loads(listing.repositories(wanted, query.limit, query.cursor))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            problem = f"{first['loc'][0]}: {first['msg']}"
        except RequestRefused as error:
            problem = error.message
        except DatabaseUnavailable:
            problem = "PostgreSQL can’t be reached, so nothing can be found. Serving is unaffected."
        return frame.page(
            "repos",
            "Repositories",
            asked=asked,
            problem=problem,
            items=found["items"],
            following=found["next"],
            flags=FLAGS,
            sorts=SORTS,
        )

    @views.get("/repos/<owner>/<name>")
    def repository(owner: str, name: str) -> Response:
        """One repository: as last seen, over time, and as the shelves hold it."""
        try:
            path = RepositoryPath(owner=owner, name=name)
        except ValidationError:
            raise RequestRefused(404, "That is no repository’s name.") from None
        asker = Asker(SERVICE, consumer=guard.who())
        full_name = f"{path.owner}/{path.name}"
        try:
            item = services.catalog.lookup.one(full_name, asker, guard.base_url() + PREFIX)
        except GitHubUnavailable:
            raise RequestRefused(502, "Not in the catalog, and GitHub can’t be reached.") from None
        if item is None:
            raise RequestRefused(404, "Neither the catalog nor GitHub knows this repository.")
        return frame.page(
            "repository",
            item["full_name"],
            item=item,
            charts=_charts(item["history"]),
            entries=_entries(services, guard, item["full_name"]),
            changes=repository_report.changes(services, item["full_name"], datetime.now(UTC)),
        )


def _charts(history: list[dict[str, Any]]) -> list[Chart]:
    """A point a day, of the last HISTORY_DAYS; a day without a row is a gap."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = today + timedelta(days=1)
    since = until - timedelta(days=HISTORY_DAYS)
    window = Window("90d", until, since, until, timedelta(days=1))
    days = {str(each["day"]): each for each in history}
    dates = [f"{since + timedelta(days=day):%Y-%m-%d}" for day in range(HISTORY_DAYS)]
    return [
        chart(
            field.replace("_", "-"),
            title,
            [Series(title.lower(), [days.get(day, {}).get(field) for day in dates], tone)],
            window,
            form=wording.count,
        )
        for field, title, tone in (
            ("stars", "Stars", "tone-1"),
            ("forks", "Forks", "tone-1"),
            ("open_issues", "Open issues", "tone-1"),
        )
    ]


def _entries(services: Services, guard: Guard, full_name: str) -> list[dict[str, Any]]:
    owner, _, repo = full_name.lower().partition("/")
    paths = [path.format(owner=owner, repo=repo) for path in PATHS]
    return [asked_entry(services, guard, EntriesQuery(path=path)) for path in paths]
