"""Which Host is ours, and the base URL that links in an answer to it start with. Pure.

PUBLIC_URL where it is set; on a loopback bind only, also the loopback Host that was asked. The
first caller's Host would else be rewritten into the body that everyone gets (why.md).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from webapp.settings import Settings


class Hosts:
    """`base_url` is on the hit path."""

    def __init__(self, settings: Settings) -> None:
        self._public_url = settings.public_url
        self._public_host = urlsplit(settings.public_url or "").netloc.lower()
        self._loopback = settings.loopback
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._bound = f"{host.lower()}:{settings.port}"

    def is_ours(self, host: str) -> bool:
        """Whether a Host (or X-Forwarded-Host) header names us."""
        host = host.strip().lower()
        return bool(host) and (
            host == self._public_host or (self._loopback and is_loopback_host(host))
        )

    @property
    def own_base_url(self) -> str:
        """Where links point when nobody asks: PUBLIC_URL, or on a loopback bind its address."""
        return self._public_url or f"http://{self._bound}"

    def base_url(self, scheme: str, host: str) -> str:
        """Without a trailing slash; the host must be ours."""
        return self._public_url or f"{scheme}://{host.lower()}"


@lru_cache(maxsize=256)
def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine's loopback, with or without a port."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return False
    if parts.netloc != host or "@" in host or port == 0:
        return False
    return parts.hostname == "localhost" or is_loopback_address(parts.hostname or "")


def is_loopback_address(address: str) -> bool:
    """127.0.0.0/8 and ::1."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
