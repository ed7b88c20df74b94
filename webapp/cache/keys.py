"""Which answer is it: the canonical target of a request, the scope it is seen with, and the key.

Two requests share an entry exactly when GitHub would answer both alike: same path (owner and
repo fold case), same query (order and GitHub's defaults don't count), same representation, same
scope. All of it is pure; nothing here trusts or keeps a credential.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode

from webapp.errors import RequestRefused

SCHEMA = 1
"""Of entry and key alike; a new one leaves the old entries to expire unread."""

JSON_MEDIA = "application/vnd.github+json"
JSON_SYNONYMS = frozenset(
    {"*/*", "application/*", "application/json", JSON_MEDIA, "application/vnd.github.v3+json"}
)
DEFAULT_QUERY = frozenset({("page", "1"), ("per_page", "30")})
SECRET_QUERY = frozenset({"access_token", "client_secret"})
PATH_MAX, QUERY_MAX, HEADER_MAX = 4_096, 8_192, 1_024  # characters

ScopeKind = Literal["service", "public", "token"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose eyes an answer was seen with; `name` is what the key shows of it."""

    kind: ScopeKind
    name: str

    @property
    def archived(self) -> bool:
        """What a caller's own token saw is never written to PostgreSQL."""
        return self.kind != "token"


SERVICE = Scope("service", "service")
PUBLIC = Scope("public", "public")


def token_scope(token: str, secret_key: str) -> Scope:
    """A caller's own GitHub token, known by its HMAC only."""
    digest = hmac.digest(secret_key.encode(), token.encode(), "sha256").hex()[:32]
    return Scope("token", f"token:{digest}")


@dataclass(frozen=True, slots=True)
class Target:
    """What GitHub is asked, canonical: a decoded path, an encoded query, a representation."""

    path: str
    query: str
    media: str
    api_version: str

    @property
    def url(self) -> str:
        """Path and query as they go on the wire, to be put behind GITHUB_API_URL."""
        path = quote(self.path, safe="/:@!$&'()*+,;=~-._")
        return f"{path}?{self.query}" if self.query else path


def canonical_path(raw: str) -> str:
    """A WSGI path (percent-decoded, latin-1) below the mirror as GitHub's canonical path.

    Raises RequestRefused (400, 414) for what could mean one thing to us and another to GitHub.
    """
    if len(raw) > PATH_MAX:
        raise RequestRefused(414, "The path is too long.")
    try:
        path = raw.encode("latin-1").decode()
    except UnicodeError:
        raise RequestRefused(400, "The path is not UTF-8.") from None
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in path):
        raise RequestRefused(400, "The path has control characters.")
    segments = path.split("/")
    if "." in segments or ".." in segments:
        raise RequestRefused(400, "The path has a '.' or '..' segment.")
    if "\\" in path:
        raise RequestRefused(400, "The path has a backslash.")
    return "/".join(_folded(segments)) or "/"


def _folded(segments: list[str]) -> list[str]:
    """Lower-case the segments that name an owner or a repository; GitHub folds just these."""
    match segments:
        case ["", "repos", owner, repo, *rest]:
            return ["", "repos", owner.lower(), repo.lower(), *rest]
        case ["", ("orgs" | "users") as kind, owner, *rest]:
            return ["", kind, owner.lower(), *rest]
        case ["", "user", ("starred" | "subscriptions") as kind, owner, repo]:
            return ["", "user", kind, owner.lower(), repo.lower()]
        case _:
            return segments


def canonical_query(raw: str) -> str:
    """Sorted by name, without what GitHub assumes anyway; unknown parameters are kept."""
    if not raw:
        return ""
    if len(raw) > QUERY_MAX:
        raise RequestRefused(414, "The query string is too long.")
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        raise RequestRefused(400, "The query string can't be parsed.") from None
    if any(name.lower() in SECRET_QUERY for name, _ in pairs):
        raise RequestRefused(400, "Must specify access token via Authorization header.")
    kept = sorted((pair for pair in pairs if pair not in DEFAULT_QUERY), key=lambda pair: pair[0])
    return urlencode(kept)


def canonical_media(accept: str) -> str:
    """The media types asked for; GitHub's synonyms of plain JSON are one."""
    if len(accept) > HEADER_MAX:
        raise RequestRefused(400, "The Accept header is too long.")
    ranges = [part.strip().lower() for part in accept.split(",") if part.strip()]
    if all(part.partition(";")[0].strip() in JSON_SYNONYMS for part in ranges):
        return JSON_MEDIA
    return ", ".join(ranges)


def canonical_target(path: str, query: str, accept: str, api_version: str) -> Target:
    """The target of a request; each argument as it came in."""
    if len(api_version) > 32:
        raise RequestRefused(400, "The X-GitHub-Api-Version header is too long.")
    return Target(
        canonical_path(path), canonical_query(query), canonical_media(accept), api_version.strip()
    )


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def target_digest(target: Target, base_url: str) -> str:
    """What a key says of the target: 128 bits. Links in the finished response point to the base."""
    return _digest(target.path, target.query, target.media, target.api_version, base_url)


def scoped_key(scope: Scope, digest: str) -> str:
    """Redis key of the finished response of a target, as a scope sees it."""
    return f"fw:e:{SCHEMA}:{scope.name}:{digest}"


def entry_key(target: Target, scope: Scope, base_url: str) -> str:
    """Both at once."""
    return scoped_key(scope, target_digest(target, base_url))


def archive_key(target: Target, scope: Scope) -> str:
    """Key of GitHub's raw answer, which has no base URL yet."""
    digest = _digest(target.path, target.query, target.media, target.api_version)
    return f"{scope.name}:{digest}"


def tag_key(tag: str) -> str:
    """Redis key of a tag's version pair."""
    return f"fw:t:{tag}"


def lease_key(key: str) -> str:
    """Redis key of the right to fetch for an entry."""
    return f"fw:l:{key[5:]}"
