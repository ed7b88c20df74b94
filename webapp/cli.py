"""Flask's command line: `script/flask <group> <command>`, or `flask --app wsgi …`.

Each group is a function's worth of commands, registered in `register`. An error is one line on
stderr. Exit codes: 0 done, 1 not done, 2 wrong usage (click's own).
"""

from __future__ import annotations

import sys
from datetime import UTC

import click
from flask import Flask

from webapp.commands.errors import errors_as_lines
from webapp.commands.explain import explain
from webapp.commands.purge import purge
from webapp.commands.warm import warm, watch
from webapp.db import migrate
from webapp.db.seed import Progress, seed
from webapp.doctor.command import doctor
from webapp.settings import database_url_from_env


def register(app: Flask) -> None:
    """Give the app's command line its groups."""
    app.cli.add_command(database)
    app.cli.add_command(doctor)
    app.cli.add_command(watch)
    app.cli.add_command(warm)
    app.cli.add_command(purge)
    app.cli.add_command(explain)


@click.group("db")
def database() -> None:
    """PostgreSQL: bring its tables up to date. Needs DATABASE_URL alone."""


@database.command("upgrade")
def upgrade_database() -> None:
    """Apply the migrations that are missing; safe twice and at once."""
    with errors_as_lines():
        applied = migrate.upgrade(database_url_from_env())
    for migration in applied:
        click.echo(f"applied {migration}")
    if not applied:
        click.echo("nothing to apply")


@database.command("status")
def database_status() -> None:
    """List every migration and when it was applied; exit code 1 if any is missing or misfits."""
    with errors_as_lines():
        rows = migrate.status(database_url_from_env())
    for row in rows:
        when = (
            f"{row.applied_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if row.applied_at else "missing"
        )
        problem = f"  {row.problem}" if row.problem else ""
        click.echo(f"{row.version:04}_{row.name}  {when}{problem}")
    if any(row.applied_at is None or row.problem for row in rows):
        raise click.exceptions.Exit(1)


@database.command("seed")
@click.option("--repos", type=click.IntRange(1), required=True, help="How many repositories.")
@click.option("--orgs", type=click.IntRange(1), help="How many owners (one for 500 repositories).")
@click.option("--days", type=click.IntRange(0), default=7, help="Days of history (7).")
def seed_database(repos: int, orgs: int | None, days: int) -> None:
    """Fill the catalog with made-up repositories, in place of those seeded before."""
    with errors_as_lines():
        seed(
            database_url_from_env(),
            repos=repos,
            orgs=orgs or max(1, repos // 500),
            days=days,
            report=_say,
        )
    click.echo(f"seeded {repos:,} repositories")


def _say(progress: Progress) -> None:
    """On one line of a terminal; a line each elsewhere would be noise."""
    if sys.stderr.isatty():
        click.echo(
            f"\r\x1b[K{progress.step} {progress.done:,} / {progress.total:,}", nl=False, err=True
        )
