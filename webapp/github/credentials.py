"""Whose eyes GitHub is asked with: the service's tokens or App, the public's token or nobody's.

A 401 sets a credential aside; a forbidden 403 doesn't, since it speaks of what was asked for. When
all are set aside the one refused longest ago is tried: a wrong guess costs a 401, none would cost
every answer. A keyed fingerprint is all that is ever shown of a credential.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from webapp.cache.connection import Connection
from webapp.cache.keys import ScopeKind
from webapp.errors import CredentialRefused
from webapp.github.set_aside import PERIOD, SetAside, SetAsides
from webapp.secret import Secret
from webapp.settings import Settings

if TYPE_CHECKING:
    from webapp.github.app.api import AppApi
    from webapp.github.app.installations import Installations
    from webapp.github.app.tokens import AppTokens

log = logging.getLogger(__name__)

CredentialKind = Literal["token", "installation", "anonymous", "caller"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What one request to GitHub is asked with.

    `id` is what budgets, logs and metrics know it by: it stays while an installation's tokens come
    and go. `fingerprint` is of the very token: what an ETag was seen with.
    """

    id: str
    kind: CredentialKind
    fingerprint: str
    installation: int = 0
    owner: str = ""
    """Lower-case login that an installation was chosen for, '' where it stands in for any."""
    token: Secret | None = field(default=None, repr=False)

    def authorization(self) -> str | None:
        """The Authorization header's value; None where none is sent."""
        return f"Bearer {self.token.reveal()}" if self.token else None


ANONYMOUS = Credential("anonymous", "anonymous", "anonymous")


def fingerprint(value: str, secret_key: Secret) -> str:
    """12 hex digits that tell tokens apart, and nothing to who doesn't hold SECRET_KEY.

    `flask doctor` shows the first 8 of them.
    """
    message = b"fingerprint:" + value.encode()
    return hmac.new(secret_key.reveal().encode(), message, hashlib.sha256).hexdigest()[:12]


class Credentials:
    """All that this Forewarm may ask with. One per process; thread-safe."""

    def __init__(
        self, settings: Settings, redis: Connection, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds. Nothing connects before it is used."""
        self._secret_key = settings.secret_key
        self._tokens = tuple(self._own(token) for token in settings.github_tokens)
        public = settings.github_public_token
        self._public = (self._own(public),) if public else ()
        self._aside = SetAsides(redis, clock)
        self._app: _App | None = None
        if settings.github_app_id and settings.github_app_private_key:
            self._app = _app(settings, redis, clock)

    def candidates(
        self, scope_kind: ScopeKind, owner: str | None, deadline: float = 0.0
    ) -> list[Credential]:
        """Who may be asked with in a scope, at least one; those that see the same, or just one.

        `owner` is who the path names. `deadline` (time.monotonic()) bounds what an App may first
        have to ask. Raises CredentialRefused and GitHubUnavailable, with an App alone.
        """
        if scope_kind == "token":
            raise ValueError("the token scope asks with the caller's token")
        if scope_kind == "public":
            return self._usable(self._public, [ANONYMOUS])
        if self._app is not None:
            return [self._installed((owner or "").lower(), deadline)]
        return self._usable(self._tokens) or [ANONYMOUS]

    def by_sight(self, owners: Collection[str], deadline: float = 0.0) -> list[frozenset[str]]:
        """The service's owners (lower-case) in groups that are seen with one credential: what one
        GraphQL query may ask for. None at all without a token: GraphQL answers nobody else.

        Raises CredentialRefused and GitHubUnavailable, with an App alone.
        """
        if self._app is None:
            return [frozenset(owners)] if self._tokens and owners else []
        own = self._app.installations.with_own(owners, deadline)
        others = frozenset(owners) - own
        return [*(frozenset({owner}) for owner in sorted(own)), *([others] if others else [])]

    def caller(self, token: Secret) -> Credential:
        """A caller's own token as a credential: never set aside, never kept."""
        own = self._own(token)
        return Credential(own.id, "caller", own.fingerprint, token=token)

    def refused(self, credential: Credential, deadline: float = 0.0) -> Credential | None:
        """GitHub answered 401: set it aside. What to ask with instead, once, where there is that.

        An installation's token may just have been revoked: it gets another first. Raises
        CredentialRefused and GitHubUnavailable, with an App alone.
        """
        if credential.kind not in {"token", "installation"}:
            return None
        if self._app is not None and credential.kind == "installation":
            instead = self._instead(self._app, credential, deadline)
            if instead is not None:
                return instead
        self._set_aside(credential)
        return None

    def worked(self, credential: Credential) -> None:
        """GitHub accepted it; whatever it answered, it wasn't 401."""
        self._aside.remove(credential.id)

    def set_aside(self) -> list[SetAside]:
        """Those set aside now on any process, the last refused first."""
        found = sorted(self._aside.present().items(), key=lambda each: -each[1])
        return [SetAside(id_, at, at + PERIOD) for id_, at in found]

    def ids(self, deadline: float = 0.0) -> list[str]:
        """Of all that this Forewarm asks with by itself, set aside or not: no caller's own.

        Raises CredentialRefused and GitHubUnavailable, with an App alone.
        """
        own = [each.id for each in self._tokens]
        if self._app is not None:
            own = [self._installation_id(each) for each in self._app.installations.every(deadline)]
        public = [each.id for each in self._public]
        return list(dict.fromkeys([*own, *(public or [ANONYMOUS.id])]))

    def installed(self, owner: str) -> None:
        """The App was installed on an owner, or removed: what was learnt of it is forgotten."""
        if self._app is not None:
            self._app.installations.forget(owner)

    def app_api(self) -> AppApi | None:
        """What the App may ask as itself; None where there are tokens instead."""
        return self._app.api if self._app is not None else None

    def _own(self, token: Secret) -> Credential:
        shown = fingerprint(token.reveal(), self._secret_key)
        return Credential(shown, "token", shown, token=token)

    def _usable(
        self, own: Sequence[Credential], otherwise: Sequence[Credential] = ()
    ) -> list[Credential]:
        """Those not set aside; else `otherwise`; else the one refused longest ago."""
        if len(own) + len(otherwise) < 2:
            return [*own, *otherwise]
        aside = self._aside.present()
        usable = [each for each in own if each.id not in aside]
        if usable or otherwise:
            return usable or list(otherwise)
        return [min(own, key=lambda each: aside[each.id])]

    def _installed(self, owner: str, deadline: float, *, again: bool = True) -> Credential:
        """An owner's own installation; for others any, which sees what is public."""
        assert self._app is not None
        installations = self._app.installations
        own = installations.of(owner, deadline) if owner else None
        chosen = own or self._any(installations.every(deadline))
        try:
            token = self._app.tokens.token(chosen, deadline)
        except CredentialRefused as error:
            # What was learnt may be out of date: perhaps it was installed anew. But an owner who
            # has suspended the App isn't seen through another's installation.
            gone = error.reason == "removed" or (error.reason == "suspended" and not own)
            if not gone or not again:
                raise
            installations.forget(owner)
            return self._installed(owner, deadline, again=False)
        return self._installation(chosen, owner if own else "", token.token)

    def _any(self, ids: Sequence[int]) -> int:
        if not ids:
            raise CredentialRefused("not installed", "the GitHub App isn't installed anywhere")
        if len(ids) == 1:
            return ids[0]
        aside = self._aside.present()
        return min(ids, key=lambda each: aside.get(self._installation_id(each), 0.0))

    def _installation(self, installation: int, owner: str, token: Secret) -> Credential:
        shown = fingerprint(token.reveal(), self._secret_key)
        id_ = self._installation_id(installation)
        return Credential(id_, "installation", shown, installation, owner, token)

    def _installation_id(self, installation: int) -> str:
        return fingerprint(f"installation {installation}", self._secret_key)

    def _instead(self, app: _App, credential: Credential, deadline: float) -> Credential | None:
        assert credential.token is not None
        try:
            token = app.tokens.instead_of(credential.installation, credential.token, deadline)
        except CredentialRefused as error:
            if error.reason == "removed":
                app.installations.forget(credential.owner)
            self._set_aside(credential)
            raise
        if token is None:
            return None
        return self._installation(credential.installation, credential.owner, token.token)

    def _set_aside(self, credential: Credential) -> None:
        if self._aside.add(credential.id):
            log.warning("GitHub refuses %s %s (401): set aside", _named(credential), credential.id)


@dataclass(frozen=True, slots=True)
class _App:
    api: AppApi
    installations: Installations
    tokens: AppTokens


def _app(settings: Settings, redis: Connection, clock: Callable[[], float]) -> _App:
    # Slow to import (cryptography), and only Apps need it.
    from webapp.github.app.api import AppApi  # noqa: PLC0415
    from webapp.github.app.installations import Installations  # noqa: PLC0415
    from webapp.github.app.notes import Notes  # noqa: PLC0415
    from webapp.github.app.tokens import AppTokens  # noqa: PLC0415

    app_id, key = settings.github_app_id, settings.github_app_private_key
    assert app_id
    assert key
    where = hashlib.blake2b(f"{settings.github_api_url} {app_id}".encode(), digest_size=4)
    namespace = f"fw:app:{where.hexdigest()}"
    api = AppApi(settings.github_api_url, app_id, key, clock)
    notes = Notes(redis, namespace, clock)
    return _App(
        api,
        Installations(api, notes),
        AppTokens(
            api,
            redis,
            notes,
            secret_key=settings.secret_key,
            namespace=namespace,
            clock=clock,
        ),
    )


def _named(credential: Credential) -> str:
    if credential.kind == "installation":
        return f"the App's installation {credential.installation}, credential"
    return "token"
