"""How much one client may ask of what costs more than a hit, by a count in Redis.

    LIMITS   by view: searches, lookups, reports, what writes or tells others
    STRANGERS  reads of the mirror that GitHub is asked for, by callers without key and token
    GUESSES  wrong passwords and keys of one address, each counted once: whoever keeps sending the
             same old one makes no guess

A client is a key's holder, else an address. Off the hit path. Without Redis nothing is limited:
whoever must be let in then is more than whoever must be kept out.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from webapp.cache.connection import Connection
from webapp.errors import RequestRefused, StoreUnavailable

log = logging.getLogger(__name__)

_LUA = Path(__file__).parent / "lua" / "limit.lua"
NETWORK_V6 = 64  # bits: what one customer of a provider has at least


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` of a client's requests in `seconds`, counted from the first."""

    name: str
    most: int
    seconds: int


STRANGERS = Limit("strangers", 600, 60)
GUESSES = Limit("guesses", 20, 300)
REPORTS = Limit("reports", 1_200, 60)
CHANGES = Limit("changes", 600, 60)

LIMITS: Mapping[str, Limit] = {
    "api.repos": Limit("search", 600, 60),
    "api.look_up": Limit("lookup", 300, 60),  # of 500 names at most
    "api.begin_run": Limit("warming", 30, 60),
    "api.test_alerts": Limit("alert tests", 10, 60),
    "metrics.metrics": Limit("metrics", 120, 60),
}
"""By endpoint. What isn't named is REPORTS for reading, CHANGES for everything else."""


def limit_of(endpoint: str, *, reads: bool) -> Limit:
    """What a view that asks for credentials is limited by."""
    return LIMITS.get(endpoint, REPORTS if reads else CHANGES)


def network(address: str) -> str:
    """Who an address stands for: IPv4 itself, of IPv6 its network; what is neither, as it is.

    A socket for both calls an IPv4 peer ::ffff:192.0.2.1: all of them are in one /64.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), NETWORK_V6), strict=False))


class Limits:
    """One per process; the counts are everybody's. All raise RequestRefused (429)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _script(self) -> Any:
        return self._connection.register_script(_LUA.read_text())

    def take(self, limit: Limit, client: str) -> None:
        """One more request of `client`."""
        many, left, _ = self._count(limit, client)
        if many > limit.most:
            raise _too_many(left)

    def check_guesses(self, address: str) -> None:
        """Before a password is looked at: the right one isn't to be told apart by guessing on."""
        many, left, _ = self._count(GUESSES, network(address), "")
        if many >= GUESSES.most:
            raise _too_many(left)

    def note_guess(self, address: str, fingerprint: str) -> None:
        """A wrong password or key, by what stands for it."""
        many, left, is_new = self._count(GUESSES, network(address), fingerprint)
        if is_new and many == GUESSES.most:
            log.warning("%s wrong passwords or keys from %s: refused for now", many, address)
        if many > GUESSES.most:
            raise _too_many(left)

    def _count(self, limit: Limit, client: str, *guess: str) -> tuple[int, int, bool]:
        key = f"fw:n:{limit.name}:{client}"
        try:
            many, left, added = self._script(keys=[key], args=[limit.seconds, limit.most, *guess])
        except StoreUnavailable:
            return 0, 0, False
        return int(many), int(left), bool(added)


def _too_many(left: int) -> RequestRefused:
    seconds = max(1, left)
    return RequestRefused(
        429, f"Too many requests; try again in {seconds} s.", Retry_After=str(seconds)
    )
