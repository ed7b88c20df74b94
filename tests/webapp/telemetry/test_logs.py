"""Log lines: their two forms, and that no secret is ever in one."""

from __future__ import annotations

import base64
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, SECRET_KEY, serve
from tests.standin.accounts import ALICE_TOKEN, BOB_TOKEN, PUBLIC_TOKEN, SERVICE_TOKEN
from tests.standin.landmarks import SHARED_PRIVATE
from tests.standin.process import StandIn
from webapp.telemetry.logs import JsonLines, configure

PLAIN_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ +[\w.]+: ")
SERVERS_OWN = re.compile(r"^\[(INFO|WARNING|ERROR)\] ")
"""granian's main process, which never loads us."""


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("webapp.some", logging.WARNING, __file__, 1, message, (), None)
    made.__dict__.update(more)
    return made


# Forms


def test_a_json_line_is_one_object_on_one_line() -> None:
    line = JsonLines().format(record('a "quoted"\nmessage', fields={"key": "fw:e:1", "ms": 1.5}))
    assert "\n" not in line
    told = orjson.loads(line)
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "WARNING",
        "logger": "webapp.some",
        "message": 'a "quoted"\nmessage',
        "key": "fw:e:1",
        "ms": 1.5,
    }


def test_a_json_line_holds_its_exception() -> None:
    try:
        int("what went wrong")
    except ValueError:
        line = JsonLines().format(record("failed", exc_info=sys.exc_info()))
    assert "ValueError: invalid literal" in orjson.loads(line)["exception"]


@pytest.mark.parametrize("value", ["\udc80", 2**70, b"bytes", {1: 2}, object()])
def test_whatever_a_field_holds_the_line_is_json(value: object) -> None:
    line = JsonLines().format(record("odd", fields={"value": value}))
    assert orjson.loads(line.encode("utf-8", "strict"))["message"] == "odd"


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("form", ["plain", "json"])
def test_lines_go_to_stdout_in_the_form_asked_for(
    logging_as_before: None, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure("INFO", form)
    logging.getLogger("webapp.some").info("a line")
    logging.getLogger("webapp.some").debug("not this one")
    said = capsys.readouterr()
    assert said.err == ""
    (line,) = said.out.splitlines()
    assert orjson.loads(line)["message"] == "a line" if form == "json" else PLAIN_LINE.match(line)


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "requests_cache.session"])
def test_libraries_that_log_urls_are_quiet_at_debug(
    logging_as_before: None, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    configure("DEBUG", "plain")
    logging.getLogger(name).debug("GET https://…")
    assert capsys.readouterr().out == ""


# A real server at its most talkative

PLANTED = "planted-secret-0123456789"
SECRETS = (
    *(SERVICE_TOKEN, PUBLIC_TOKEN, ALICE_TOKEN, BOB_TOKEN, API_KEY),
    *(ADMIN_PASSWORD, SECRET_KEY, PLANTED, "Bearer "),
)


def provoke(api: str) -> None:
    """Every way in which a secret could come, and every way in which a request can fail."""

    def ask(path: str, authorization: str = "", method: str = "GET", **more: Any) -> int:
        headers = {"Authorization": authorization} if authorization else {}
        url = f"{api}{path}"
        return requests.request(method, url, headers=headers, timeout=10, **more).status_code

    basic = base64.b64encode(f"x:{ALICE_TOKEN}".encode()).decode()
    for authorization in (
        f"Bearer {API_KEY}",
        f"Bearer {ALICE_TOKEN}",
        f"token {BOB_TOKEN}",
        f"Basic {basic}",
        "Bearer fwk_" + PLANTED,
        "Bearer ghp_" + PLANTED,
        "Bearer two words " + PLANTED,
        "Digest " + PLANTED,
        "",
    ):
        for path in ("/orgs/pallets", f"/repos/{SHARED_PRIVATE}", "/user", "/repos/a/b/zipball"):
            ask(path, authorization)
            ask(path, authorization)
    ask(f"/user?access_token={PLANTED}")
    ask(f"/orgs/pallets?client_secret={PLANTED}&client_id=1")
    ask(f"/orgs/pallets/repos?since={PLANTED}", f"Bearer {API_KEY}")
    body = {"description": PLANTED}
    ask(f"/repos/{SHARED_PRIVATE}", f"Bearer {ALICE_TOKEN}", "PATCH", json=body)
    ask(f"/repos/{SHARED_PRIVATE}/issues", f"Bearer {ALICE_TOKEN}", "POST", data=PLANTED)
    ask(f"/repos/{SHARED_PRIVATE}", f"Bearer {API_KEY}", "DELETE", data=PLANTED)
    ask("/../api/purge", f"Bearer {ADMIN_PASSWORD}", "POST", json={"tags": [PLANTED * 99]})


@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_secret_is_in_any_line_of_a_server_at_debug(
    environ: dict[str, str],
    github: StandIn,
    valkey: Valkey,
    postgres: Postgres,
    tmp_path: Path,
    form: str,
) -> None:
    own = {
        **environ,
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": form,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "GITHUB_PUBLIC_TOKEN": PUBLIC_TOKEN,
        "PYTHONASYNCIODEBUG": "1",
    }
    log = tmp_path / "server.log"
    with serve(own, log) as server:
        provoke(server.api)
        for fault in ("reset", "invalid_json", "html", "secondary", "unauthorized"):
            github.fault(fault, count=1)
            requests.get(f"{server.api}/orgs/psf?{fault}", timeout=10)
        valkey.kill()
        provoke(server.api)
        postgres.kill()
        provoke(server.api)
    lines = log.read_text().splitlines()
    assert len(lines) > 100
    passwords = [str(urlsplit(own[name]).password) for name in ("REDIS_URL", "DATABASE_URL")]
    for line in lines:
        shown = [each for each in (*SECRETS, *passwords) if each != "None" and each in line]
        assert not shown, line
        if SERVERS_OWN.match(line):
            continue
        if form == "json":
            assert {"time", "level", "logger", "message"} <= set(orjson.loads(line)), line
        else:
            assert PLAIN_LINE.match(line), line
