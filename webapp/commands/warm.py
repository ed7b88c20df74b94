"""`flask watch add|remove|list` and `flask warm`: what is kept warm, and warming now."""

from __future__ import annotations

import sys
import time

import click
from flask import current_app
from flask.cli import with_appcontext

from webapp.commands.errors import errors_as_lines
from webapp.db.warming_runs import Run
from webapp.errors import BrokerUnavailable
from webapp.services import Services
from webapp.warming.runs import Runs

LOOK_EVERY = 0.2  # seconds
LINE_EVERY = 2.0  # seconds, where there is no terminal
GOING = ("queued", "running", "paused")


def _services() -> Services:
    services: Services = current_app.extensions["services"]
    return services


@click.group("watch")
def watch() -> None:
    """What is kept warm: organisations, users and repositories."""


@watch.command("add")
@click.argument("names", nargs=-1, required=True)
@with_appcontext
def add_watches(names: tuple[str, ...]) -> None:
    """Keep names warm from now on: pallets, psf/requests."""
    with errors_as_lines():
        for name in names:
            click.echo(f"watching {_services().watches.add(name, 'cli').name}")


@watch.command("remove")
@click.argument("names", nargs=-1, required=True)
@with_appcontext
def remove_watches(names: tuple[str, ...]) -> None:
    """Keep them warm no longer; what the setting WATCH names is taken out there."""
    with errors_as_lines():
        for name in names:
            _services().watches.remove(name)
            click.echo(f"no longer watching {name.lower()}")


@watch.command("list")
@with_appcontext
def list_watches() -> None:
    """What is kept warm: name, kind (owner: not known yet), and who wanted it."""
    for each in _services().watches.all():
        click.echo(f"{each.name}\t{each.kind}\t{each.source}")


@click.command("warm")
@click.argument("names", nargs=-1)
@click.option("--cancel", type=int, metavar="RUN", help="End a run instead of beginning one.")
@with_appcontext
def warm(names: tuple[str, ...], cancel: int | None) -> None:
    """Warm names, or all that is watched, and show how far it is.

    A worker does it. Ctrl-C only stops looking: the run goes on. Exit code 0 where it ended done.
    """
    with errors_as_lines():
        runs = _services().warming
        if cancel is not None:
            click.echo(f"run {cancel} is {runs.cancel(cancel).state}")
            return
        run = runs.begin(names, "cli")
        if not _worker_is_there():
            click.echo("there is no worker: the run waits for one", err=True)
        try:
            ended = _watched(runs, run)
        except KeyboardInterrupt:
            click.echo(f"\nrun {run} goes on; flask warm --cancel {run} ends it", err=True)
            raise click.exceptions.Exit(1) from None
        click.echo(_line(ended))
        if ended.state != "done":
            raise click.exceptions.Exit(1)


def _watched(runs: Runs, run: int) -> Run:
    """The run, once it has ended; meanwhile a bar on a terminal, else a line now and then."""
    if sys.stdout.isatty():
        return _by_bar(runs, run)
    said = time.monotonic()
    while (found := runs.get(run)).state in GOING:
        if time.monotonic() - said > LINE_EVERY:
            said = time.monotonic()
            click.echo(_line(found))
        time.sleep(LOOK_EVERY)
    return found


def _by_bar(runs: Runs, run: int) -> Run:
    with click.progressbar(length=1, label=f"run {run}", show_pos=True) as bar:
        while True:
            found = runs.get(run)
            # A list's pages are known once its first is: the whole grows.
            bar.length = max(1, found.total)
            bar.update(found.done - bar.pos)
            bar.render_progress()
            if found.state not in GOING:
                return found
            time.sleep(LOOK_EVERY)


def _line(run: Run) -> str:
    figures = f"{run.done} of {run.total}, {run.points} points, {run.saved} saved"
    trouble = f", {run.failures} failures" if run.failures else ""
    last = f" (last: {run.last_error})" if run.last_error else ""
    return f"run {run.id} {run.state}: {figures}{trouble}{last}"


def _worker_is_there() -> bool:
    try:
        return bool(_services().queues.state().workers)
    except BrokerUnavailable:
        return False
