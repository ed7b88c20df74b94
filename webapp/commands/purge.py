"""`flask purge`: the cache's tags purged by hand, from a terminal."""

from __future__ import annotations

import re

import click
from flask import current_app
from flask.cli import with_appcontext

from webapp.commands.errors import errors_as_lines
from webapp.purging import TAG, tag_of
from webapp.services import Services


@click.command("purge")
@click.argument("names", nargs=-1, required=True)
@click.option("--hard", is_flag=True, help="Nothing old is left, not even for an outage.")
@with_appcontext
def purge(names: tuple[str, ...], hard: bool) -> None:
    """Purge tags, or the paths that stand for them: repo:pallets/flask, /orgs/pallets/repos, all.

    The next read asks GitHub again, at no points where nothing changed.
    """
    services: Services = current_app.extensions["services"]
    with errors_as_lines():
        tags = [_tag(name) for name in names]
        written = services.purger.purge(tags, hard=hard, cause="operator", detail="flask purge")
    what = "cache purged hard" if hard else "cache purged softly"
    services.audit.note("command line", what, " ".join(tags))
    click.echo(f"purged {written}: {' '.join(tags)}")


def _tag(name: str) -> str:
    tag = tag_of(name) if name.startswith("/") else name.lower()
    if tag is None:
        raise click.UsageError(f"{name} has no tag of its own")
    if not re.match(TAG, tag):
        raise click.UsageError(f"{name} is no tag; give one such as repo:pallets/flask")
    return tag
