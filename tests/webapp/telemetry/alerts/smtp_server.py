"""A small, real mail server for tests: EHLO, STARTTLS, AUTH PLAIN and LOGIN, one thread a client.

It says what it is told to say (`refuse`), so that each kind of failure is a real answer.
"""

from __future__ import annotations

import base64
import queue
import socketserver
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.threaded import Threaded
from tests.webapp.telemetry.alerts.runs import START


@dataclass(frozen=True, slots=True)
class Mailed:
    """What a client handed over."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage
    private: bool
    login: str


@dataclass
class Behaviour:
    """How the server answers. `refuse` is by command: the line it gives instead."""

    tls: ssl.SSLContext | None = None
    offers_starttls: bool = False
    offers_auth: bool = True
    refuse: dict[str, str] = field(default_factory=dict)


class SmtpServer(Threaded):
    """Listens on loopback, on a port of its own."""

    def __init__(self, behaviour: Behaviour | None = None, *, smtps: bool = False) -> None:
        self.behaviour = behaviour or Behaviour()
        self.commands: list[str] = []
        received: queue.Queue[Mailed] = queue.Queue()
        self._received = received
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _Conversation(self.request, outer, received, private=smtps).run()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self) -> tuple[Any, Any]:
                sock, address = super().get_request()
                if smtps:
                    assert outer.behaviour.tls
                    sock = outer.behaviour.tls.wrap_socket(sock, server_side=True)
                return sock, address

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is what some tests are about."""

        server = Server(("127.0.0.1", 0), Handler)
        super().__init__(server)
        self.port = server.server_address[1]

    def next(self, timeout: float = 5.0) -> Mailed:
        return self._received.get(timeout=timeout)

    @property
    def waiting(self) -> int:
        return self._received.qsize()


class _Conversation:
    def __init__(
        self, sock: Any, server: SmtpServer, received: queue.Queue[Mailed], *, private: bool
    ) -> None:
        self.server, self.received, self.private = server, received, private
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.sender, self.to, self.login = "", [], ""
        self.to = list[str]()

    def say(self, *lines: str) -> None:
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        return str(self.lines.readline().decode().rstrip("\r\n"))

    def run(self) -> None:
        self.say(self.server.behaviour.refuse.get("CONNECT", "220 test ESMTP"))
        while line := self.hear():
            command = line.split(":")[0].split(" ")[0].upper()
            self.server.commands.append(command)
            refused = self.server.behaviour.refuse.get(command)
            if refused:
                self.say(refused)
                continue
            if command == "QUIT":
                self.say("221 bye")
                break
            getattr(self, f"do_{command.lower()}", self.unknown)(line)
        self.lines.close()
        self.sock.close()

    def unknown(self, line: str) -> None:
        self.say("502 no such command")

    def do_ehlo(self, line: str) -> None:
        behaviour = self.server.behaviour
        offers = ["250-test"]
        if behaviour.offers_starttls and not self.private:
            offers.append("250-STARTTLS")
        if behaviour.offers_auth:
            offers.append("250-AUTH PLAIN LOGIN")
        self.say(*offers, "250 8BITMIME")

    def do_starttls(self, line: str) -> None:
        self.say("220 go on")
        tls = self.server.behaviour.tls
        assert tls
        self.lines.close()
        self.sock = tls.wrap_socket(self.sock, server_side=True)
        self.lines = self.sock.makefile("rb")
        self.private = True

    def do_auth(self, line: str) -> None:
        said = base64.b64decode(line.split(" ")[2]).decode()
        self.login = said.replace("\0", " ").strip()
        self.say("235 welcome")

    def do_mail(self, line: str) -> None:
        self.sender = _address(line)
        self.say("250 fine")

    def do_rcpt(self, line: str) -> None:
        refused = self.server.behaviour.refuse.get(_address(line))
        if refused:
            self.say(refused)
            return
        self.to.append(_address(line))
        self.say("250 fine")

    def do_rset(self, line: str) -> None:
        self.say("250 fine")

    def do_data(self, line: str) -> None:
        self.say("354 go on")
        data = b""
        while (line_ := self.lines.readline()) not in {b".\r\n", b""}:
            data += line_.removeprefix(b".")
        message = message_from_bytes(data, policy=policy.default)
        assert isinstance(message, EmailMessage)
        mailed = Mailed(self.sender, tuple(self.to), message, self.private, self.login)
        self.received.put(mailed)
        self.say("250 taken")


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def certified(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    years = timedelta(days=3650)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START - years)
        .not_valid_after(START + years)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.create_default_context(
        cadata=certificate.public_bytes(serialization.Encoding.PEM).decode()
    )
    return server, client
