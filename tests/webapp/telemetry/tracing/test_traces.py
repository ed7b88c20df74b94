"""Events into transactions, which are kept, how they are written, and a trace as a waterfall."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, Forewarm
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.landmarks import ALICE_PRIVATE
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ
from tests.workers.processes import wait_for
from webapp.cache.keys import SERVICE, canonical_target, token_scope
from webapp.db.pool import Database
from webapp.github.asker import Asker
from webapp.secret import Secret
from webapp.telemetry.tracing import assembly, traces
from webapp.telemetry.tracing.assembly import Assembly, Choice
from webapp.telemetry.tracing.events import presentable, shown_url
from webapp.telemetry.tracing.traces import TraceWriter
from webapp.telemetry.tracing.waterfall import drawn, waterfall

BEGAN = 1_772_890_200_000_000  # microseconds
ROUTE = "GET /api/v3/repos/{owner}/{repo}"
TRACE = UUID("0af7651916cd43dd8448eb211c80319c")


def event(id_: str = "1" * 16, **fields: Any) -> dict[str, Any]:
    """A transaction's."""
    return {
        "id": id_,
        "trace_id": TRACE.hex,
        "name": "GET repo",
        "type": "request",
        "result": "HTTP 2xx",
        "duration": 12.0,
        "timestamp": BEGAN,
        "outcome": "success",
        "context": {"tags": {"outcome": "MISS", "resource": "repo"}},
        **fields,
    }


def span(id_: str, of: str = "1" * 16, **fields: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "transaction_id": of,
        "trace_id": TRACE.hex,
        "parent_id": of,
        "name": "MGET",
        "type": "db",
        "subtype": "redis",
        "timestamp": BEGAN + 1_500,
        "duration": 0.25,
        "outcome": "success",
        **fields,
    }


# Assembled


def test_spans_and_errors_wait_for_their_transaction() -> None:
    taking = Assembly(Choice())
    assert taking.take("span", span("a" * 16)) is None
    assert taking.take("span", span("b" * 16, of="2" * 16)) is None
    raised = {"transaction_id": "1" * 16, "exception": {"type": "ValueError", "message": "no"}}
    assert taking.take("error", raised) is None
    taken = taking.take("transaction", event())
    assert taken is not None
    assert (taken.kind, taken.outcome, taken.resource, taken.ms) == ("request", "MISS", "repo", 12)
    assert taken.detail["spans"] == [
        ["a" * 16, "1" * 16, 1.5, 0.25, "MGET", "db.redis", False, 1, {}]
    ]
    assert taken.detail["errors"] == [{"type": "ValueError", "message": "no", "culprit": ""}]


def test_what_never_ends_is_forgotten() -> None:
    taking = Assembly(Choice())
    for number in range(assembly.WAITING_MOST + 1):
        taking.take("span", span("a" * 16, of=f"{number:016x}"))
    first, last = (
        taking.take("transaction", event(f"{number:016x}")) for number in (0, assembly.WAITING_MOST)
    )
    assert first
    assert last
    assert (len(first.detail["spans"]), len(last.detail["spans"])) == (0, 1)


def test_too_many_spans_are_cut_and_counted() -> None:
    taking = Assembly(Choice())
    for number in range(assembly.SPANS_MOST + 5):
        taking.take("span", span(f"{number:016x}"))
    taken = taking.take("transaction", event(span_count={"started": 400, "dropped": 2}))
    assert taken
    assert (len(taken.detail["spans"]), taken.detail["dropped"]) == (assembly.SPANS_MOST, 7)


def test_metrics_are_no_transactions() -> None:
    assert Assembly(Choice()).take("metricset", {"samples": {}, "timestamp": BEGAN}) is None


# Kept


def made(number: int = 1, **fields: Any) -> dict[str, Any]:
    return event(trace_id=f"{number:032x}", **fields)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"outcome": "failure"}, "failed"),
        ({"outcome": "failure", "duration": 9e9}, "failed"),
        ({"duration": 1_000.0}, "slow"),
        ({"type": "messaging", "duration": 9_999.0}, "sampled"),
        ({"type": "messaging", "duration": 10_000.0}, "slow"),
        ({"type": "background", "duration": 5_000.0}, "slow"),
        ({}, "sampled"),
    ],
)
def test_failed_and_slow_ones_are_kept_as_such(fields: Any, kept: str) -> None:
    assert Choice().of(made(**fields)) == kept


def test_beyond_a_quiet_minute_all_processes_keep_the_same() -> None:
    one, other = Choice(), Choice()
    for number in range(assembly.QUIET_A_MINUTE):
        assert one.of(made(number)) == "sampled"
        assert other.of(made(number + 10_000)) == "sampled"
    kept = [[bool(each.of(made(number))) for number in range(100)] for each in (one, other)]
    assert kept[0] == kept[1]
    assert sum(kept[0]) == 100 // assembly.ONE_IN
    assert one.of(made(1, outcome="failure")) == "failed"


def test_ordinary_ones_are_bounded_and_the_next_minute_is_another() -> None:
    choice = Choice()
    kept = sum(bool(choice.of(made(number))) for number in range(5_000))
    assert kept == assembly.ORDINARY_A_MINUTE
    assert choice.of(made(10, timestamp=BEGAN + 60_000_000)) == "sampled"


def test_a_flood_of_failures_is_bounded_and_counted() -> None:
    choice = Choice()
    failing = made(outcome="failure")
    kept = sum(bool(choice.of(failing)) for _ in range(assembly.NOTABLE_A_MINUTE + 40))
    assert (kept, choice.left_out) == (assembly.NOTABLE_A_MINUTE, 40)


# Shown


def test_only_listed_parameters_show_their_values() -> None:
    shown = shown_url("https://u:p@h/x?page=2&token=a&state=open&zz=1&a1b2c3=4&sort=%00#frag")
    assert shown == "https://h/x?page=2&token=••••••&state=open&zz=••••••&••••••&sort=••••••"


def test_what_postgresql_refuses_is_replaced() -> None:
    told = presentable({"name": "a\0b\udc80c", "context": {"x\0": ["\0"]}})
    assert told == {
        "name": "a\N{REPLACEMENT CHARACTER}b?c",
        "context": {"x\N{REPLACEMENT CHARACTER}": ["\N{REPLACEMENT CHARACTER}"]},
    }


# Drawn


def test_a_waterfall_hangs_each_row_below_its_cause() -> None:
    taking = Assembly(Choice())
    taking.take("span", span("a" * 16))
    taking.take("span", span("b" * 16, parent_id="a" * 16, timestamp=BEGAN + 1_600))
    taking.take("span", span("c" * 16, timestamp=BEGAN + 200))
    request = taking.take("transaction", event(parent_id="f" * 16))
    taking.take("span", span("d" * 16, of="2" * 16, timestamp=BEGAN + 2_000_000))
    job = taking.take(
        "transaction",
        event("2" * 16, type="messaging", parent_id="b" * 16, timestamp=BEGAN + 1_000_000),
    )
    assert request
    assert job
    drawing = drawn([job, request])
    assert [(row.id[0], row.depth, row.at_ms) for row in drawing.rows] == [
        ("1", 0, 0.0),
        ("c", 1, 0.2),
        ("a", 1, 1.5),
        ("b", 2, 1.6),
        ("2", 3, 1_000.0),
        ("d", 4, 2_000.0),
    ]
    assert (drawing.ms, drawing.cut, drawing.failed) == (2_000.25, False, False)


def test_a_circle_of_causes_is_cut() -> None:
    odd = Assembly(Choice()).take("transaction", event(parent_id="1" * 16))
    taking = Assembly(Choice())
    taking.take("span", span("a" * 16, of="2" * 16, parent_id="b" * 16))
    taking.take("span", span("b" * 16, of="2" * 16, parent_id="a" * 16))
    even = taking.take("transaction", event("2" * 16))
    assert odd
    assert even
    drawing = drawn([odd, even])
    assert [row.id[0] for row in drawing.rows] == ["1", "2"]
    assert drawing.cut


# Written


@pytest.fixture(scope="module")
def lasting(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Forewarm]:
    with lasting_environ(valkey, postgres, standin, "traces_written") as environ:
        forewarm = Forewarm({**environ, "ADMIN_PASSWORD": ADMIN_PASSWORD})
        forewarm.services.traces._every = 0.02
        yield forewarm
        forewarm.services.close()


@pytest.fixture
def written(lasting: Forewarm) -> Forewarm:
    """Nothing is cached, archived or traced."""
    services = lasting.services
    services.traces.flush()  # an earlier test's
    services.purger.purge(["all"], hard=True, cause="operator", detail="")
    with services.database.connection() as conn:
        conn.execute("truncate traces, trace_details, upstream_responses")
    return lasting


def listed(forewarm: Forewarm, query: str = "") -> list[Mapping[str, Any]]:
    answer = forewarm.request("GET", f"/api/traces?{query}", ADMIN_PASSWORD)
    assert answer.status_code == 200
    found: list[Mapping[str, Any]] = answer.get_json()["traces"]
    return found


def test_traces_are_found_by_what_is_known_of_them(written: Forewarm) -> None:
    written.get("/repos/pallets/flask")
    written.get("/repos/pallets/flask", Cache_Control="max-age=0")
    written.get("/repos/pallets/nothing-here")
    written.request("GET", "/nowhere")
    wait_for(lambda: len(listed(written, f"route={ROUTE}")) == 3, "traces")
    outcomes = [row["outcome"] for row in listed(written, f"route={ROUTE}")]
    assert outcomes == ["MISS", "REVALIDATED", "MISS"]
    assert [row["outcome"] for row in listed(written, "outcome=REVALIDATED")] == ["REVALIDATED"]
    assert [row["resource"] for row in listed(written, "route=unmatched")] == [""]
    assert listed(written, "failed=true") == []
    assert listed(written, "min_ms=60000") == []
    assert len(listed(written, "limit=2")) == 2
    trace_id = listed(written, "outcome=REVALIDATED")[0]["trace_id"]
    assert [row["trace_id"] for row in listed(written, f"trace_id={trace_id}")] == [trace_id]
    shown = written.request("GET", f"/api/traces/{trace_id}", ADMIN_PASSWORD).get_json()
    names = [row["name"] for row in shown["rows"]]
    assert names[0] == ROUTE
    assert {"MGET", "GitHub repo", "archive_get", "archive_touch"} <= set(names)
    assert shown["rows"][0]["labels"]["scope"] == "service"
    assert shown["rows"][0]["url"] == "/api/v3/repos/pallets/flask"


def test_statements_are_traced_whatever_way_they_are_run(written: Forewarm) -> None:
    agent, database = written.services.agent, written.services.database
    assert agent
    transaction = agent.begin("background", "statements")
    assert transaction
    with database.connection() as conn:
        conn.execute("select 1 from pg_class")
        conn.cursor().execute("select 2 from pg_type").fetchall()
        with conn.transaction():
            conn.execute("select 3 from pg_index")
        with conn.pipeline():
            conn.execute("select 4 from pg_attribute")
        with conn.cursor() as cursor:
            cursor.executemany("select 5 from pg_proc where proname = %s", [("a",), ("b",)])
    agent.end(transaction, "", failed=False)
    wait_for(lambda: listed(written, "route=statements"), "trace")
    drawing = waterfall(database, UUID(transaction.trace_parent.trace_id))
    assert drawing
    assert [row.name for row in drawing.rows[1:]] == [
        f"SELECT FROM {name}"
        for name in ("pg_class", "pg_type", "pg_index", "pg_attribute", "pg_proc")
    ]


def test_a_refresh_behind_has_a_trace_of_its_own(written: Forewarm) -> None:
    written.services.client.get(*_asked())
    wait_for(lambda: listed(written, "route=GitHub org"), "trace")
    (row,) = listed(written, "route=GitHub org")
    assert (row["kind"], row["resource"], row["outcome"]) == ("background", "org", "MISS")


def _asked() -> Any:
    return canonical_target("/orgs/psf", "", "", ""), Asker(SERVICE), None


def test_what_a_callers_own_token_asked_for_is_no_key_holders_to_see(written: Forewarm) -> None:
    written.get(f"/repos/{ALICE_PRIVATE}", ALICE_TOKEN)
    written.request("PUT", f"/api/v3/repos/{ALICE_PRIVATE}/topics", ALICE_TOKEN, json={"names": []})
    written.get(f"/repos/{ALICE_PRIVATE}")

    def found() -> list[Mapping[str, Any]]:
        return [row for row in listed(written) if "api/traces" not in row["route"]]

    wait_for(lambda: len(found()) == 3, "traces")
    shown = [
        written.request("GET", f"/api/traces/{row['trace_id']}", API_KEY).text for row in found()
    ]
    assert ["alice-only" in each for each in shown] == [True, False, False]


@pytest.mark.parametrize("prefix", ["//api/v3", "/v3"])
def test_a_mistyped_mirror_shows_no_key_holder_what_a_callers_own_token_wrote(
    written: Forewarm, prefix: str
) -> None:
    path = f"{prefix}/repos/{ALICE_PRIVATE}/topics"
    written.app.test_client().put(
        "/",
        base_url="http://127.0.0.1:8000",
        environ_overrides={"PATH_INFO": path, "RAW_URI": path, "REQUEST_URI": path},
        headers={"Authorization": f"Bearer {ALICE_TOKEN}"},
        json={"names": []},
    )

    written.services.traces.flush()
    (row,) = listed(written)
    shown = written.request("GET", f"/api/traces/{row['trace_id']}", API_KEY).text
    assert "alice-only" not in shown


def test_what_is_refreshed_for_a_callers_own_token_is_no_key_holders_to_see(
    written: Forewarm,
) -> None:
    target, _, held = _asked()
    alice = Asker(token_scope(ALICE_TOKEN, "a key"), Secret(ALICE_TOKEN))
    written.services.client.get(target, alice, held)
    wait_for(lambda: listed(written, "route=GitHub org"), "trace")
    (row,) = listed(written, "route=GitHub org")
    assert "/orgs/psf" not in written.request("GET", f"/api/traces/{row['trace_id']}", API_KEY).text


def test_a_key_may_read_traces_and_strangers_may_not(written: Forewarm) -> None:
    assert written.request("GET", "/api/traces", API_KEY).status_code == 200
    assert written.request("GET", "/api/traces").status_code == 401
    assert written.request("GET", f"/api/traces/{TRACE.hex}").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/traces/{TRACE.hex}", 404),
        ("/api/traces/abc", 400),
        (f"/api/traces?trace_id={ALICE_TOKEN}", 400),
        ("/api/traces?period=1y", 400),
        ("/api/traces?min_ms=-1", 400),
        ("/api/traces?route=%00", 400),
        ("/api/traces?outcome=a%00", 400),
        ("/api/traces?limit=501", 400),
    ],
)
def test_what_is_no_trace_is_refused(written: Forewarm, path: str, status: int) -> None:
    answer = written.request("GET", path, ADMIN_PASSWORD)
    assert answer.status_code == status
    assert ALICE_TOKEN not in answer.text


def test_without_postgresql_traces_are_dropped_counted_and_kept_again(
    written: Forewarm, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    kept = written.services.traces
    before = kept.written
    written.request("GET", "/nowhere")
    wait_for(lambda: kept.written > before, "trace")
    before = kept.written
    postgres.kill()
    for _ in range(3):
        written.request("GET", "/nowhere")
    wait_for(lambda: kept.dropped == 3, "dropped traces")
    postgres.start()

    def again() -> bool:
        written.request("GET", "/nowhere")
        time.sleep(0.05)
        return kept.written > before

    wait_for(again, "traces again")
    said = [each for each in caplog.messages if "traces are" in each]
    assert len(said) <= 2


def test_a_full_queue_keeps_nobody_waiting(empty_database_url: str) -> None:
    writer = TraceWriter(Database(Secret(empty_database_url), size=1), every=60.0)
    writer._thread = threading.current_thread()  # none is started
    for number in range(traces.EVENTS_MOST + 20):
        writer.offer("transaction", event(f"{number:016x}", trace_id=f"{10:032x}"))
    assert writer.missed == 20
    writer.stop()
    assert (writer.written, writer.dropped) == (0, assembly.ORDINARY_A_MINUTE)
