"""What is compared: Forewarm in its variants, and peers in front of the same stand-in GitHub.

Each is one process that answers (nginx and Varnish have a parent beside it) unless more are
wanted, on the same core, with answers kept as long, over kept-alive connections, gzipped for who
takes gzip. Varnish is one process however many are wanted.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.peers.packages import path_of
from benchmarks.serving import SERVER_CORE, Ground, granian, gunicorn, started, stop, wait_ready
from script.ports import free_port
from tests.standin.accounts import SERVICE_TOKEN

FRESH = 3 * 3600
PEERS = Path(__file__).parent / "peers"
WARMING_PATH = "/rate_limit"
"""What is asked for until a server answers: nothing that is measured."""

Launch = tuple[list[str], dict[str, str]]
"""A command and its environment."""
Server = Callable[[str, int, int], list[str]]
"""The command that serves an application on a port with so many processes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subject is started on; answers are kept for `fresh` seconds."""

    ground: Ground
    port: int
    fresh: int
    workers: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A server that runs; `base` is what GitHub's paths are appended to."""

    name: str
    base: str
    process: subprocess.Popen[bytes]
    ours: bool

    @property
    def pid(self) -> int:
        """Of the parent of all its processes."""
        return self.process.pid


@dataclass(frozen=True, slots=True)
class Kind:
    """How a subject is started; `needs` is a program that must be there."""

    launch: Callable[[Terms], Launch]
    prefix: str = ""
    needs: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is Forewarm."""
        return bool(self.prefix)


def _forewarm(server: Server, **settings: str) -> Kind:
    def launch(terms: Terms) -> Launch:
        own = {
            **terms.ground.settings,
            "CACHE_FRESH_REPO": str(terms.fresh),
            "PORT": str(terms.port),
            **settings,
        }
        return server("wsgi:app", terms.port, terms.workers), own

    return Kind(launch, prefix="/api/v3")


def _flask(server: Server, module: str) -> Kind:
    def launch(terms: Terms) -> Launch:
        environ = {
            "REDIS_URL": terms.ground.settings["REDIS_URL"],
            "GITHUB_API_URL": terms.ground.github.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "FRESH": str(terms.fresh),
        }
        return server(f"benchmarks.peers.{module}:app", terms.port, terms.workers), environ

    return Kind(launch)


def _filled(template: str, terms: Terms) -> Path:
    """A peer's configuration with its names filled in, in a directory of its own."""
    folder = terms.ground.directory / f"{Path(template).stem}-{terms.port}"
    folder.mkdir()
    github = urlsplit(terms.ground.github.url)
    text = (PEERS / template).read_text(encoding="utf-8")
    for name, value in {
        "DIRECTORY": str(folder),
        "USER": "user root;" if os.geteuid() == 0 else "",  # the directory is ours alone
        "PORT": str(terms.port),
        "WORKERS": str(terms.workers),
        "GITHUB": github.netloc,
        "HOST": str(github.hostname),
        "GITHUB_PORT": str(github.port),
        "TOKEN": SERVICE_TOKEN,
        "FRESH": str(terms.fresh),
    }.items():
        text = text.replace(f"@{name}@", value)
    found = folder / template
    found.write_text(text, encoding="utf-8")
    return found


def _nginx(terms: Terms) -> Launch:
    configuration = _filled("nginx.conf", terms)
    command = [path_of("nginx") or "nginx", "-p", str(configuration.parent)]
    return [*command, "-c", str(configuration), "-e", str(configuration.parent / "error.log")], {}


_VARNISH_LOGS = (
    *("Begin", "End", "Link", "SessOpen", "SessClose", "Timestamp", "Hit", "Filters"),
    *("ReqStart", "ReqMethod", "ReqURL", "ReqProtocol", "ReqHeader", "ReqUnset", "ReqAcct"),
    *("RespProtocol", "RespStatus", "RespReason", "RespHeader", "RespUnset"),
    *("VCL_acl", "VCL_call", "VCL_return", "VCL_use"),
)
"""What Varnish notes in shared memory of a hit, always but when it is told not to."""


def _varnish_unlogged(terms: Terms) -> Launch:
    command, environ = _varnish(terms)
    return [*command, "-p", f"vsl_mask={','.join(f'-{tag}' for tag in _VARNISH_LOGS)}"], environ


def _varnish(terms: Terms) -> Launch:
    vcl = _filled("varnish.vcl", terms)
    return [
        *(path_of("varnishd") or "varnishd", "-F", "-n", str(vcl.parent / "run")),
        *("-f", str(vcl), "-a", f"127.0.0.1:{terms.port}", "-s", "malloc,256m", "-j", "none"),
        # One pool, as there is one core; a thread waits on each busy connection.
        *("-p", "thread_pools=1", "-p", "thread_pool_min=50", "-p", "thread_pool_max=1000"),
        *("-p", "timeout_idle=3600", "-p", "listen_depth=2048"),
    ], {}


NGINX, VARNISH, VARNISH_UNLOGGED = "nginx", "Varnish", "Varnish, no log"
NEAR, REDIS = "Forewarm, near", "Forewarm, Redis"
NEAR_GUNICORN = "Forewarm, near, gunicorn"
CACHED_GRANIAN, CACHED_GUNICORN = "Flask-Caching, granian", "Flask-Caching, gunicorn"
REQUESTS_CACHE, NO_CACHE = "requests-cache", "no cache"

KINDS: dict[str, Kind] = {
    VARNISH: Kind(_varnish, needs="varnishd"),
    VARNISH_UNLOGGED: Kind(_varnish_unlogged, needs="varnishd"),
    NGINX: Kind(_nginx, needs="nginx"),
    NEAR: _forewarm(granian),
    REDIS: _forewarm(granian, NEAR_MB="0"),
    NEAR_GUNICORN: _forewarm(gunicorn),
    CACHED_GRANIAN: _flask(granian, "with_flask_caching"),
    CACHED_GUNICORN: _flask(gunicorn, "with_flask_caching"),
    REQUESTS_CACHE: _flask(granian, "with_requests_cache"),
    NO_CACHE: _flask(granian, "without_cache"),
}
"""By name, in the tables' order."""


def absent(names: Sequence[str] = tuple(KINDS)) -> tuple[str, ...]:
    """Why which of these are left out, a line each."""
    return tuple(
        f"{name}: {KINDS[name].needs} is not installed"
        for name in names
        if KINDS[name].needs and path_of(KINDS[name].needs) is None
    )


@contextmanager
def running(
    ground: Ground,
    names: Sequence[str],
    fresh: int = FRESH,
    workers: int = 1,
    core: int | None = SERVER_CORE,
) -> Iterator[dict[str, Subject]]:
    """Those of them that are installed, all started at once and ready; by name, in their order."""
    with ExitStack() as stack:
        found: dict[str, Subject] = {}
        for name in names:
            kind = KINDS[name]
            if kind.needs and path_of(kind.needs) is None:
                continue
            port = free_port()
            process = started(*kind.launch(Terms(ground, port, fresh, workers)), core)
            stack.callback(stop, process)
            base = f"http://127.0.0.1:{port}{kind.prefix}"
            found[name] = Subject(name, base, process, kind.ours)
        for subject in found.values():
            wait_ready(subject.process, subject.base + WARMING_PATH)
        yield found
