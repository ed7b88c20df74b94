"""How a command ends where Forewarm raises on purpose: one line on stderr, exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from webapp.errors import ForewarmError


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """Errors that Forewarm raises on purpose end a command with one line and exit code 1."""
    try:
        yield
    except ForewarmError as error:
        raise click.ClickException(str(error)) from error
