"""`python -m tests.standin`: start a stand-in GitHub and serve until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from pathlib import Path

from tests.standin.control import PREFIX, Control
from tests.standin.github import GitHub
from tests.standin.message import Reply, Request
from tests.standin.shapes.site import Site
from tests.standin.traffic import Traffic
from tests.standin.wire import Connection
from tests.standin.world import Size

READY = "stand-in GitHub ready at"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="python -m tests.standin",
        description="A stand-in GitHub for tests, benchmarks and the demo.",
    )
    add = found.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    add("--orgs", type=int, default=10, help="organisations, at least (%(default)s)")
    add("--repos", type=int, default=200, help="repositories, at least (%(default)s)")
    add("--latency-ms", type=float, default=0.0, help="wait before each answer (%(default)s)")
    add("--seed", type=int, default=1, help="same seed, same world (%(default)s)")
    add("--demo", action="store_true", help="real, well-known organisations and repositories")
    add("--traffic", action="store_true", help="light, seeded changes that send webhooks")
    add("--no-limits", action="store_true", help="no rate limits, primary or secondary")
    add("--prefix", default="", help="path of the API root, as /api/v3 on GHES")
    add("--public-url", help="API root in bodies (the server's own)")
    add("--until-stdin-ends", action="store_true", help="end with whoever holds standard input")
    add("--app-key", help="PEM file with the public key of the GitHub App")
    return found


async def serve(options: argparse.Namespace) -> None:
    """Listen, say so, serve until told to stop."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server((options.host, options.port), family=family, backlog=1024)
    except OSError as error:
        sys.exit(f"stand-in: can't listen on {options.host}:{options.port}: {error.strerror}")
    port = listener.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    api = options.public_url or f"http://{host}:{port}{options.prefix}"
    size = Size(orgs=options.orgs, repos=options.repos, seed=options.seed, demo=options.demo)
    github = GitHub(size, Site(api.rstrip("/")), options.prefix.rstrip("/"))
    if options.app_key:
        github.apps.default_key = github.apps.public_key = Path(options.app_key).read_text()
    github.switches.latency_ms = options.latency_ms
    if options.no_limits:
        off = {"primary": False, "secondary": False}
        github.limits.numbers = github.limits.numbers.changed(off)
    control = Control(github)

    def handle(request: Request) -> Reply:
        if request.target.startswith(PREFIX):
            return control.handle(request)
        return github.handle(request)

    open_connections: set[Connection] = set()
    server = await loop.create_server(lambda: Connection(handle, open_connections), sock=listener)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.until_stdin_ends:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    print(f"{READY} http://{host}:{port}{options.prefix}", flush=True)
    traffic = None
    if options.traffic:
        traffic = loop.create_task(Traffic(github, options.seed).run())
    await stop.wait()
    if traffic is not None:
        traffic.cancel()
    server.close()
    for connection in list(open_connections):
        connection.close()


def main() -> None:
    options = parser().parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options))


if __name__ == "__main__":
    main()
