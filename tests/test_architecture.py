"""The house rules that neither ruff, mypy nor import-linter can tell.

Each rule names what breaks it. A new module that needs a secret's value, or one of the stores'
clients, is added to the tables below on purpose, or does it through a module that is there.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from webapp.db import statements

ROOT = Path(__file__).resolve().parents[1]
LINES_MAX = 330
UNTRACKED = {".venv", "var", ".mypy_cache", ".ruff_cache", ".import_linter_cache"}
NO_NAMES = re.compile(r"(?i)(^|_)(utils?|helpers?|common|misc|managers?)(_|$)")
NO_CLASSES = re.compile(r"(Utils?|Helpers?|Common|Misc|Manager)(?=[A-Z]|$)")

MAY_IMPORT = {
    "requests": ("webapp/github/", "webapp/doctor/", "webapp/telemetry/alerts/delivery.py"),
    "requests_cache": ("webapp/github/",),
    "urllib3": ("webapp/github/",),
    "redis": (
        *("webapp/cache/", "webapp/jobs.py", "webapp/queues.py", "webapp/purging.py"),
        *("webapp/github/budget", "webapp/doctor/", "workers/"),
    ),
    "psycopg": ("webapp/db/", "webapp/doctor/"),
    "psycopg_pool": ("webapp/db/",),
    "dramatiq": ("webapp/jobs.py", "webapp/queues.py", "workers/"),
    "periodiq": ("workers/",),
    "elasticapm": ("webapp/telemetry/", "workers/"),
    "prometheus_client": ("webapp/telemetry/",),
    "msgpack": ("webapp/cache/",),
    "pickle": (),
    "granian": (),
    "tests": (),
    "script": (),
    "benchmarks": (),
}
"""What of webapp and workers may import a package; nothing else may, by whatever way."""

MAY_REVEAL = {
    "webapp/cache/connection.py",  # the URL of Redis
    "webapp/callers.py",  # our keys, to know them by their digests; the key of token scopes
    "webapp/db/conninfo.py",  # the URL of PostgreSQL
    "webapp/db/migrate.py",
    "webapp/db/pool.py",
    "webapp/doctor/asking.py",
    "webapp/doctor/finding.py",  # to strike secrets out of what a library says
    "webapp/doctor/postgresql.py",
    "webapp/doctor/redis_servers.py",
    "webapp/doctor/safety.py",
    "webapp/github/app/api.py",  # an App's private key
    "webapp/github/app/tokens.py",  # an installation's tokens, encrypted
    "webapp/github/client.py",  # Authorization
    "webapp/github/events.py",  # the webhook's secret
    "webapp/github/credentials.py",  # Authorization, and the HMAC that stands for a token
    "webapp/jobs.py",  # the URL of the queues
    "webapp/scrub.py",  # the secrets to strike out
    "webapp/secret.py",
    "webapp/settings.py",  # one secret made of another
    "webapp/telemetry/alerts/delivery.py",  # receivers' URLs, and what webhooks are signed with
    "webapp/views/guard.py",  # the operator's password, compared
}


@cache
def tracked() -> tuple[str, ...]:
    """What git knows, and what it would: a rule holds before the commit too."""
    if not (ROOT / ".git").exists():
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
        return tuple(str(path) for path in found if path.parts[0] not in UNTRACKED)
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(line for line in listed.stdout.splitlines() if (ROOT / line).is_file())


def python_files(*folders: str) -> list[str]:
    return [each for each in tracked() if each.endswith(".py") and each.startswith(folders)]


OURS = python_files("webapp/", "workers/")
CODE = python_files("webapp/", "workers/", "script/", "wsgi.py")
EVERYTHING = python_files("webapp/", "workers/", "script/", "wsgi.py", "tests/", "benchmarks/")


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: str) -> Iterator[str]:
    """Top-level packages, wherever in the file they are imported."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def nonempty(paths: list[str]) -> list[str]:
    return [path for path in paths if (ROOT / path).read_text(encoding="utf-8").strip()]


# Files


def test_a_file_is_one_idea() -> None:
    """Near 300 lines it is asking to be two."""
    lines = {path: (ROOT / path).read_text(encoding="utf-8").count("\n") for path in CODE}
    assert {path: number for path, number in lines.items() if number > LINES_MAX} == {}


def test_a_files_name_says_what_is_inside() -> None:
    parts = {path: Path(path).with_suffix("").parts for path in EVERYTHING}
    assert [path for path, named in parts.items() if any(map(NO_NAMES.search, named))] == []


def test_a_classs_name_says_what_it_is() -> None:
    assert [
        f"{path}: {node.name}"
        for path in EVERYTHING
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and NO_CLASSES.search(node.name)
    ] == []


def test_a_file_begins_with_its_policy() -> None:
    assert [path for path in nonempty(EVERYTHING) if not ast.get_docstring(tree(path))] == []


def test_annotations_are_never_evaluated() -> None:
    future = "from __future__ import annotations"
    with_code = [path for path in CODE if tree(path).body[1:]]
    assert [
        path for path in with_code if future not in (ROOT / path).read_text(encoding="utf-8")
    ] == []


def test_what_is_public_says_what_it_is_for() -> None:
    assert [
        f"{path}: {node.name}"
        for path in OURS
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ] == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    places = re.compile(rb"(?<![\w./-])/(work|tmp/brief|root)/")
    named = [path for path in tracked() if places.search((ROOT / path).read_bytes())]
    assert named == []


# Errors


def handlers() -> Iterator[tuple[str, ast.ExceptHandler]]:
    for path in CODE:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                yield f"{path}:{node.lineno}", node


def caught(handler: ast.ExceptHandler) -> set[str]:
    named = ast.walk(handler.type) if handler.type else ()
    return {node.id for node in named if isinstance(node, ast.Name)}


def test_errors_are_caught_by_their_names() -> None:
    """`except Exception` catches what nobody thought of, bugs above all; one place is for that."""
    assert [
        where
        for where, each in handlers()
        if each.type is None or "Exception" in caught(each)
        if not where.startswith("webapp/lasting.py")
    ] == []


def test_whatever_catches_everything_raises_it_again() -> None:
    """By itself, or in the thread that waits for it."""
    assert [
        where
        for where, each in handlers()
        if "BaseException" in caught(each)
        and not any(isinstance(node, ast.Raise) for node in ast.walk(each))
        and not where.startswith("webapp/doctor/checkup.py")
    ] == []


def test_threads_are_started_to_last() -> None:
    """One that a bug ends is missed until the restart. The others run once and are waited for."""
    once = {"webapp/doctor/checkup.py", "webapp/github/app/tokens.py", "webapp/lasting.py"}
    starts = {each for each in CODE if "threading.Thread(" in (ROOT / each).read_text()}
    assert {each for each in starts if each.startswith(("webapp/", "workers/"))} <= once


# Layers


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_is_imported_where_it_belongs(package: str) -> None:
    places = MAY_IMPORT[package]
    strangers = [
        path for path in OURS if package in imports(path) and not path.startswith(tuple(places))
    ]
    assert strangers == []


def test_web_code_never_imports_workers() -> None:
    assert [path for path in python_files("webapp/") if "workers" in imports(path)] == []


def test_only_telemetrys_listeners_know_telemetry() -> None:
    """Nothing on a request's path calls it: it listens to signals."""
    # views, reports and upkeep read what it counted; wsgi and worker set logging up
    may = ("webapp/services.py", "webapp/telemetry/", "webapp/views/", "webapp/reports/")
    callers = [
        path
        for path in python_files("webapp/")
        if "webapp.telemetry" in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert [path for path in callers if not path.startswith(may)] == []


# Secrets


def test_a_secrets_value_is_asked_for_where_it_must_be() -> None:
    revealing = {
        path
        for path in CODE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "reveal"
    }
    assert revealing - MAY_REVEAL == set()


def test_no_value_of_a_secret_is_logged() -> None:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    assert [
        f"{path}:{node.lineno}"
        for path in CODE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in levels
        and "reveal(" in ast.unparse(node)
    ] == []


# What lies beside the code


def folder(ending: str) -> list[str]:
    return [path for path in tracked() if path.startswith("webapp/") and path.endswith(ending)]


@pytest.mark.parametrize("path", folder(".lua"))
def test_a_lua_script_is_used(path: str) -> None:
    name = Path(path).stem
    quoted = re.compile(rf"""["']{name}(\.lua)?["']""")
    texts = [(ROOT / each).read_text(encoding="utf-8") for each in OURS]
    assert any(quoted.search(text) for text in texts)


def test_a_script_says_first_what_it_serves() -> None:
    texts = {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in (*folder(".lua"), *folder(".sql"))
    }
    # A #! line holds flags for the server, and must come before all else.
    assert [path for path, text in texts.items() if not re.match(r"(#!lua .*\n)?-- ", text)] == []


def statement_modules() -> list[ModuleType]:
    paths = python_files("webapp/db/")
    return [
        import_module(path.removesuffix(".py").replace("/", "."))
        for path in paths
        if "webapp.db.statements" in (ROOT / path).read_text(encoding="utf-8")
        or "from webapp.db import statements" in (ROOT / path).read_text(encoding="utf-8")
    ]


PARTS = {"archive_use", "catalog_search_words"}
"""Statements that are a step of another's function."""


@pytest.mark.parametrize("name", sorted(set(statements.names()) - PARTS))
def test_a_statement_has_a_typed_function_of_its_own(name: str) -> None:
    found = [getattr(module, name) for module in statement_modules() if hasattr(module, name)]
    assert len(found) == 1
    signature = inspect.signature(found[0])
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(
        each.annotation is not inspect.Parameter.empty for each in signature.parameters.values()
    )


def test_every_statement_that_is_loaded_exists() -> None:
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in python_files("webapp/db/")]
    call = re.compile(r"(?:load|execute|execute_many|rows?|timed)\(\s*(?:conn,\s*)?\"(\w+)\"")
    used = {name for text in texts for name in call.findall(text)}
    assert used == set(statements.names())


def test_no_page_has_a_script_or_style_of_its_own() -> None:
    """The content security policy would refuse them."""
    own = re.compile(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:")
    pages = [path for path in tracked() if path.endswith(".html")]
    assert pages
    assert [path for path in pages if own.search((ROOT / path).read_text(encoding="utf-8"))] == []
