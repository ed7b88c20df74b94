"""Processes of the Procfile: shown line by line, ended in order, with all that they started."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from script.processes import Process, Terminal, procfile_commands, stop


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Shell:
    """Starts shell commands and has all of them ended with the test."""

    def __init__(self, cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.output = io.StringIO()
        self._cwd = cwd
        self._started: list[Process] = []
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", self.output)
            self._terminal = Terminal(["web"])
        self._terminal._printer.output = self.output

    def __call__(self, command: str) -> Process:
        process = Process("web", command, dict(os.environ), self._cwd, self._terminal)
        self._started.append(process)
        return process

    def says(self, word: str) -> None:
        wait_until(lambda: word in self.output.getvalue())

    def end(self) -> None:
        for process in self._started:
            process.kill()
        stop(self._started, 5)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    found = Shell(tmp_path, monkeypatch)
    yield found
    found.end()


def test_a_procfile_is_read_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("# ours\nweb: serve --port ${PORT:-1}\nworker: work\n")
    assert list(procfile_commands(file).items()) == [
        ("web", "serve --port ${PORT:-1}"),
        ("worker", "work"),
    ]


def test_a_line_is_shown_with_its_process_s_name(shell: Shell) -> None:
    shell("echo hello")
    shell.says("web    | hello\n")


def test_words_on_standard_error_are_shown_too(shell: Shell) -> None:
    shell("echo trouble >&2")
    shell.says("web    | trouble\n")


def test_a_process_that_heeds_sigterm_is_not_killed(shell: Shell) -> None:
    process = shell("trap 'echo finished; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    shell.says("up")
    assert stop([process], 5) == []
    assert process.returncode == 0


def test_the_last_words_of_a_process_are_shown(shell: Shell) -> None:
    process = shell("trap 'echo finished; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    shell.says("up")
    stop([process], 5)
    assert "finished" in shell.output.getvalue()


def test_a_process_that_ignores_sigterm_is_killed_and_named(shell: Shell) -> None:
    process = shell("trap '' TERM; echo up; while :; do sleep 0.05; done")
    shell.says("up")
    assert stop([process], 0.2) == ["web"]


def test_all_are_asked_at_once(shell: Shell) -> None:
    slow = "trap 'sleep 0.5; exit 0' TERM; echo up $$; while :; do sleep 0.05; done"
    processes = [shell(slow) for _ in range(3)]
    for process in processes:
        shell.says(f"up {process.pid}")
    began = time.monotonic()
    assert stop(processes, 5) == []
    assert time.monotonic() - began < 1.4


def test_only_the_process_itself_is_asked(shell: Shell) -> None:
    """A worker's children would take a second SIGTERM for the order to drop their work."""
    child = "trap 'echo child asked' TERM; echo child up; while :; do sleep 0.05; done"
    process = shell(f"({child}) & trap 'exit 0' TERM; wait")
    shell.says("child up")
    process.ask_to_stop()
    wait_until(lambda: process.returncode == 0)
    assert "child asked" not in shell.output.getvalue()


def test_children_go_with_a_process_that_was_killed(shell: Shell) -> None:
    process = shell("sleep 60 & echo child $!; wait")
    shell.says("child ")
    child = psutil.Process(int(shell.output.getvalue().split("child ")[1].split()[0]))
    psutil.Process(process.pid).kill()
    wait_until(lambda: process.returncode is not None)
    assert not process.gone
    stop([process], 5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_the_end_of_a_process_is_seen_though_a_child_holds_its_output(shell: Shell) -> None:
    process = shell("sleep 60 & exit 3")
    wait_until(lambda: process.returncode == 3)


def test_ctrl_c_of_the_terminal_does_not_reach_it(shell: Shell) -> None:
    process = shell("echo up; sleep 60")
    shell.says("up")
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
