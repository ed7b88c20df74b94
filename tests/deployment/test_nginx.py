"""The nginx recipe in front of a real web process: TLS, large bodies, kept connections, and nothing
that a client says of itself believed.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from script.embedded import Postgres, Valkey
from script.ports import free_port
from script.var import ROOT
from tests.deployment.tls import self_signed
from tests.serving import API_KEY, serve
from tests.standin.process import StandIn
from tests.standin.webhooks import signature
from tests.webapp.delivering import SECRET
from tests.webapp.lasting import lasting_environ
from tests.workers.processes import wait_for

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
NAME = "forewarm.example.com"
MEGABYTE = 1024 * 1024

pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx here")


@dataclass
class Front:
    """nginx by the recipe."""

    port: int
    web: psutil.Process
    web_port: int

    def ask(self, path: str, method: str = "GET", **options: object) -> requests.Response:
        headers: dict[str, str] = {"Host": f"{NAME}:{self.port}"}
        headers.update(options.pop("headers", {}))  # type: ignore[call-overload]
        return requests.request(
            method, f"https://127.0.0.1:{self.port}{path}", headers=headers, timeout=15,
            verify=False, **options,  # type: ignore[arg-type]
        )  # fmt: skip

    def deliver(self, size: int) -> requests.Response:
        """A signed webhook of so many bytes."""
        body = b'{"zen": "' + b"x" * (size - 11) + b'"}'
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": signature(SECRET, body),
        }
        return self.ask("/webhooks/github", "POST", data=body, headers=headers)


def recipe(room: Path, tls: int, plain: int, web: int) -> Path:
    """The recipe with this machine's ports and certificate, in the least of configurations."""
    text = (ROOT / "deploy" / "nginx" / "forewarm.conf").read_text()
    pem = self_signed(room)
    for old, new in (
        ("127.0.0.1:8000", f"127.0.0.1:{web}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{tls} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("    listen [::]:443 ssl;\n", ""),
        ("    listen [::]:80;\n", ""),
        ("/etc/ssl/forewarm/fullchain.pem", str(pem)),
        ("/etc/ssl/forewarm/privkey.pem", str(pem)),
    ):
        assert old in text
        text = text.replace(old, new)
    main = room / "nginx.conf"
    temporary = "".join(
        f"    {kind}_temp_path {room}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main.write_text(
        # One process, of who tests: a worker of another user couldn't keep bodies in this folder.
        f"daemon off;\nmaster_process off;\npid {room}/pid;\nerror_log {room}/error.log;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{temporary}{text}\n}}\n"
    )
    return main


@pytest.fixture(scope="module")
def front(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    assert NGINX is not None
    room = tmp_path_factory.mktemp("nginx")
    with lasting_environ(valkey, postgres, standin, "nginx") as environ:
        tls = free_port()
        settings = {
            **environ,
            "PUBLIC_URL": f"https://{NAME}:{tls}",
            "TRUSTED_PROXIES": "1",
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "NEAR_MB": "16",
        }
        with serve(settings, room / "web.log") as server:
            web_port = int(server.url.rpartition(":")[2])
            main = recipe(room, tls, free_port(), web_port)
            subprocess.run([NGINX, "-t", "-q", "-p", room, "-c", main], check=True)
            process = subprocess.Popen([NGINX, "-p", room, "-c", main])
            running = Front(tls, psutil.Process(server.process.pid).children()[0], web_port)
            try:
                wait_for(lambda: _answers(running), "answer of nginx", 10)
                yield running
            finally:
                process.terminate()
                process.wait(10)


def _answers(front: Front) -> bool:
    try:
        return front.ask("/healthz").ok
    except requests.ConnectionError:
        return False


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
class TestNginx:
    """Its certificate is its own word."""

    def test_the_mirror_answers_with_links_to_its_public_name(self, front: Front) -> None:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        answers = [front.ask("/api/v3/orgs/pallets/repos", headers=headers) for _ in range(2)]
        assert answers[1].headers["X-Cache"] == "HIT"
        assert answers[1].links["next"]["url"].startswith(f"https://{NAME}:{front.port}/api/v3/")

    def test_hits_are_answered_before_flask(self, front: Front) -> None:
        """Only there is near looked at; it is there once it has subscribed to purges."""
        headers = {"Authorization": f"Bearer {API_KEY}"}

        def is_near() -> bool:
            answer = front.ask("/api/v3/repos/pallets/flask", headers=headers)
            return answer.headers["Cache-Status"].endswith("detail=near")

        wait_for(is_near, "hit from near", 10)

    def test_connections_to_web_are_kept(self, front: Front) -> None:
        used = []
        for _ in range(10):
            front.ask("/healthz")  # on a connection of its own to nginx
            used += [
                each.raddr
                for each in front.web.net_connections("tcp4")
                if each.raddr and each.laddr.port == front.web_port
            ]
        assert len(used) >= 10
        assert len(set(used)) == 1

    def test_another_host_is_refused_whatever_is_claimed(self, front: Front) -> None:
        claims = {"Host": "evil.example", "X-Forwarded-Host": NAME}
        assert front.ask("/api/v3/orgs/pallets", headers=claims).status_code == 400

    def test_what_a_client_claims_of_itself_opens_nothing(self, front: Front) -> None:
        claims = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
        assert front.ask("/", headers=claims).status_code in {401, 403}

    def test_githubs_largest_webhook_passes(self, front: Front) -> None:
        assert front.deliver(25 * MEGABYTE - 1).status_code == 202

    def test_a_larger_body_is_refused_at_the_door(self, front: Front) -> None:
        assert front.deliver(25 * MEGABYTE + 1).status_code == 413
