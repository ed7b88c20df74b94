"""Who asks: from an Authorization header to an account."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from tests.standin.accounts import Account, Token, well_known_accounts, well_known_tokens
from tests.standin.clock import Clock
from tests.standin.world import Change


class BadCredentials(Exception):
    """The header names no token that is good now."""

    def __init__(self, shown_as: str) -> None:
        super().__init__("Bad credentials")
        self.shown_as = shown_as


@dataclass(frozen=True, slots=True)
class Caller:
    """The account, and the token or App it came by. `name` is safe to show."""

    account: Account
    name: str
    token: Token | None = None
    app_id: int | None = None

    @property
    def anonymous(self) -> bool:
        return self.account.kind == "anonymous"

    @property
    def kind(self) -> str:
        return self.token.kind if self.token else ""


class Credentials:
    """All accounts and tokens. `app_of` turns an App's JWT into its id, or None."""

    def __init__(self, clock: Clock, app_of: Callable[[str], int | None]) -> None:
        self._clock = clock
        self._app_of = app_of
        self.reset()

    def reset(self) -> None:
        self.accounts = {account.name: account for account in well_known_accounts()}
        self.by_value: dict[str, Token] = {}
        self.by_name: dict[str, Token] = {}
        for token in well_known_tokens():
            self.add(token)
        self.anonymous = Caller(Account("anonymous", 0, "anonymous"), "anonymous")

    def add(self, token: Token) -> None:
        """A token of an account; the account is made where it is new."""
        if token.account not in self.accounts:
            account_id = 9_100_000 + len(self.accounts)
            self.accounts[token.account] = Account(token.account, account_id)
        old = self.by_name.get(token.name)
        if old is not None:
            self.by_value.pop(old.value, None)
        self.by_name[token.name] = self.by_value[token.value] = token

    def remove(self, name: str) -> None:
        """KeyError where there is none."""
        del self.by_value[self.by_name.pop(name).value]

    def account(self, name: str) -> Account:
        """By the account's or one of its tokens' names; KeyError where neither is known."""
        token = self.by_name.get(name)
        return self.accounts[token.account if token else name]

    def happened(self, change: Change) -> None:
        """A listener of the world: access stays with a repository whatever its name becomes, and
        an owner's administrators see what turns private.
        """
        repo = change.repo
        name = repo.full_name.lower()
        if repo.private and change.action in ("created", "privatized"):
            for account in self.accounts.values():
                if repo.owner.lower() in account.admin_of:
                    account.sees.add(name)
        if change.former_name is not None:
            for account in self.accounts.values():
                if change.former_name.lower() in account.sees:
                    account.sees.add(name)

    def caller(self, authorization: str | None) -> Caller:
        """Who sent this header; BadCredentials where nobody could have."""
        if authorization is None:
            return self.anonymous
        value = _secret(authorization)
        token = self.by_value.get(value)
        if token is None:
            app_id = self._app_of(value) if value.count(".") == 2 else None
            if app_id is None:
                raise BadCredentials("unknown")
            name = f"app-{app_id}"
            return Caller(Account(name, app_id, "installation"), name, app_id=app_id)
        expired = token.expires_at is not None and token.expires_at <= self._clock.now()
        if token.revoked or expired:
            raise BadCredentials(token.name)
        return Caller(self.accounts[token.account], token.name, token)


def _secret(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password or user
    return value if scheme.lower() in ("bearer", "token") else ""
