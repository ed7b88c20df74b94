"""Who asks: every call to GitHub is made for somebody."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.cache.keys import Scope
from webapp.github.limits import Lane
from webapp.secret import Secret


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf GitHub is asked. `token` is the caller's own, in the token scope only;
    `consumer` an API key's name or the User-Agent's product."""

    scope: Scope
    token: Secret | None = None
    lane: Lane = Lane.INTERACTIVE
    consumer: str = ""
