"""The plan of a statement, held against the indexes that its first lines name.

SUBJECTS says which test file fills tables and reads the plans of which statements; a statement of
no subject fails there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import psycopg

from webapp.db import statements

_INDEXES_OF_PARTITIONS = """
select part.relname, whole.relname
from pg_inherits
join pg_class part on part.oid = inhrelid
join pg_class whole on whole.oid = inhparent
where whole.relkind = 'I'
"""

SUBJECTS = {
    "test_queries": ("archive_", "purge_", "purges_"),
    "test_deliveries": ("delivery_", "deliveries_", "list_"),
    "test_watches": ("watch_", "watches_"),
    "test_warming_runs": ("run_", "runs_"),
    "test_catalog": ("catalog_",),
    "test_statement_statistics": ("statements_",),
    "test_metrics": ("metric_", "metrics_"),
    "test_traces": ("trace_", "traces_"),
    "test_alerts": ("alert_", "alerts_", "silence_", "silences_"),
    "test_audit": ("audit_",),
    "test_condition": ("database_",),  # PostgreSQL's own tables: run there, not planned
}


def names_of(module: str) -> list[str]:
    """The statements whose plans that test file reads."""
    return [name for name in statements.names() if name.startswith(SUBJECTS[module])]


def assert_served_by_the_indexes_it_names(
    conn: psycopg.Connection[Any], name: str, parameters: Mapping[str, object]
) -> None:
    """No sequential scan, and exactly the named indexes; the tables hold enough rows to matter."""
    row = conn.execute("explain (format json) " + statements.load(name), parameters).fetchone()
    assert row
    plan = json.dumps(row[0])
    named = re.search(r"-- Index: (.*)", statements.load(name))
    assert named
    assert '"Seq Scan"' not in plan
    used = set(re.findall(r'"(?:Index Name|Conflict Arbiter Indexes)": \[?"(\w+)"', plan))
    whole = dict(conn.execute(_INDEXES_OF_PARTITIONS).fetchall())
    used = {whole.get(each, each) for each in used}
    assert used == set(named[1].split(", ")) - {"none"}
