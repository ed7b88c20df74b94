"""GitHub Apps: one App, its installations, and tokens that live for an hour.

An App proves itself by a JWT (RS256, at most ten minutes long) signed with its private key; only
the public half is known here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Literal

import jwt

from tests.standin.accounts import Account, Token
from tests.standin.clock import Clock
from tests.standin.credentials import Credentials
from tests.standin.world import World

APP_ID = 4242
APP_SLUG = "forewarm-test-app"
TOKEN_SECONDS = 3600
LONGEST_JWT = 600
LONG_FORM = 520
PERMISSIONS = {"contents": "read", "issues": "read", "metadata": "read", "pull_requests": "read"}
EVENTS = ("issues", "pull_request", "push", "release", "repository", "star")


@dataclass(slots=True)
class Installation:
    """The App on one owner. `repos` None: all of them; else full names in lower case."""

    id: int
    owner: str
    repos: tuple[str, ...] | None = None
    suspended_at: float | None = None
    created_at: float = 0.0
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))

    @property
    def selection(self) -> str:
        return "all" if self.repos is None else "selected"


class Apps:
    """The App's key and its installations."""

    def __init__(self, clock: Clock, world: World) -> None:
        self._clock = clock
        self._world = world
        self.default_key: str | None = None
        self.reset()

    def reset(self) -> None:
        """The App as the command line gave it, without installations."""
        self.public_key = self.default_key
        self.installations: dict[int, Installation] = {}
        self.token_form: Literal["short", "long"] = "short"
        self._next_installation = 7_000_001
        self._minted = 0

    def app_of(self, encoded: str) -> int | None:
        """The App's id where the JWT is good now, else None."""
        if self.public_key is None:
            return None
        try:
            claims = jwt.decode(
                encoded,
                self.public_key,
                algorithms=["RS256"],
                # Times are checked below, by the clock that tests can move.
                options={"verify_exp": False, "verify_iat": False, "verify_aud": False},
            )
            begins, ends = int(claims["iat"]), int(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            return None
        now = self._clock.now()
        timely = begins <= now + 60 and now < ends <= now + LONGEST_JWT
        return APP_ID if timely and str(claims.get("iss")) == str(APP_ID) else None

    def install(self, owner: str, repos: tuple[str, ...] | None = None) -> Installation:
        """Install on an owner, anew where it was before."""
        installation = Installation(
            self._next_installation, owner.lower(), repos, created_at=self._clock.now()
        )
        self._next_installation += 1
        self.installations[installation.id] = installation
        return installation

    def of_owner(self, owner: str) -> Installation | None:
        wanted = owner.lower()
        return next((i for i in self.installations.values() if i.owner == wanted), None)

    def installation_id(self, owner: str) -> int | None:
        found = self.of_owner(owner)
        return found.id if found else None

    def account(self, installation: Installation, selected: tuple[str, ...] | None) -> Account:
        """The account that tokens of an installation share."""
        chosen = selected if selected is not None else installation.repos
        sees = {f"{installation.owner}/*"} if chosen is None else set(chosen)
        count = len(self._world.repos_of(installation.owner)) if chosen is None else len(chosen)
        name = f"installation-{installation.id}"
        if selected is not None:
            name += "-" + hashlib.sha256(repr(selected).encode()).hexdigest()[:6]
        return Account(
            name=name,
            id=installation.id,
            kind="installation",
            sees=sees,
            member_of={installation.owner},
            core_limit=min(12_500, 5_000 + 50 * max(0, count - 20)),
            installation=installation.id,
        )

    def mint(
        self,
        installation: Installation,
        credentials: Credentials,
        selected: tuple[str, ...] | None = None,
    ) -> Token:
        """A new token, good for an hour."""
        self._minted += 1
        account = self.account(installation, selected)
        credentials.accounts.setdefault(account.name, account)
        token = Token(
            name=f"installation-{installation.id}-{self._minted}",
            value=self._value(installation.id, self._minted),
            account=account.name,
            kind="installation",
            scopes=(),
            expires_at=self._clock.now() + TOKEN_SECONDS,
        )
        credentials.add(token)
        return token

    def _value(self, installation: int, number: int) -> str:
        digest = hashlib.sha256(f"fake {installation} {number}".encode()).digest()
        if self.token_form == "short":
            return "ghs_Fake" + digest.hex()[:32]
        # The newer form: a JWT behind the prefix, about 520 characters, two dots.
        head = _part({"alg": "RS256", "typ": "JWT"})
        claims = _part({"fake": True, "installation": installation, "number": number})
        rest = LONG_FORM - len("ghs_..") - len(head) - len(claims)
        return f"ghs_{head}.{claims}.{(digest.hex() * 8)[:rest]}"


def _part(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
