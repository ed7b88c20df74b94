"""From an environment variable's text to a value, or a refusal.

Pure functions `(text) -> value`, never called with an empty text. A text that won't do raises
`RefusalError`, whose words say what would do and never quote the text: it may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, urlsplit

from webapp.secret import Secret

MAX_PERIOD = 400 * 86_400.0
MIN_API_KEY = 20
MIN_SECRET_KEY = 16

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
# Logins: letters, digits and single dashes, 39 at most; managed users end in _shortcode.
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})")
_REPO = re.compile(r"[A-Za-z0-9._-]{1,100}")
_API_KEY = re.compile(r"fwk_[A-Za-z0-9_-]+")
_API_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


class RefusalError(ValueError):
    """The text won't do; the message completes a sentence, such as "give a port number"."""


def number(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise RefusalError(f"give a whole number from {low} to {high}")
        return int(text)

    return parse


def choice(*words: str) -> Callable[[str], str]:
    """A parser of one of `words`, in any letter case."""
    by_lower = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        if text.lower() not in by_lower:
            raise RefusalError("give one of " + ", ".join(words))
        return by_lower[text.lower()]

    return parse


def switch(text: str) -> bool:
    """on or off, in any of their usual spellings."""
    match text.lower():
        case "on" | "true" | "yes" | "1":
            return True
        case "off" | "false" | "no" | "0":
            return False
    raise RefusalError("give on or off (also true or false, yes or no, 1 or 0)")


def duration(text: str) -> float:
    """Seconds, from `90`, `90s`, `90m`, `3h` or `7d`."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else -1.0
    if not 0 <= seconds <= MAX_PERIOD:
        raise RefusalError("give seconds or a period such as 90s, 90m, 3h or 7d, 400d at most")
    return seconds


def host(text: str) -> str:
    """An address or a host name to bind to."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if not _HOST.fullmatch(text):
        raise RefusalError("give an IP address or a host name, such as 127.0.0.1 or 0.0.0.0")
    return text.lower()


def secret(text: str) -> Secret:
    """Any text, kept out of sight."""
    return Secret(text)


def secret_key(text: str) -> Secret:
    """The key of this service's HMACs."""
    if len(text) < MIN_SECRET_KEY:
        raise RefusalError(f"give at least {MIN_SECRET_KEY} random characters")
    return Secret(text)


def token(text: str) -> Secret:
    """One GitHub token: it will be a header's value, so visible ASCII only."""
    if not _VISIBLE_ASCII.fullmatch(text) or "," in text:
        raise RefusalError("give one GitHub token, without spaces, commas or line breaks")
    if text.startswith("fwk_"):
        raise RefusalError("give a token made by GitHub: fwk_ begins this service's own API keys")
    return Secret(text)


def tokens(text: str) -> tuple[Secret, ...]:
    """GitHub tokens, separated by commas or white space."""
    return tuple(dict.fromkeys(token(word) for word in re.split(r"[,\s]+", text) if word))


def app_id(text: str) -> str:
    """A GitHub App's number or client id: either may issue its JWT."""
    if not re.fullmatch(r"[0-9]{1,18}|Iv[A-Za-z0-9.]{8,40}", text):
        raise RefusalError("give the GitHub App's id (a number) or client id (it begins with Iv)")
    return text


def private_key(text: str) -> Secret:
    """A PEM private key; a literal \\n counts as a line break, as dashboards force it to be."""
    # Slow to import, and only Apps need it.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
    )

    pem = text.replace("\\r", "").replace("\\n", "\n").strip() + "\n"
    wants = "give the GitHub App's RSA private key, PEM, whole and without a passphrase"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RefusalError(wants) from None
    if not isinstance(key, RSAPrivateKey):
        raise RefusalError(wants)
    return Secret(pem)


def api_keys(text: str) -> tuple[tuple[str, Secret], ...]:
    """Pairs of name and key, from `name:fwk_…` or bare `fwk_…` (the name is then empty)."""
    pairs: list[tuple[str, Secret]] = []
    for position, word in enumerate(filter(None, (w.strip() for w in text.split(","))), 1):
        name, colon, key = word.rpartition(":")
        if colon and not _API_KEY_NAME.fullmatch(name.strip()):
            raise RefusalError(
                f"name key {position} with letters, digits and _ . - only, 64 at most"
            )
        key = key.strip()
        if not _API_KEY.fullmatch(key) or len(key) < MIN_API_KEY:
            raise RefusalError(
                f"key {position} must be fwk_ and letters, digits, _ or -, "
                f"at least {MIN_API_KEY} characters in all"
            )
        pairs.append((name.strip(), Secret(key)))
    if len({key for _, key in pairs}) < len(pairs):
        raise RefusalError("give each key once")
    return tuple(pairs)


def names(text: str) -> tuple[str, ...]:
    """Owners and repositories, separated by commas or white space; each once, as first written."""
    seen: dict[str, str] = {}
    for word in re.split(r"[,\s]+", text):
        if not word:
            continue
        owner, slash, repo = word.partition("/")
        known_repo = _REPO.fullmatch(repo) and repo not in {".", ".."}
        if not _LOGIN.fullmatch(owner) or (slash and not known_repo):
            raise RefusalError("give owners and repositories, such as pallets, psf/requests")
        seen.setdefault(word.lower(), word)
    return tuple(seen.values())


def emails(text: str) -> tuple[str, ...]:
    """E-mail addresses, separated by commas."""
    addresses = tuple(word.strip() for word in text.split(",") if word.strip())
    if not addresses or not all(_EMAIL.fullmatch(address) for address in addresses):
        raise RefusalError("give e-mail addresses, separated by commas")
    return addresses


def toml_tables(text: str) -> Mapping[str, Mapping[str, object]]:
    """A TOML file's tables of plain values; their names are looked at by those who know them."""
    path = Path(text)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if isinstance(error, tomllib.TOMLDecodeError):
            raise RefusalError(
                "give a file that is TOML: " + " ".join(str(error).split())
            ) from None
        raise RefusalError("give the path of a TOML file that exists") from None
    for name, table in found.items():
        if not isinstance(table, dict):
            raise RefusalError(f"{name!a} in it must be in a table, such as [hit_rate]")
    return MappingProxyType(found)


def _split(text: str, schemes: tuple[str, ...], wants: str) -> SplitResult:
    """A URL's parts. The causes are dropped: their texts quote the URL."""
    if not _VISIBLE_ASCII.fullmatch(text):
        raise RefusalError(wants)
    try:
        parts = urlsplit(text)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        raise RefusalError(wants) from None
    if parts.scheme not in schemes or not port_is_sane:
        raise RefusalError(wants)
    return parts


def _plain_url(text: str, wants: str) -> SplitResult:
    parts = _split(text, ("http", "https"), wants)
    if parts.query or parts.fragment or "@" in parts.netloc or "?" in text or "#" in text:
        raise RefusalError(wants)
    if not parts.hostname or not (_HOST.fullmatch(parts.hostname) or ":" in parts.hostname):
        raise RefusalError(wants)
    return parts


def api_url(text: str) -> str:
    """GitHub's API root: no credentials, no query, no slash at its end."""
    wants = "give GitHub's API root, such as https://api.github.com or https://host/api/v3"
    parts = _plain_url(text, wants)
    if "//" in parts.path or "/." in parts.path:
        raise RefusalError(wants)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def public_url(text: str) -> str:
    """Scheme, host and port that clients use; a path has no place in GitHub's URLs."""
    wants = "give scheme and host without a path, such as https://forewarm.example.com"
    parts = _plain_url(text, wants)
    if parts.path not in {"", "/"}:
        raise RefusalError(wants)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def hook_url(text: str) -> Secret:
    """Where alerts are posted; such URLs are often a capability."""
    wants = "give an http:// or https:// URL"
    if not _split(text, ("http", "https"), wants).hostname:
        raise RefusalError(wants)
    return Secret(text)


def redis_url(text: str) -> Secret:
    """A Redis or Valkey server and one of its databases."""
    wants = "give a URL such as redis://:password@host:6379/0 (rediss:// for TLS)"
    parts = _split(text, ("redis", "rediss"), wants)
    if not parts.hostname or not re.fullmatch(r"/?|/[0-9]{1,5}", parts.path) or parts.fragment:
        raise RefusalError(wants)
    if re.search(r"(^|&)db=", parts.query):
        raise RefusalError("name the database in the path, as redis://host:6379/0, not by ?db=")
    return Secret(text)


def database_url(text: str) -> Secret:
    """A PostgreSQL database; platforms still hand out the old scheme postgres://."""
    wants = "give a URL such as postgresql://user:password@host:5432/name"
    parts = _split(text, ("postgres", "postgresql"), wants)
    # A socket's URL has its host among the query's parameters. libpq refuses a lone % too.
    if not (parts.hostname or "host=" in parts.query) or len(parts.path) < 2:
        raise RefusalError(wants)
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise RefusalError("write a % in it as %25")
    return Secret("postgresql://" + text.partition("://")[2])


def smtp_url(text: str) -> Secret:
    """A mail server: smtp:// (STARTTLS where offered) or smtps://; `?from=` names the sender."""
    wants = "give a URL such as smtp://user:password@host:587?from=me@host (smtps:// for TLS)"
    parts = _split(text, ("smtp", "smtps"), wants)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not parts.hostname or parts.path not in {"", "/"} or len(query) > 1:
        raise RefusalError(wants)
    if any(name != "from" or not _EMAIL.fullmatch(value) for name, value in query):
        raise RefusalError(wants)
    return Secret(text)
