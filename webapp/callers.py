"""Who asks: the scope that an Authorization header gives, and a name that may be shown.

A GitHub token is forwarded and known here by its HMAC only. Keys of ours start with `fwk_`; an
unknown one is refused here, so that a mistyped one never reaches GitHub.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from webapp.cache.keys import PUBLIC, SERVICE, Scope, token_scope
from webapp.errors import RequestRefused
from webapp.secret import Secret
from webapp.settings import Settings

KEY_PREFIX = "fwk_"
KNOWN_MAX = 1_000  # headers with keys of ours: a key can be sent in many ways
KNOWN_LENGTH_MAX = 200  # characters
TOKEN_MAX = 4_096  # characters; GitHub's longest have about 520
BAD_CREDENTIALS = "Bad credentials"

# In quotes, in capitals, behind its name: a key of ours all the same. GitHub's tokens and JWTs
# can hold these letters, but only inside a word.
_KEY_LIKE = re.compile(rf"(?<![0-9A-Za-z_.-]){KEY_PREFIX}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """`token` is the caller's own GitHub token, in the token scope only; `name` may be shown."""

    scope: Scope
    token: Secret | None = None
    name: str = ""


class Callers:
    """One per process; `identify` is on the hit path."""

    def __init__(self, settings: Settings) -> None:
        self._secret_key = settings.secret_key.reveal()
        self._keys = {
            _digest(each.key.reveal()): Caller(SERVICE, name=each.name)
            for each in settings.api_keys
        }
        self._known: dict[str, Caller] = {}
        self._anonymous = {
            "public": Caller(PUBLIC),
            "service": Caller(SERVICE),
            "none": None,
        }[settings.anonymous_scope]

    def identify(self, authorization: str) -> Caller:
        """The caller behind an Authorization header ('' for none). Raises RequestRefused (401)."""
        known = self._known.get(authorization)
        if known is not None:
            return known
        if not authorization:
            if self._anonymous is None:
                raise RequestRefused(401, "Requires authentication")
            return self._anonymous
        token = bearer(authorization)
        if _KEY_LIKE.search(token):
            caller = self.key_holder(token)
            if caller is None:
                raise RequestRefused(401, BAD_CREDENTIALS)
            self._remember(authorization, caller)
            return caller
        return Caller(token_scope(token, self._secret_key), Secret(token))

    def _remember(self, authorization: str, caller: Caller) -> None:
        """Keys of ours only, which are in memory anyway; a caller's own token never is, and Basic
        has room for one beside a key."""
        if len(authorization) > KNOWN_LENGTH_MAX or authorization[:5].lower() == "basic":
            return
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[authorization] = caller

    def key_holder(self, key: str) -> Caller | None:
        """Who holds this key of ours. Found by digest: no comparison leaks how much matched."""
        return self._keys.get(_digest(key))

    def fingerprint(self, text: str) -> str:
        """What may stand for a credential where it mustn't lie, a wrong one too."""
        return token_scope(text, self._secret_key).name.removeprefix("token:")[:16]


def bearer(authorization: str) -> str:
    """The token in `Bearer …`, `token …` or Basic (its password, else its user name)."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        value = _password(value)
    elif scheme.lower() not in {"bearer", "token"}:
        value = ""
    if not value or len(value) > TOKEN_MAX or not value.isascii() or not value.isprintable():
        raise RequestRefused(401, BAD_CREDENTIALS)
    if " " in value:
        raise RequestRefused(401, BAD_CREDENTIALS)
    return value


def _password(encoded: str) -> str:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return ""
    # GitHub looks at neither's place: a token may stand as the user name, with `x-oauth-basic`.
    if password in {"", "x-oauth-basic"}:
        return user
    return password


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
