"""A line of TCP between a client and a real server, that can hang and be cut.

    with Wire(port) as wire:      # wire.port leads to 127.0.0.1:port
        wire.hang(); wire.flow(); wire.cut()

A hung line delivers nothing and loses nothing, as a network that drops packets.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

CHUNK = 65_536


class Wire:
    """Every connection through it shares its fate."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._flowing.set()

    def url(self, url: str, port: int) -> str:
        """A server's URL, through this line."""
        return url.replace(f":{port}/", f":{self.port}/")

    def hang(self) -> None:
        """Deliver nothing from now on."""
        self._flowing.clear()

    def flow(self) -> None:
        """Deliver again, what waited first."""
        self._flowing.set()

    def cut(self) -> None:
        """Close every connection; new ones are taken."""
        with self._lock:
            cut, self._open = self._open, set()
        for each in cut:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def lead(self, to_port: int) -> None:
        """To another server from now on; what is open stays with the one before."""
        self._to_port = to_port

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._to_port), 5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._open |= {client, server}
        for ends in ((client, server), (server, client)):
            threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                self._flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(each)
            each.close()
