"""Which settings script/server runs Forewarm with, decided before anything is started.

Policy: what the user's environment says is left alone. What it doesn't say is filled in for one
machine: loopback, embedded stores, a kept secret key. Without any way to GitHub, or with --demo,
GitHub is the stand-in, and then no real credential reaches it, nor its data the real stores.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path

from webapp.settings_table import SETTINGS

# Any of these says that the user means the real GitHub, or one of their own.
WAYS_TO_GITHUB = ("GITHUB_API_URL", "GITHUB_TOKEN", "GITHUB_TOKENS", "GITHUB_APP_ID")
CREDENTIALS = (
    "GITHUB_TOKEN",
    "GITHUB_TOKENS",
    "GITHUB_APP_ID",
    "GITHUB_APP_PRIVATE_KEY",
    "GITHUB_PUBLIC_TOKEN",
)
_VARIABLES = frozenset(row.variable for row in SETTINGS)
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What script/server is about to run."""

    host: str
    port: str  # as given: Settings is who parses it, or refuses
    demo: bool
    why_demo: str  # for the terminal; "" where it isn't
    embed_redis: bool
    embed_database: bool

    @property
    def address(self) -> str:
        """The base of every URL that the terminal shows."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class StandInGitHub:
    """Where the stand-in listens, and the token that it takes for the service's."""

    url: str
    token: str
    webhook_secret: str


DEMO_WATCH = "pallets, psf/requests"


def plan(environ: Mapping[str, str], *, demo: bool = False, port: str | None = None) -> Plan:
    """Decide from the user's environment and the command line's `--demo` and `--port`."""
    ways = [name for name in WAYS_TO_GITHUB if environ.get(name)]
    why_demo = ""
    if demo:
        why_demo = "--demo was given"
    elif not ways:
        why_demo = "no GITHUB_TOKEN is set"
    return Plan(
        host=environ.get("HOST") or "127.0.0.1",
        port=port or environ.get("PORT") or "8000",
        demo=bool(why_demo),
        why_demo=why_demo,
        embed_redis=not environ.get("REDIS_URL"),
        embed_database=not environ.get("DATABASE_URL"),
    )


def environment(
    chosen: Plan,
    environ: Mapping[str, str],
    *,
    redis_url: str,
    database_url: str,
    secret_key: str,
    github: StandInGitHub | None,
) -> dict[str, str]:
    """The environment of web, worker, scheduler and release.

    `redis_url` and `database_url` count where the plan embeds; `github` is given for a demo.
    """
    result = {
        **environ,
        "HOST": chosen.host,
        "PORT": chosen.port,
        "SECRET_KEY": environ.get("SECRET_KEY") or secret_key,
        "DEMO": "on" if chosen.demo else "off",
        "PYTHONUNBUFFERED": "1",  # lines as they come, though standard output is a pipe
    }
    if chosen.embed_redis:
        result["REDIS_URL"] = redis_url
    if chosen.embed_database:
        result["DATABASE_URL"] = database_url
    if github is not None:
        for name in CREDENTIALS:
            result.pop(name, None)
        result["GITHUB_API_URL"] = github.url
        result["GITHUB_TOKEN"] = github.token
        result["GITHUB_WEBHOOK_SECRET"] = github.webhook_secret
        result.setdefault("WATCH", DEMO_WATCH)
    if not environ.get("ANONYMOUS_SCOPE") and (chosen.demo or chosen.host in LOOPBACK_HOSTS):
        result["ANONYMOUS_SCOPE"] = "service"
    return result


def as_shell(environ: Mapping[str, str]) -> str:
    """var/env: Forewarm's own settings among `environ`, for `.` in a shell."""
    names = (name for name in sorted(environ) if _is_setting(name))
    return "".join(f"{name}={shlex.quote(environ[name])}\n" for name in names)


def _is_setting(name: str) -> bool:
    return name in _VARIABLES or name.startswith("ELASTIC_APM_")


def data_directory(var: Path, chosen: Plan) -> Path:
    """Where the embedded stores live: made-up data never beside the real."""
    return var / "demo" if chosen.demo else var
