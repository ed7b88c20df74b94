"""script/server: Forewarm on this machine, from nothing to /readyz, and back to nothing.

    stores, stand-in GitHub   started first, stopped last, data in var/
    release                   first and apart: the others need its tables
    web, worker, scheduler    of the Procfile; where one ends, all end

Policy: say what is wrong in one line, before anything is started where that can be known; leave no
process behind, whatever the reason to stop.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import resource
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from script.embedded import (
    Postgres,
    Store,
    StoreError,
    Valkey,
    start_together,
    stop_together,
)
from script.interruption import Interrupted, Interruption
from script.local_settings import (
    Plan,
    StandInGitHub,
    as_shell,
    data_directory,
    environment,
    plan,
)
from script.ports import LOOPBACK, free_port, port_is_free
from script.processes import Process, Terminal, procfile_commands, stop
from script.single_server import AlreadyRunning, SingleServer
from script.var import ROOT, VAR, kept_secret, write_privately
from webapp.errors import SettingsError
from webapp.settings import Settings

RUN = ("web", "worker", "scheduler")
STAND_IN = "github"
WORK_SECONDS = 20.0  # what web and worker are given to finish their work (DESIGN.md, section 8)
STAND_IN_SECONDS = 3.0
OPEN_FILES = 65_536  # a thousand clients need more than the 1,024 that many systems start with


class Refusal(Exception):
    """script/server can't do as asked; one line that says why and what would do."""


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/server",
        description=(
            "Run Forewarm on this machine: embedded Valkey and PostgreSQL (data in var/) unless "
            "REDIS_URL and DATABASE_URL are set, then web, worker and scheduler. Without "
            "GITHUB_TOKEN, GITHUB_TOKENS, a GitHub App or GITHUB_API_URL it is a demo: GitHub is "
            "a stand-in with made-up data. Ctrl-C stops everything."
        ),
    )
    parser.add_argument("--demo", action="store_true", help="the demo, whatever is set")
    parser.add_argument("--port", help="where to listen (default: PORT, else 8000)")
    return parser.parse_args(argv)


def refuse_bad_settings(chosen: Plan, environ: Mapping[str, str]) -> None:
    """What Settings would refuse later, now; with names for what is only known once it runs."""
    trial = environment(
        chosen,
        environ,
        redis_url="redis://127.0.0.1:1/0",
        database_url="postgresql://127.0.0.1:1/forewarm",
        secret_key="-" * 32,
        github=None,
    )
    try:
        Settings.from_env(trial)
    except SettingsError as error:
        raise Refusal(str(error)) from None


def refuse_taken_port(chosen: Plan) -> None:
    if not port_is_free(int(chosen.port), chosen.host):
        raise Refusal(
            f"port {chosen.port} is taken by another program: stop it, "
            f"or give another one (PORT={int(chosen.port) + 1} script/server)"
        )


def stand_in_port(data: Path) -> tuple[int, bool]:
    """The stand-in's port, and whether it is the one of last time.

    It should be: its address is in the demo's archived answers, links and all.
    """
    remembered = data / "github-port"
    with contextlib.suppress(FileNotFoundError, ValueError):
        port = int(remembered.read_text())
        if port_is_free(port):
            return port, True
    data.mkdir(parents=True, exist_ok=True)
    port = free_port()
    remembered.write_text(str(port))
    return port, False


class LocalServer:
    """All that runs, in the order of the module's drawing."""

    def __init__(
        self,
        chosen: Plan,
        environ: Mapping[str, str],
        single: SingleServer,
        interruption: Interruption,
    ) -> None:
        self.chosen = chosen
        self.environ = environ
        self.single = single
        self.interruption = interruption
        self.commands = procfile_commands(ROOT / "Procfile")
        names = (*RUN, *([STAND_IN] if chosen.demo else []))
        self.terminal = Terminal(names)
        self.data = data_directory(VAR, chosen)
        self.valkey = Valkey(self.data / "valkey")
        self.postgres = Postgres(self.data / "postgres")
        self.github: Process | None = None  # the stand-in
        self.stores: list[Store] = []  # those that the plan embeds
        if chosen.embed_redis:
            self.stores.append(self.valkey)
        if chosen.embed_database:
            self.stores.append(self.postgres)

    def run(self) -> int:
        """Until Ctrl-C, SIGTERM or the end of a process; the exit status."""
        with contextlib.ExitStack() as stack:
            github = stack.enter_context(self.stand_in()) if self.chosen.demo else None
            stack.callback(stop_together, self.stores)
            start_together(self.stores)
            self.interruption.check()
            environ = environment(
                self.chosen,
                self.environ,
                redis_url=self.valkey.url if self.chosen.embed_redis else "",
                database_url=self.postgres.url if self.chosen.embed_database else "",
                secret_key=kept_secret(VAR / "secret-key"),
                github=github,
            )
            write_privately(VAR / "env", as_shell(environ))
            stack.callback((VAR / "env").unlink, missing_ok=True)
            self.release(environ)
            self.await_stand_in()
            return self.supervise(environ, github)

    # --- the parts -------------------------------------------------------------------------------

    def start(self, name: str, command: str, environ: Mapping[str, str]) -> Process:
        process = Process(name, command, environ, ROOT, self.terminal)
        self.single.started(process.pid)
        return process

    @contextlib.contextmanager
    def stand_in(self) -> Iterator[StandInGitHub]:
        """The stand-in GitHub, listening by the time that anything asks it."""
        from tests.standin.accounts import SERVICE_TOKEN  # noqa: PLC0415 - for a demo alone

        port, as_before = stand_in_port(self.data)
        if not as_before:
            for store in self.stores:
                store.clear()
        python = shlex.quote(sys.executable)
        command = f"exec {python} -m tests.standin --port {port} --demo --traffic"
        self.github = process = self.start(STAND_IN, command, self.environ)
        try:
            yield StandInGitHub(
                url=f"http://{LOOPBACK}:{port}",
                token=SERVICE_TOKEN,
                webhook_secret=kept_secret(VAR / "demo-webhook-secret"),
            )
        finally:
            stop([process], STAND_IN_SECONDS)

    def await_stand_in(self) -> None:
        """It started long before this, beside the stores and the release."""
        if self.github is None:
            return
        port = int((self.data / "github-port").read_text())
        while port_is_free(port):
            if self.github.returncode is not None:
                raise Refusal("the stand-in GitHub ended by itself; see above")
            self.interruption.check()
            time.sleep(0.02)

    def release(self, environ: Mapping[str, str]) -> None:
        process = self.start("release", self.commands["release"], environ)
        try:
            while process.returncode is None:
                self.interruption.check()
                time.sleep(0.01)
        finally:
            stop([process], STAND_IN_SECONDS)
        if process.returncode:
            raise Refusal(f"the release step failed ({self.commands['release']}); see above")

    def supervise(self, environ: Mapping[str, str], github: StandInGitHub | None) -> int:
        """Start and watch web, worker and scheduler; the exit status once all have ended."""
        processes = [self.start(name, self.commands[name], environ) for name in RUN]
        watched = [*processes, *([self.github] if self.github else [])]
        ready = False
        try:
            while not self.interruption.status:
                for process in watched:
                    if process.returncode is not None:
                        self.terminal.show(
                            f"{process.name} ended by itself (status {process.returncode}): "
                            f"stopping the rest; its last lines above say why"
                        )
                        return 1
                for store in [store for store in self.stores if not store.running]:
                    self.stores.remove(store)
                    self.terminal.show(f"{store.name} ended by itself; its log: {store.log}")
                if not ready and is_ready(self.chosen):
                    ready = True
                    if github:
                        self.hook(github)
                    self.greet()
                time.sleep(0.05)
            self.terminal.show("stopping …")
            return self.interruption.status
        finally:
            for name in stop(processes, WORK_SECONDS):
                self.terminal.show(f"{name} didn't stop within {WORK_SECONDS:.0f} s: killed")

    def hook(self, github: StandInGitHub) -> None:
        """Have the stand-in send its webhooks here, so that the demo's changes show at once."""
        from tests.standin.orders import Orders  # noqa: PLC0415 - for a demo alone

        with contextlib.closing(Orders(github.url)) as orders:
            orders.hook(f"{self.chosen.address}/webhooks/github", github.webhook_secret)

    def greet(self) -> None:
        address = self.chosen.address
        github = self.environ.get("GITHUB_API_URL") or "https://api.github.com"
        if self.chosen.demo:
            github = f"a stand-in with made-up data ({self.chosen.why_demo})"
        lines = (
            f"Forewarm is ready: {address}/",
            f"base URL for GitHub clients: {address}/api/v3",
            f"GitHub: {github}",
            f"try it, twice: curl -i {address}/api/v3/orgs/pallets/repos",
            "Ctrl-C stops everything",
        )
        for line in lines:
            self.terminal.show(line)


def is_ready(chosen: Plan) -> bool:
    host = LOOPBACK if chosen.host in ("0.0.0.0", "::") else chosen.host  # noqa: S104
    connection = http.client.HTTPConnection(host, int(chosen.port), timeout=0.5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(argv: list[str]) -> int:
    given = arguments(argv)
    interruption = Interruption()
    environ = dict(os.environ)
    chosen = plan(environ, demo=given.demo, port=given.port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        refuse_bad_settings(chosen, environ)
        single = SingleServer(VAR / "server.json", chosen.address)
        with contextlib.closing(single):
            single.end_left_over(ROOT)
            refuse_taken_port(chosen)
            return LocalServer(chosen, environ, single, interruption).run()
    except (Refusal, AlreadyRunning, StoreError) as error:
        print(f"script/server: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        return interrupted.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
