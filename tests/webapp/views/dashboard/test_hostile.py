"""Markup, right-to-left text, emoji and 10 kB strings in whatever strangers name: shown as text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from uuid import UUID

import pytest
from dramatiq import Message

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp import delivering
from tests.webapp.lasting import lasting_applications
from webapp import signals
from webapp.db import deliveries, traces
from webapp.db.deliveries import Delivery
from webapp.db.traces import DetailedTransaction
from webapp.jobs import NAMESPACE

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='alert(3)"
HOSTILE = f"{MARKUP}\u202e\u0627\u0644\u0639\u0631\U0001f642{{{{ 7*7 }}}}" + "x" * 10_000
TRACE = UUID(int=7)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def forewarm(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Forewarm]:
    """Each stranger's text is hostile."""
    with lasting_applications(valkey, postgres, standin, "hostile") as applications:
        forewarm = applications(GITHUB_WEBHOOK_SECRET=delivering.SECRET)
        standin.change_repo("pallets/flask", description=HOSTILE)
        forewarm.get("/repos/pallets/flask")
        forewarm.services.harvest.flush()
        forewarm.request("GET", "/api/v3/repos/psf/requests", User_Agent=MARKUP + "y" * 9_000)
        fill(forewarm)
        forewarm.services.recorder.flush()
        forewarm.services.points.flush()
        yield forewarm


def fill(forewarm: Forewarm) -> None:
    """What no honest client could bring about, written where it would come to lie."""
    services = forewarm.services
    signals.query_ran.send(None, query=HOSTILE, seconds=0.1)
    signals.job_ran.send(
        *(None,), queue="upkeep", actor=HOSTILE, result="done", seconds=0.5, attempt=1
    )
    letter: Message[object] = Message(
        queue_name="upkeep",
        actor_name=HOSTILE,
        args=(HOSTILE,),
        kwargs={},
        options={"redis_message_id": "one", "retries": 4, "error": HOSTILE},
        message_id="job-one",
    )
    with services.jobs.reached() as client:
        client.flushdb()
        client.hset(f"{NAMESPACE}:upkeep.XQ.msgs", "one", letter.encode())
        client.zadd(f"{NAMESPACE}:upkeep.XQ", {"one": time.time() * 1000})
    span = ["a", None, 1.0, 5.0, HOSTILE, HOSTILE, True, 1, {"url": f"{HOSTILE}", HOSTILE: HOSTILE}]
    url = f"{services.settings.github_api_url}/{MARKUP}"
    call = ["b", None, 1.0, 5.0, "GET", "external.http", False, 1, {"url": url}]
    error = {"type": HOSTILE, "message": HOSTILE, "culprit": HOSTILE}
    held = DetailedTransaction(
        began=NOW,
        trace_id=TRACE,
        transaction_id="c" * 16,
        parent_id=None,
        kind="request",
        name=HOSTILE[:2_000],
        resource=HOSTILE,
        outcome=HOSTILE,
        result=HOSTILE,
        ms=5_000.0,
        failed=True,
        kept="failed",
        detail={"url": HOSTILE, "errors": [error], "labels": {}, "spans": [span, call]},
    )
    row = Delivery(
        delivery="a-guid",
        event=HOSTILE,
        action=HOSTILE,
        owner="pallets",
        repo="flask",
        hard_tags=[HOSTILE],
        soft_tags=[HOSTILE],
        list_tags=[HOSTILE],
        received_at=NOW,
    )
    with services.database.connection() as conn:
        traces.traces_room(conn, moment=NOW)
        traces.trace_add(conn, [held])
        traces.trace_detail_add(conn, [held])
        deliveries.delivery_note(conn, row)
        # As long as an index takes one.
        conn.execute("update webhook_deliveries set event = left(event, 10000)")
        conn.execute(
            "insert into warming_runs (names, source, state, last_error)"
            " values (array[%(text)s], 'api', 'failed', %(text)s)",
            {"text": HOSTILE},
        )
        conn.execute(
            "insert into alerts values ('github_budget', 'critical', %(text)s, 'firing', now(),"
            " 3.5, now(), null, null, 1)",
            {"text": MARKUP},
        )
        conn.execute(
            "insert into alert_changes (at, rule, severity, subject, was, became, value)"
            " values (now(), 'github_budget', 'critical', %(text)s, 'pending', 'firing', 3.5)",
            {"text": HOSTILE},
        )
    services.alerting.silence(None, HOSTILE, HOSTILE, HOSTILE, NOW - NOW.replace(hour=0))


PATHS = (
    *("/", "/requests", "/cache", "/github", "/jobs", "/warming", "/webhooks", "/database"),
    *("/traces", f"/traces/{TRACE.hex}", "/alerts", "/repos", "/repos/pallets/flask"),
    f"/cache?path=/{MARKUP}",
    f"/database?query={MARKUP}",
    f"/repos?q={MARKUP}&cursor={MARKUP}&sort={MARKUP}",
    f"/traces?route={MARKUP}&outcome={MARKUP}&trace_id={MARKUP}",
)
TOLD = {
    *("/github", "/jobs", "/warming", "/webhooks", "/database", "/traces", "/alerts", "/repos"),
    *("/repos/pallets/flask", f"/traces/{TRACE.hex}"),
}
"""Pages that show what strangers name, so that their test can fail."""


class _Parsed(HTMLParser):
    """Every element that a browser would make, and every attribute that would run."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str | None] = []
        self.running: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if tag == "script":
            self.scripts.append(held.get("src"))
        if tag in {"img", "iframe", "object"} and not str(held.get("src", "")).startswith(
            "/static"
        ):
            self.running.append(tag)
        self.running += [name for name in held if name.startswith("on") or name == "style"]
        for name in ("href", "action", "src"):
            if str(held.get(name) or "").lower().lstrip().startswith(("javascript:", "data:")):
                self.running.append(name)


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_hostile_text_is_text(forewarm: Forewarm, path: str) -> None:
    response = forewarm.request("GET", path, Accept="text/html")
    page = response.get_data(as_text=True)
    assert response.status_code == 200
    parsed = _Parsed()
    parsed.feed(page)
    assert [each for each in parsed.scripts if each != "/static/js/live.js"] == []
    assert parsed.running == []
    assert len(page.encode()) <= 150_000
    if path in TOLD:
        assert "&lt;script&gt;alert(1)" in page
