"""What began to run when: markers on the charts, as a slower hour often begins with one."""

from __future__ import annotations

from datetime import datetime

from webapp.db.metrics import metric_releases
from webapp.errors import DatabaseUnavailable
from webapp.reports.periods import Window
from webapp.services import Services

Releases = list[tuple[datetime, str]]
REVISION_SHOWN = 7


def releases(services: Services, window: Window) -> Releases:
    """Moments and versions, a short revision beside it where one is known. Never raises."""
    try:
        with services.database.connection() as conn:
            found = metric_releases(conn, window.since, window.until)
    except DatabaseUnavailable:
        return []
    return [
        (each.started_at, " ".join(filter(None, (each.version, each.revision[:REVISION_SHOWN]))))
        for each in found
    ]
