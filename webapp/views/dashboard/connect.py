"""How to connect: what runs, what to tell a client, who sees what, how long answers are fresh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Response

from webapp.errors import BrokerUnavailable
from webapp.hitpath import PREFIX
from webapp.policy import RESOURCES
from webapp.services import Services
from webapp.settings import Settings
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard
from webapp.views.health import readiness

State = Literal["ok", "warn", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that runs, or should: its state as an icon and a word, and what it is for."""

    name: str
    state: State
    word: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a page starts: what is, why, and what to do ("" where nothing is)."""

    state: State
    headline: str
    reason: str = ""
    action: str = ""


PURPOSES = {
    "Redis": "holds the answers that all processes share",
    "PostgreSQL": "remembers GitHub's validators, so that asking again is free",
    "GitHub": "the source; state as of the last question",
    "Worker": "does what is queued",
    "Scheduler": "queues what is due each minute",
}
_WORDS: Mapping[str, tuple[State, str]] = {
    "up": ("ok", "up"),
    "down": ("fail", "down"),
    "unknown": ("unknown", "not asked yet"),
    "running": ("ok", "running"),
    "silent": ("warn", "not seen"),
    "untold": ("unknown", "not known"),
}
RESOURCE_NAMES = {
    "org_list": "lists of organisations",
    "org": "an organisation, a user",
    "repo_list": "lists of repositories",
    "repo": "a repository",
    "repo_part": "its languages, topics, releases, …",
    "other": "everything else",
}
ANONYMOUS = {
    "service": "see what the service’s credentials see, as if they had a key.",
    "public": "see what is public; a private repository is a 404 to them.",
    "none": "are refused with 401.",
}


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""
    settings = services.settings

    @views.get("/connect")
    def connect() -> Response:
        """What is running, demo or not, and the base URL to give to clients."""
        parts, mode = _parts(services)
        return frame.page(
            "connect",
            "Connect",
            verdict=verdict(parts, mode),
            parts=parts,
            base_url=guard.base_url() + PREFIX,
            owner=_example_owner(settings),
            needs_key=_needs_key(settings),
            key_names=[each.name for each in settings.api_keys],
            anonymous=ANONYMOUS[settings.anonymous_scope],
            credentials=_credentials(settings),
            api_url=settings.github_api_url,
            watched=settings.watch,
            fresh_for=_periods(settings),
            after=_after(settings),
        )


def verdict(parts: list[Part], mode: str) -> Verdict:
    """Pure: what the parts' states come to. `mode` is readiness's."""
    down = " and ".join(part.name for part in parts if part.state == "fail")
    silent = " and ".join(part.name.lower() for part in parts if part.state == "warn")
    if mode == "down":
        return Verdict(
            "fail",
            "Nothing can be served",
            "Redis, PostgreSQL and GitHub are all out of reach.",
            "script/flask doctor says why.",
        )
    if down:
        return Verdict(
            "warn",
            "Serving, not in full",
            f"Out of reach: {down}. Requests are served from what is left.",
            "script/flask doctor says why; what is back is taken up again by itself.",
        )
    if silent:
        return Verdict(
            "warn",
            "Serving; jobs don’t run",
            f"Not seen in the last three minutes: {silent}.",
            "Start the Procfile’s process of that name. After a start it takes up to a minute.",
        )
    return Verdict("ok", "Serving in full")


def period_text(seconds: float) -> str:
    """`45 s`, `5 min`, `3 h`, `7 days`: the largest unit that gives a whole number."""
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        number, rest = divmod(seconds, size)
        if number and not rest:
            plural = "s" if unit == "day" and number > 1 else ""
            return f"{number:.0f} {unit}{plural}"
    return f"{seconds:g} s"


def _parts(services: Services) -> tuple[list[Part], str]:
    states, mode = readiness(services)
    found = {
        "Redis": states["redis"],
        "PostgreSQL": states["postgres"],
        "GitHub": states["github"],
        **_processes(services),
    }
    return [Part(name, *_WORDS[state], PURPOSES[name]) for name, state in found.items()], mode


def _processes(services: Services) -> dict[str, str]:
    try:
        beats = services.jobs.heartbeats()
    except BrokerUnavailable:
        return {"Worker": "untold", "Scheduler": "untold"}
    return {
        "Worker": "silent" if beats.worker is None else "running",
        "Scheduler": "silent" if beats.scheduler is None else "running",
    }


def _periods(settings: Settings) -> list[tuple[str, str, str]]:
    """Resource, what it is in words, how long it is fresh."""
    return [
        (
            row.name,
            RESOURCE_NAMES[row.name],
            period_text(settings.fresh[row.name]) if row.name in settings.fresh else "revalidated",
        )
        for row in RESOURCES
    ]


def _after(settings: Settings) -> dict[str, str]:
    periods = {"stale": settings.stale, "grace": settings.grace, "negative": settings.negative}
    return {name: period_text(seconds) for name, seconds in periods.items()}


def _example_owner(settings: Settings) -> str:
    """One that exists here: the demo and GitHub.com have pallets, other GitHubs may not."""
    return settings.watch[0].partition("/")[0] if settings.watch else "pallets"


def _needs_key(settings: Settings) -> bool:
    """Whether the examples show a key: not where anyone sees as much without one."""
    return settings.anonymous_scope == "none" or (
        settings.anonymous_scope == "public" and bool(settings.api_keys)
    )


def _credentials(settings: Settings) -> str:
    if settings.github_tokens:
        count = len(settings.github_tokens)
        return "one token" if count == 1 else f"{count} tokens"
    return "a GitHub App" if settings.github_app_id else "no credentials"
