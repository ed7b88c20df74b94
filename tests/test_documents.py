"""What README.md, CHANGELOG.md and docs/ name is there: links, files, commands, paths, settings."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from flask import Flask

from webapp import cli
from webapp.settings_table import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
)
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
ELSEWHERE = {"FOREWARM_KEY", "GH_HOST", "GH_ENTERPRISE_TOKEN"}
"""Variables of examples: the reader's own, or another program's."""
BESIDE = {
    *("WORKER_PROCESSES", "WORKER_THREADS"),  # the Procfile's
    *("FOREWARM_LONG", "FOREWARM_SEED"),  # tests that take minutes
    *("GIT_REVISION", "SOURCE_VERSION", "HEROKU_SLUG_COMMIT"),  # builders' names of a revision
}
"""Variables that are no settings."""

documented = pytest.mark.parametrize("name", DOCUMENTS)


def prose(name: str) -> str:
    """Without what lies in fences."""
    return re.sub(r"^```.*?^```", "", TEXTS[name], flags=re.DOTALL | re.MULTILINE)


def quoted(name: str) -> list[str]:
    """Whatever stands between back-ticks, or on a line of a shell example."""
    fences = re.findall(r"^```sh\n(.*?)^```", TEXTS[name], re.DOTALL | re.MULTILINE)
    return [*re.findall(r"`([^`]+)`", prose(name)), *"".join(fences).splitlines()]


def anchors(path: Path) -> set[str]:
    """What headings can be linked by: lower case, without punctuation, hyphens for blanks."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@documented
def test_a_link_leads_somewhere(name: str) -> None:
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


@documented
def test_a_file_is_where_it_is_said_to_be(name: str) -> None:
    """Below the root, or below webapp/; a name alone is of a file beside the one before it."""
    named = re.compile(
        r"(?:[\w.]+/)*[\w-]+\.(?:py|lua|sql|html|toml|txt|json|yml)|[a-z]+(?:/[a-z]+)*/"
    )
    listed = [
        each for each in quoted(name) if named.fullmatch(each) and not each.startswith("var/")
    ]
    missing, beside = [], {"", "webapp"}
    for each in listed:
        found = {folder for folder in beside if (ROOT / folder / each).exists()}
        if not found:
            missing.append(each)
        beside = {"", "webapp"} | {str((Path(place) / each).parent) for place in found}
    assert missing == []


@documented
def test_a_script_or_module_that_is_run_exists(name: str) -> None:
    runs = [(each, f"script/{each}") for each in re.findall(r"(?<!/)\bscript/(\w+)", TEXTS[name])]
    for module in re.findall(r"python -m ([\w.]+)", TEXTS[name]):
        path = module.replace(".", "/")
        runs.append((module, path if (ROOT / path).is_dir() else f"{path}.py"))
    assert [each for each, path in runs if not (ROOT / path).exists()] == []


@documented
def test_a_flask_command_exists_with_its_options(name: str) -> None:
    app = Flask(__name__)
    cli.register(app)
    said = re.compile(r"\bflask (?:--app wsgi )?((?!--)[a-z].*)")
    wrong = []
    for line in quoted(name):
        found = said.search(line.partition("#")[0])
        if found is None:
            continue
        words = found[1].split()
        command: click.Command = app.cli
        while isinstance(command, click.Group) and words:
            choices = words.pop(0).split("|")
            known = [command.commands[each] for each in choices if each in command.commands]
            if len(known) != len(choices):
                wrong.append(line)
                break
            command = known[0]
        else:
            options = {option for parameter in command.params for option in parameter.opts}
            wrong += [line for word in words if word.startswith("--") and word not in options]
    assert wrong == []


@documented
def test_a_variable_is_a_setting(name: str) -> None:
    known = {row.variable for row in SETTINGS} | ELSEWHERE | BESIDE
    said = {
        variable
        for each in quoted(name)
        for variable in re.findall(r"(?:^|[\s$])([A-Z]+(?:_[A-Z]+)+)(?==|$)", each)
    }
    assert {each for each in said - known if not each.startswith("ELASTIC_APM_")} == set()
