"""One server a checkout; what a killed one left is ended by the next."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from script.single_server import AlreadyRunning, SingleServer
from script.var import ROOT

HOLD = """
import subprocess, sys
from pathlib import Path
from script.single_server import SingleServer
single = SingleServer(Path(sys.argv[1]), "http://127.0.0.1:8000")
left = subprocess.Popen(["sleep", "60"], cwd=sys.argv[2], start_new_session=True)
single.started(left.pid)
print(left.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "server.json"


@pytest.fixture
def other_server(record: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(record), str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def started_by(server: subprocess.Popen[str]) -> psutil.Process:
    assert server.stdout is not None
    return psutil.Process(int(server.stdout.readline()))


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_second_server_is_told_where_the_first_is(
    record: Path, other_server: subprocess.Popen[str]
) -> None:
    left = started_by(other_server)
    with pytest.raises(AlreadyRunning) as caught:
        SingleServer(record, "http://127.0.0.1:8001")
    left.kill()
    assert str(caught.value) == (
        f"another one runs in this checkout already: pid {other_server.pid}, http://127.0.0.1:8000"
    )


def test_what_a_killed_server_left_is_ended(
    record: Path, tmp_path: Path, other_server: subprocess.Popen[str]
) -> None:
    left = started_by(other_server)
    other_server.kill()
    other_server.wait()
    with closing(SingleServer(record, "http://127.0.0.1:8000")) as single:
        assert single.end_left_over(tmp_path) == 1
    assert ended(left)


def test_a_group_that_works_elsewhere_is_left_alone(
    record: Path, tmp_path: Path, other_server: subprocess.Popen[str]
) -> None:
    """Its number is somebody else's by now."""
    left = started_by(other_server)
    other_server.kill()
    other_server.wait()
    with closing(SingleServer(record, "http://127.0.0.1:8000")) as single:
        assert single.end_left_over(tmp_path / "elsewhere") == 0
    assert not ended(left)
    left.kill()


def test_a_server_that_stopped_well_leaves_nothing_to_end(record: Path, tmp_path: Path) -> None:
    with closing(SingleServer(record, "http://127.0.0.1:8000")) as single:
        single.started(1)
    with closing(SingleServer(record, "http://127.0.0.1:8000")) as single:
        assert single.end_left_over(tmp_path) == 0


def test_a_record_half_written_is_no_obstacle(record: Path, tmp_path: Path) -> None:
    record.write_text('{"pid": 1, "groups"')
    with closing(SingleServer(record, "http://127.0.0.1:8000")) as single:
        assert single.end_left_over(tmp_path) == 0
