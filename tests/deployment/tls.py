"""TLS in front of stores whose wheels are built without it, with a certificate nobody signed.

    with TlsFront(valkey.port, redis_first, pem) as front: ...     front.port speaks TLS

As a platform's stores do, it takes nothing in the clear.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHUNK = 65_536
# https://www.postgresql.org/docs/18/protocol-message-formats.html
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)
IN_THE_CLEAR = b"SFATAL\0C28000\0Mno encryption\0\0"

Opening = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]
"""What comes before the first byte of TLS; False ends the connection."""


def self_signed(directory: Path) -> Path:
    """A PEM of a key and of its own certificate, for a name that isn't the server's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somewhere.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = directory / "self-signed.pem"
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return pem


async def redis_first(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> bool:
    """rediss:// begins with TLS."""
    return True


async def postgresql_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """PostgreSQL's clients ask for it; who doesn't is refused."""
    while (asked := await reader.readexactly(8)) == GSS_REQUEST:
        writer.write(b"N")
    if asked != SSL_REQUEST:
        writer.write(b"E" + struct.pack("!i", len(IN_THE_CLEAR) + 4) + IN_THE_CLEAR)
        return False
    writer.write(b"S")
    return True


class TlsFront:
    """Every connection through it is counted."""

    def __init__(self, to_port: int, opening: Opening, pem: Path) -> None:
        self._to_port = to_port
        self._opening = opening
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.open = 0
        """Connections now."""
        self.most = 0
        """Connections at the busiest moment."""

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._join, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for the ends to be let go of

    def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        ends = [writer]
        try:
            if not await self._opening(reader, writer):
                await _finish(writer)
                return
            await writer.start_tls(self._context)
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._to_port)
            ends.append(ours)
            await asyncio.gather(_carry(reader, ours), _carry(theirs, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            for end in ends:
                end.transport.abort()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
    await _finish(sink)


async def _finish(sink: asyncio.StreamWriter) -> None:
    """Close it once what was written is sent."""
    sink.close()
    with contextlib.suppress(OSError):
        await sink.wait_closed()
