"""How each command of the documents is run, or why it isn't: two tables, by how a command begins.

Policy: what can run here runs as it stands, but for the server's address. A command that is in
neither table fails its test, so that nobody documents what nobody tried.
"""

from __future__ import annotations

from typing import Literal

How = Literal["shell", "command line"]

RUN: dict[tuple[str, ...], How] = {
    ("curl",): "shell",
    ("openssl", "rand"): "shell",
    ("echo",): "shell",
    ("export",): "shell",
    ("pg_dump",): "shell",
    ("pg_restore",): "shell",
    ("script/flask",): "command line",
    ("flask", "--app", "wsgi"): "command line",
}

MAY_EXIT = {
    "doctor": {0, 1},  # no worker runs beside the tests, which it says
}
"""Exit codes of command lines, where 0 isn't the only one that will do."""

PARSED: dict[tuple[str, ...], str] = {
    ("script/flask", "warm"): "waits for a worker; tests/webapp/commands/test_warm.py runs it",
}
"""Command lines whose arguments are parsed, and the reason why no more is done."""

NOT_RUN: dict[tuple[str, ...], str] = {
    ("script/server",): "takes its port; tests/script/test_local_server.py runs it",
    ("script/test",): "is what runs this; tests/script/test_bootstrap.py has its set-up",
    ("script/lint",): "script/test begins with it; tests/script/test_checks.py",
    ("script/bench",): "takes minutes, and the machine to itself",
    (".venv/bin/pytest",): "is what runs this",
    ("git",): "changes the checkout",
    ("heroku",): "wants an account; tests/deployment/test_procfile_on_a_platform.py plays Heroku",
    ("docker",): "wants a daemon; tests/deployment/test_image.py has what can be tried without",
    ("systemctl",): "wants to be the system's; tests/deployment/test_systemd.py has it verify them",
    ("nginx",): "tests/deployment/test_nginx.py runs it by the recipe",
    ("cp",): "is root's, into the system's own folders",
    ("python3", "-m", "venv"): "tests/script/test_bootstrap.py makes one",
    ("/srv/forewarm/.venv/bin/pip",): "fetches packages",
    ("gh",): "wants TLS, and is no package of the tests; run by hand, see docs/clients.md",
}
"""Commands that aren't run, and why; a file that is named there exists."""


def found_in(words: tuple[str, ...], table: dict[tuple[str, ...], str]) -> str | None:
    """What a table says of the longest beginning of a command that is in it; None for nothing."""
    for length in range(len(words), 0, -1):
        if (said := table.get(words[:length])) is not None:
            return said
    return None
