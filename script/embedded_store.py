"""One locally run store: a directory, at most one server on it, and a clean way in and out.

Policy: the server lives in a session of its own, so that Ctrl-C in a terminal never reaches it. It
inherits an flock on `<directory>/lock` and so holds it for exactly as long as any of its processes
lives: whoever finds the lock taken has found a leftover of a killed script, stops it, and only then
starts anew. A directory is used by one script at a time (`<directory>/owner`). As root the server
runs as an unprivileged account, which PostgreSQL insists on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar

import psutil

from script.accounts import AccountError, account_for, owner_name, spawn_for
from script.locks import inherited_lock, record_lock
from script.ports import free_port, port_is_free
from script.var import kept_secret, rotate

STOP_SECONDS = 5.0  # for each of its stop signals, before the next one
START_SECONDS = 60.0  # recovery of a killed server included


class StoreError(Exception):
    """A store that can't be had; the text is one line that says what to do."""


class Store(ABC):
    """A server on `directory`, bound to 127.0.0.1; port 0 means the last one used, or a free one.

    `start` returns once the server answers; `stop` once it is gone with its data written. The port
    and the URL stay the same over a restart of the same object.
    """

    name: ClassVar[str]  # as users know it, for messages
    executable: ClassVar[str]  # its process name
    url_variable: ClassVar[str]  # the setting that replaces it by a server of the user's own
    stop_signals: ClassVar[Sequence[signal.Signals]]  # each more insistent than the one before

    def __init__(self, directory: Path, port: int = 0, *, password: str | None = None) -> None:
        self.directory = directory.resolve()
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self._lock = self.directory / "lock"
        self._wanted_port = port
        self._given_password = password
        self._port: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._owner: IO[str] | None = None

    # --- what a store is made of -----------------------------------------------------------------

    @abstractmethod
    def _command(self) -> list[str]:
        """The server's command line; nothing secret in it, for everyone can list processes."""

    def _standard_input(self) -> bytes:
        """What the server reads first; the place for secrets."""
        return b""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data directory ready, once; safe to be killed in and to be run again."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server takes requests."""

    # --- what its users call ---------------------------------------------------------------------

    @property
    @abstractmethod
    def url(self) -> str:
        """The address with its password, as the setting named by `url_variable` takes it."""

    @property
    def port(self) -> int:
        if self._port is None:
            raise StoreError(f"{self.name} has not been started")
        return self._port

    @property
    def pid(self) -> int:
        if self._server is None:
            raise StoreError(f"{self.name} is not running")
        return self._server.pid

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    @property
    def password(self) -> str:
        """Generated at the first need, kept in `<directory>/password`, for this user only."""
        return self._given_password or kept_secret(self.directory / "password")

    def start(self) -> None:
        if self.running:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_ownership()
        try:
            self._stop_leftover()
            self._prepare()
            self._launch()
        except BaseException:
            self._finish()
            raise

    def stop(self) -> None:
        """Stop in order; what doesn't heed its signals in time is killed."""
        if self._server is not None:
            self._signal_all(signal.SIGCONT)
            self._stop_processes(self._family())
        self._finish()

    def kill(self) -> None:
        """SIGKILL, as a power cut would: nothing is written any more. `start` picks it up again."""
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                self._server.kill()
            self._server.wait()
            self._await_lock(STOP_SECONDS)
        self._finish()

    def clear(self) -> None:
        """Remove the data of a store that isn't running; a leftover server of it is stopped."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_ownership()
        try:
            self._stop_leftover()
            if self.data.exists():
                shutil.rmtree(self.data)
        finally:
            self._finish()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, as a hung machine."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    # --- starting --------------------------------------------------------------------------------

    def _take_ownership(self) -> None:
        """A record lock: unlike flock it isn't inherited by children that outlive this script."""
        try:
            owner = (self.directory / "owner").open("a+")
        except PermissionError:
            raise StoreError(
                f"{self.directory} belongs to {owner_name(self.directory)}: "
                f"run as that user, or remove it"
            ) from None
        if not record_lock(owner):
            owner.seek(0)
            pid = owner.read().strip() or "unknown"
            owner.close()
            raise StoreError(
                f"{self.name} in {self.directory} is in use by another script (pid {pid}): "
                f"stop that one first"
            )
        owner.truncate(0)
        owner.write(str(os.getpid()))
        owner.flush()
        self._owner = owner

    def _stop_leftover(self) -> None:
        with inherited_lock(self._lock) as lock:
            if lock is not None:
                return
        leftovers = [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == self.executable and process.info["cwd"] == str(self.data)
        ]
        self._stop_processes(leftovers)

    def _launch(self) -> None:
        """Start the server on its port; a port of no one's wish is changed where it is taken."""
        remembered = self.directory / "port"
        self._port = self._choose_port(remembered)
        rotate(self.log)
        with self.log.open("ab") as log, inherited_lock(self._lock) as lock:
            if lock is None:
                raise StoreError(f"{self.name} in {self.directory} is still running: stop it first")
            began = log.tell()
            server = self._spawn(self._command(), log, lock.fileno())
            # From here on the server alone holds the lock: ours closes at the end of this block.
        self._server = server
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if server.poll() is not None or time.monotonic() > deadline:
                raise StoreError(self._why_not(began))
            time.sleep(0.005)
        remembered.write_text(str(self._port))

    def _choose_port(self, remembered: Path) -> int:
        if self._wanted_port:
            if not port_is_free(self._wanted_port):
                raise StoreError(
                    f"port {self._wanted_port}, wanted for {self.name}, is taken by another "
                    f"program: stop that, or set {self.url_variable}"
                )
            return self._wanted_port
        if self._port is None:
            with contextlib.suppress(FileNotFoundError, ValueError):
                self._port = int(remembered.read_text())
        if self._port is not None and port_is_free(self._port):
            return self._port
        return free_port()

    def _spawn(self, command: list[str], log: IO[bytes], lock: int) -> subprocess.Popen[bytes]:
        server = self._popen(command, output=log, pass_fds=(lock,))
        assert server.stdin is not None
        with contextlib.suppress(BrokenPipeError), server.stdin:  # it ended at once: _why_not tells
            server.stdin.write(self._standard_input())
        return server

    def _popen(
        self, command: list[str], *, output: IO[bytes], pass_fds: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        try:
            return spawn_for(self.data, command, output=output, pass_fds=pass_fds)
        except AccountError as error:
            raise StoreError(str(error)) from None

    def _make_data(self, directory: Path) -> None:
        """An empty directory that the server's account may write."""
        directory.mkdir(mode=0o700)
        try:
            account = account_for(self.data)
        except AccountError as error:
            raise StoreError(str(error)) from None
        if account:
            os.chown(directory, account.pw_uid, account.pw_gid)

    def _why_not(self, began: int) -> str:
        with self.log.open("rb") as log:
            log.seek(began)
            lines = log.read().decode(errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no word from it")
        return f"{self.name} did not start ({last}); its log: {self.log}"

    # --- ending ----------------------------------------------------------------------------------

    def _family(self) -> list[psutil.Process]:
        if self._server is None:
            return []
        try:
            parent = psutil.Process(self._server.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _stop_processes(self, processes: list[psutil.Process]) -> None:
        """Ask those without a parent among `processes`; the others follow it."""
        pids = {process.pid for process in processes}
        for number in (*self.stop_signals, signal.SIGKILL):
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if number == signal.SIGKILL or process.ppid() not in pids:
                        process.send_signal(number)
            if self._await_lock(STOP_SECONDS):
                return
        raise StoreError(f"{self.name} in {self.directory} can't be stopped (pids {sorted(pids)})")

    def _await_lock(self, seconds: float) -> bool:
        """Wait for the end of every process that holds the lock; False after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with inherited_lock(self._lock) as lock:
                if lock is not None:
                    return True
            if self._server is not None:
                self._server.poll()
            time.sleep(0.005)
        return False

    def _finish(self) -> None:
        if self._server is not None:
            if self._server.poll() is None:  # only after a failed start
                self._server.kill()
            self._server.wait()
            self._server = None
        if self._owner is not None:
            self._owner.close()
            self._owner = None
