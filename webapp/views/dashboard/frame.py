"""What every page has: navigation, period, theme, what was just done, and its live part.

    GET /page?period=6h          the whole page; works without JavaScript
    GET /page?period=6h&live=1   its live part alone, with an ETag: 304 while nothing changed

The live part is a partial, `_<name>.html`, whose top elements have ids; the page includes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Response, redirect, render_template, request, url_for

from webapp.errors import RequestRefused
from webapp.reports.periods import DEFAULT, PERIODS, Window, window
from webapp.views.guard import Guard

THEMES = ("light", "dark")
THEME_COOKIE = "theme"
LIVE = "live"


@dataclass(frozen=True, slots=True)
class Page:
    """An entry of the navigation."""

    name: str
    endpoint: str


PAGES = (
    Page("Overview", "dashboard.overview"),
    Page("Requests", "dashboard.requests"),
    Page("Cache", "dashboard.cache"),
    Page("GitHub", "dashboard.github"),
    Page("Jobs", "dashboard.jobs"),
    Page("Warming", "dashboard.warming"),
    Page("Webhooks", "dashboard.webhooks"),
    Page("Database", "dashboard.database"),
    Page("Traces", "dashboard.traces"),
    Page("Alerts", "dashboard.alerts"),
    Page("Repositories", "dashboard.repos"),
    Page("Connect", "dashboard.connect"),
)
"""In the order of the navigation."""

SAID: Mapping[str, tuple[str, str]] = {
    "purged": ("ok", "Purged. The next read asks GitHub."),
    "purge-nothing": ("warn", "Nothing purged: name a tag or a path."),
    "refused": ("fail", "Nothing done: that can’t be."),
    "jobs-none": ("warn", "Nothing done: tick a job first."),
    "jobs-gone": ("warn", "Nothing done: they were gone already."),
    "jobs-retried": ("ok", "Back in their queue, with all their tries."),
    "jobs-deleted": ("ok", "Deleted."),
    "watch-added": ("ok", "Watched. A worker begins within a minute."),
    "watch-removed": ("ok", "Watched no longer; what is stored stays until its time is over."),
    "watch-name": ("fail", "Not done: a name is an owner, or owner/repository."),
    "watch-env": ("fail", "Not removed: the setting WATCH names it. Take it out there."),
    "watch-none": ("warn", "Nothing done: it wasn’t watched."),
    "run-begun": ("ok", "A run is begun."),
    "run-pause": ("ok", "Paused: it stops before its next answer."),
    "run-resume": ("ok", "Resumed where it was."),
    "run-cancel": ("ok", "Cancelled: it ends before its next answer."),
    "run-state": ("warn", "Nothing done: the run is no longer in that state."),
    "silenced": ("ok", "Silenced: receivers aren’t told of it until then."),
    "silence-ended": ("ok", "The silence is over."),
    "silence-refused": ("fail", "Nothing done: a silence lasts more than 0 and at most 720 hours."),
    "test-sent": ("ok", "Sent: every receiver took the test."),
    "test-failed": ("fail", "A receiver didn’t take the test; the log says which, and why."),
    "test-nobody": ("warn", "Nothing sent: no receiver is set."),
    "postgres-away": ("fail", "Nothing done: PostgreSQL can’t be reached."),
    "delivery-replayed": ("ok", "Replayed: what it purged is purged again."),
    "delivery-unknown": ("fail", "Nothing done: no such delivery is known."),
    "purge-unknown": ("fail", "Nothing purged: that is no tag, and no path with a tag of its own."),
}
"""What a form's answer says after its redirect (`?said=`): state and text, never free text."""


class Frame:
    """Renders pages."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def window(self) -> Window:
        """The period asked for. Raises RequestRefused for one there isn't."""
        name = request.args.get("period", DEFAULT)
        if name not in PERIODS:
            raise RequestRefused(400, f"period: one of {', '.join(PERIODS)}")
        return window(name, datetime.now(UTC))

    def page(self, name: str, title: str, window: Window | None = None, **what: object) -> Response:
        """`<name>.html`, or its live part alone where that is asked for."""
        what |= {"csrf_token": self._guard.csrf_token(), "window": window}
        if request.args.get(LIVE):
            return _live(render_template(f"_{name}.html", **what), str(what["csrf_token"]))
        theme = request.cookies.get(THEME_COOKIE)
        page = render_template(
            f"{name}.html",
            title=title,
            now=window.now if window else datetime.now(UTC),
            theme=theme if theme in THEMES else None,
            pages=[
                {
                    "name": each.name,
                    "url": url_for(each.endpoint) + _kept(window),
                    "here": request.endpoint == each.endpoint,
                }
                for each in PAGES
            ],
            period=window.name if window else None,
            periods=[{"name": each, "url": _here(period=each)} for each in PERIODS],
            live_url=_here(live="1") if window else "",
            live_part=f"_{name}.html",
            said=_said(),
            **what,
        )
        response = Response(page)
        response.headers["Cache-Control"] = "no-store"
        return response

    def back(self, endpoint: str, said: str, **where: str) -> Response:
        """After a form: to the page, which tells what was done (SAID)."""
        assert said in SAID
        response = redirect(url_for(endpoint, said=said, **where), 303)  # type: ignore[arg-type]
        assert isinstance(response, Response)
        return response


def _live(html: str, csrf_token: str) -> Response:
    response = Response(html)
    # Its forms' token is another each second, and every one of them is as good.
    digest = hashlib.sha256(html.replace(csrf_token, "").encode()).hexdigest()
    response.set_etag(digest[:24], weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response


def _kept(window: Window | None) -> str:
    return f"?period={window.name}" if window and window.name != DEFAULT else ""


def _here(**changed: str) -> str:
    """This page's address, its filters kept."""
    kept = {name: value for name, value in request.args.items() if name not in {LIVE, "said"}}
    return f"{request.path}?{urlencode(kept | changed)}"


def _said() -> dict[str, str] | None:
    said = SAID.get(request.args.get("said", ""))
    return {"state": said[0], "text": said[1]} if said else None
