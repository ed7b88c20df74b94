"""Installation tokens: minted once for all processes, renewed before they end.

    held in this process   until it is nearly over
      └ Redis              sealed with a key derived from SECRET_KEY: nothing there can be used
          └ GitHub         by whoever gets the lease; the others wait for what it stores

A token that still works is renewed behind the request. Without Redis each process mints its own.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from webapp.cache.connection import Connection
from webapp.errors import CredentialRefused, GitHubUnavailable, StoreUnavailable
from webapp.github.app.api import AppApi, Clock
from webapp.github.app.notes import Notes
from webapp.github.session import DEADLINE
from webapp.secret import Secret

log = logging.getLogger(__name__)

EARLY = 600.0  # seconds before its end that a token is renewed, at most
EARLY_SHARE = 1 / 6  # of its life, where that is less
JITTER = 0.2  # of EARLY, so that processes don't find out at once
MARGIN = 30.0  # seconds before its end that a token isn't used any more
RENEW_AGAIN = 30.0  # seconds after a renewal that failed
PATIENCE = 600.0  # seconds within which a refused token is replaced only once
MINT_DEADLINE = 5.0  # seconds
LEASE_MS = 6_000  # outlasts a mint; a killed minter's ends by itself
POLL = 0.01, 0.05  # seconds between looks at what another mints, at least and at most
NONCE = 12  # bytes, NIST SP 800-38D

# Give the lease back, unless it has become another's.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class Seal:
    """AES-256-GCM under a key that HKDF (RFC 5869) derives from SECRET_KEY for this use alone."""

    def __init__(self, secret_key: Secret) -> None:
        kdf = HKDF(SHA256(), length=32, salt=None, info=b"forewarm installation tokens 1")
        self._cipher = AESGCM(kdf.derive(secret_key.reveal().encode()))

    def close(self, text: bytes, place: str) -> bytes:
        """Encrypt, bound to the place where it is kept."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, text, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """Decrypt; None for what was sealed with another key, for another place, or changed."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
        except (InvalidTag, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """A token and its times (Unix seconds); `instead`: minted because another was refused."""

    token: Secret
    minted: float
    ends: float
    instead: bool
    renew_at: float

    def works(self, now: float) -> bool:
        """Whether it can still be asked with."""
        return now < self.ends - MARGIN


class AppTokens:
    """The tokens of the App's installations. One per process; thread-safe."""

    def __init__(
        self,
        api: AppApi,
        redis: Connection,
        notes: Notes,
        *,
        secret_key: Secret,
        namespace: str,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` gives 0 to 1; `namespace` begins the keys in Redis."""
        self._api = api
        self._redis = redis
        self._notes = notes
        self._seal = Seal(secret_key)
        self._namespace = namespace
        self._clock = clock
        self._jitter = jitter
        self._held: dict[int, InstallationToken] = {}
        self._minting: dict[int, threading.Lock] = {}
        self._renewing: set[int] = set()
        self._lock = threading.Lock()

    def token(self, installation: int, deadline: float = 0.0) -> InstallationToken:
        """A token that works. `deadline` is time.monotonic()'s.

        Raises CredentialRefused and GitHubUnavailable, only where there is none in hand.
        """
        held = self._held.get(installation)
        now = self._clock()
        if held is not None and now < held.renew_at:
            return held
        held = self._newest(installation)
        if held is None or not held.works(now):
            return self._minted_once(installation, held, deadline)
        if now >= held.renew_at:
            self._renew_behind(installation, held)
        return held

    def instead_of(
        self, installation: int, refused: Secret, deadline: float = 0.0
    ) -> InstallationToken | None:
        """Another token than one that got 401; None where that was itself minted for one just now.

        Raises CredentialRefused and GitHubUnavailable.
        """
        held = self._newest(installation)
        if held is None:
            return self._minted_once(installation, None, deadline, instead=True)
        now = self._clock()
        if held.token != refused and held.works(now):
            return held
        if held.instead and now < held.minted + PATIENCE:
            return None
        return self._minted_once(installation, held, deadline, instead=True)

    def _newest(self, installation: int) -> InstallationToken | None:
        """What Redis holds, else what this process does: the first is everyone's."""
        held = self._held.get(installation)
        try:
            shared = self._shared(installation)
        except StoreUnavailable:
            return held
        if shared is None or not shared.works(self._clock()):
            return held
        if held is not None and held.token == shared.token:
            return held  # with its own renew_at
        return self._keep(installation, shared)

    def _minted_once(
        self,
        installation: int,
        old: InstallationToken | None,
        deadline: float,
        *,
        instead: bool = False,
    ) -> InstallationToken:
        """Another than `old`: minted here, or by whoever else is at it."""
        deadline = deadline or time.monotonic() + DEADLINE
        lock = self._minting.setdefault(installation, threading.Lock())
        if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise GitHubUnavailable("no installation token in time")
        try:
            holder = secrets.token_hex(8)
            lease = self._key("mint", installation)
            while not self._leased(lease, holder):
                found = self._by_another(installation, old)
                if found is not None:
                    return found
                if time.monotonic() > deadline:
                    raise GitHubUnavailable("no installation token in time")
                time.sleep(random.uniform(*POLL))  # noqa: S311 - spreads looks, guards nothing
            try:
                # Looked at again under the lease: another may have finished just before.
                found = self._by_another(installation, old)
                return found or self._mint(installation, deadline, instead=instead)
            finally:
                self._release(lease, holder)
        finally:
            lock.release()

    def _by_another(
        self, installation: int, old: InstallationToken | None
    ) -> InstallationToken | None:
        """What another thread or process has minted meanwhile; raises what it has met."""
        found = self._newest(installation)
        fresh = old is None or found is None or found.token != old.token
        if found is not None and fresh and found.works(self._clock()):
            return found
        self._notes.raise_failure(f"mint:{installation}")
        return None

    def _mint(self, installation: int, deadline: float, *, instead: bool) -> InstallationToken:
        deadline = min(deadline, time.monotonic() + MINT_DEADLINE)
        try:
            minted = self._api.mint(installation, deadline)
        except (CredentialRefused, GitHubUnavailable) as error:
            self._notes.put_failure(f"mint:{installation}", error)
            raise
        now = self._clock()
        token = self._timed(minted.token, now, now + minted.lives, instead=instead)
        key = self._key("token", installation)
        try:
            milliseconds = max(1, int(minted.lives * 1000))
            self._redis.set(key, self._seal.close(_packed(token), key), px=milliseconds)
        except StoreUnavailable as error:
            log.debug("the installation token stays in this process: %s", error)
        return self._keep(installation, token)

    def _renew_behind(self, installation: int, old: InstallationToken) -> None:
        with self._lock:
            if installation in self._renewing:
                return
            self._renewing.add(installation)
        args = (installation, old)
        threading.Thread(target=self._renew, args=args, name="app-token", daemon=True).start()

    def _renew(self, installation: int, old: InstallationToken) -> None:
        try:
            self._minted_once(installation, old, 0.0)
        except (CredentialRefused, GitHubUnavailable) as error:
            log.warning("the token of installation %s is not renewed: %s", installation, error)
            self._keep(installation, replace(old, renew_at=self._clock() + RENEW_AGAIN))
        finally:
            with self._lock:
                self._renewing.discard(installation)

    def _shared(self, installation: int) -> InstallationToken | None:
        key = self._key("token", installation)
        sealed = self._redis.get(key)
        text = self._seal.open(sealed, key) if isinstance(sealed, bytes) else None
        if text is None:
            return None
        token, minted, ends, instead = orjson.loads(text)
        return self._timed(Secret(token), minted, ends, instead=instead)

    def _timed(
        self, token: Secret, minted: float, ends: float, *, instead: bool
    ) -> InstallationToken:
        early = min(EARLY, (ends - minted) * EARLY_SHARE) * (1 - JITTER * self._jitter())
        return InstallationToken(token, minted, ends, instead, ends - early)

    def _keep(self, installation: int, token: InstallationToken) -> InstallationToken:
        self._held[installation] = token
        return token

    def _leased(self, lease: str, holder: str) -> bool:
        """Whether to mint; without Redis this process's own lock is all there is."""
        try:
            return bool(self._redis.set(lease, holder, nx=True, px=LEASE_MS))
        except StoreUnavailable:
            return True

    def _release(self, lease: str, holder: str) -> None:
        try:
            self._redis.eval(_RELEASE, 1, lease, holder)
        except StoreUnavailable as error:
            log.debug("the lease to mint ends by itself: %s", error)

    def _key(self, kind: str, installation: int) -> str:
        return f"{self._namespace}:{kind}:{installation}"


def _packed(token: InstallationToken) -> bytes:
    return orjson.dumps([token.token.reveal(), token.minted, token.ends, token.instead])
