"""What psycopg is told, from DATABASE_URL."""

from __future__ import annotations

from typing import Any

from webapp.db.conninfo import ConnectionPlan
from webapp.secret import Secret

PLAIN = "postgresql://u:p%40ss@db.example:6432/name"


def plan(url: str) -> ConnectionPlan:
    return ConnectionPlan.of(Secret(url))


def parameters(url: str, timeout: float = 2.0) -> dict[str, Any]:
    return plan(url).parameters(application_name="tests", statement_timeout=timeout)


def test_a_plain_url_is_passed_on_as_it_is() -> None:
    assert plan(PLAIN).conninfo.reveal() == PLAIN


def test_our_own_parameter_never_reaches_libpq() -> None:
    url = PLAIN + "?sslmode=require&pgbouncer=true"
    assert plan(url).conninfo.reveal() == PLAIN + "?sslmode=require"


def test_the_statement_timeout_is_a_start_up_option() -> None:
    assert parameters(PLAIN, 1.5)["options"] == "-c statement_timeout=1500"


def test_options_of_the_url_are_kept_beside_it() -> None:
    held = parameters(PLAIN + "?options=-csearch_path%3Dwarm")
    assert held["options"] == "-csearch_path=warm -c statement_timeout=2000"


def test_a_pooler_gets_no_start_up_options() -> None:
    assert "options" not in parameters(PLAIN + "?pgbouncer=true")


def test_a_pooler_gets_no_prepared_statements() -> None:
    assert parameters(PLAIN + "?pgbouncer=true")["prepare_threshold"] is None


def test_without_a_pooler_statements_are_prepared() -> None:
    assert "prepare_threshold" not in parameters(PLAIN)
