"""`flask explain`: each query with its plan and a verdict; exit code 1 where one is bad."""

from __future__ import annotations

from collections.abc import Iterable

import click
import orjson

from webapp.commands.errors import errors_as_lines
from webapp.db import explain as plans
from webapp.db.conninfo import ConnectionPlan
from webapp.db.explain import Explained
from webapp.settings import database_url_from_env


@click.command("explain")
@click.option("--json", "as_json", is_flag=True, help="One JSON list, plans included.")
@click.option("--analyze", is_flag=True, help="Run what only reads the catalog, too.")
@click.option("--plans", "with_plans", is_flag=True, help="Each plan, a step a line.")
def explain(as_json: bool, analyze: bool, with_plans: bool) -> None:
    """Each query with its plan on the data at hand. Changes nothing. Needs DATABASE_URL alone."""
    plan = ConnectionPlan.of(database_url_from_env())
    with errors_as_lines(), plan.connected("forewarm explain") as conn:
        found = list(plans.explain(conn, analyze=analyze))
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        _print(found, with_plans)
    if any(each.state == "bad" for each in found):
        raise click.exceptions.Exit(1)


def _print(found: Iterable[Explained], with_plans: bool) -> None:
    for each in found:
        click.echo(f"{each.state:8}{each.query}: {each.reason}")
        click.echo(f"{'':8}{each.serves}")
        facts = [f"{each.rows} rows"]
        if each.milliseconds is not None:
            facts += [f"{each.milliseconds:.2f} ms", f"{each.buffers} pages"]
        click.echo(f"{'':8}{', '.join(each.indexes) or 'no index'}; {', '.join(facts)}")
        if with_plans and each.plan:
            for line in plans.plan_lines(each.plan):
                click.echo(f"{'':10}{line}")
