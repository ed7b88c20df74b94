"""Who may use what, closed by default (DESIGN.md section 12).

ACCESS says what a blueprint asks of its callers; what isn't named there asks for the administrator.
The mirror judges its callers by scope (callers.py), a webhook by its signature.

    any request   -> its Host (and X-Forwarded-Host) is ours
    KEY_MAY_READ  -> administrator; an API key for reading
    ADMINISTRATOR -> ADMIN_PASSWORD, as HTTP Basic (user admin) or Bearer
    either        -> so many requests and so many wrong passwords as limits.py says
    a write       -> its body is read by a quarter of the threads at most; JSON or a CSRF token,
                     and a same-origin or absent Origin

Without ADMIN_PASSWORD all of it is open to a loopback peer that speaks to a loopback Host through
no proxy, where we listen on loopback only: behind a local proxy every caller is 127.0.0.1.
"""

from __future__ import annotations

import hmac
from enum import Enum

from flask import Flask, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from webapp.callers import KEY_PREFIX, Caller, Callers
from webapp.errors import RequestRefused
from webapp.hosts import Hosts, is_loopback_address, is_loopback_host
from webapp.limits import STRANGERS, Limits, limit_of, network
from webapp.settings import Settings
from webapp.shares import Shares
from webapp.views.bodies import read_body

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"
CSRF_AGE = 12 * 3600  # seconds
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Forewarm", charset="UTF-8"'}


class Access(Enum):
    """What a view asks of its callers."""

    OPEN = "open"
    SCOPED = "scoped"  # by the mirror's own rules
    SIGNED = "signed"  # by a webhook's signature
    KEY_MAY_READ = "key may read"
    ADMINISTRATOR = "administrator"


ACCESS = {
    "mirror": Access.SCOPED,
    "graphql": Access.SCOPED,
    "webhooks": Access.SIGNED,
    "api": Access.KEY_MAY_READ,
    "metrics": Access.KEY_MAY_READ,
    "health": Access.OPEN,
    "dashboard": Access.ADMINISTRATOR,
    "static": Access.OPEN,  # else a page that asks for the password can't have its style
}
"""By blueprint, or by endpoint where there is none."""
KEY_MAY_POST = frozenset({"/api/repos/lookup"})
BODY_MAX = 1024 * 1024  # bytes of a write to us; the mirror has its own limit
ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Load balancers ask these by address."""


class Guard:
    """Installed once on the app; refuses by RequestRefused."""

    def __init__(
        self, settings: Settings, callers: Callers, hosts: Hosts, shares: Shares, limits: Limits
    ) -> None:
        self._settings = settings
        self._shares = shares
        self._limits = limits
        self._callers = callers
        self._hosts = hosts
        self._signer = URLSafeTimedSerializer(settings.secret_key.reveal(), salt="csrf")

    def install(self, app: Flask) -> None:
        """Look at each request before its view."""
        app.before_request(self.check)

    def check(self) -> None:
        """Raises RequestRefused (400, 401, 403, 429), WaitedTooLong."""
        if request.path not in ANY_HOST:
            self._check_host()
        if request.url_rule is None:
            return  # no view will run: a 404 or 405 tells nobody anything
        access = ACCESS.get(request.blueprint or request.endpoint or "", Access.ADMINISTRATOR)
        if access in {Access.OPEN, Access.SCOPED, Access.SIGNED}:
            return
        self._check_caller(access)
        if (client := self._client()) is not None:
            reads = request.method in SAFE
            self._limits.take(limit_of(request.endpoint or "", reads=reads), client)
        if request.method not in SAFE:
            read_body(self._shares, BODY_MAX)
            self._check_origin()

    def caller(self) -> Caller:
        """Whose eyes the mirror answers with. Raises RequestRefused (401, 429)."""
        authorization = request.headers.get("Authorization", "")
        try:
            return self._callers.identify(authorization)
        except RequestRefused:
            if authorization:
                self._note_guess(authorization)
            raise

    def admit(self, caller: Caller) -> None:
        """Before GitHub is asked for what no shelf answers. Raises RequestRefused (429)."""
        if caller.scope.kind == "public":
            self._limits.take(STRANGERS, network(request.remote_addr or ""))

    def base_url(self) -> str:
        """Where links point: PUBLIC_URL, or on a loopback bind the Host that was asked."""
        return self._hosts.base_url(request.scheme, request.host)

    def csrf_token(self) -> str:
        """For a form of ours."""
        return self._signer.dumps("form")

    def who(self) -> str:
        """Who sent what was let through, as the audit and the points' count name them."""
        return str(g.get("who", "nobody"))

    def is_administrator(self) -> bool:
        """Whether who was let through may do more than read."""
        return bool(g.get("administrator", False))

    def _check_host(self) -> None:
        # Empty where there is none, where there are two, and where it can't be a host's name.
        named, forwarded = request.host, request.headers.get("X-Forwarded-Host", "")
        if not self._hosts.is_ours(named) or (forwarded and not self._hosts.is_ours(forwarded)):
            raise RequestRefused(400, "This host name is not ours; see PUBLIC_URL.")

    def _check_caller(self, access: Access) -> None:
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            if self._open_to_peer():
                g.who, g.administrator = "loopback", True
                return
            raise RequestRefused(401, "Requires authentication", **_challenge())
        user, password = _given(authorization)
        key = password if password.startswith(KEY_PREFIX) else user or ""
        holder = self._callers.key_holder(key) if key.startswith(KEY_PREFIX) else None
        if holder is None:
            self._limits.check_guesses(request.remote_addr or "")
        if self._is_admin(user, password):
            g.who, g.administrator = "admin", True
            return
        if holder is None:
            self._note_guess(authorization)
            raise RequestRefused(401, "Bad credentials", **_challenge())
        g.who = holder.name
        reads = request.method in SAFE or request.path in KEY_MAY_POST
        if access is not Access.KEY_MAY_READ or not reads:
            raise RequestRefused(403, "An API key may only read here.")

    def _note_guess(self, authorization: str) -> None:
        fingerprint = self._callers.fingerprint(authorization)
        self._limits.note_guess(request.remote_addr or "", fingerprint)

    def _client(self) -> str | None:
        """Who is limited; None for this machine's own operator, who needs no password."""
        if not self.is_administrator():
            return f"key {self.who()}"
        if self.who() == "loopback":
            return None
        return f"admin {network(request.remote_addr or '')}"

    def _is_admin(self, user: str | None, password: str) -> bool:
        right = self._settings.admin_password
        if right is None:
            return False
        same = hmac.compare_digest(password.encode(), right.reveal().encode())
        return same and user in {None, "admin"}

    def _open_to_peer(self) -> bool:
        return (
            self._settings.admin_password is None
            and self._settings.loopback
            and is_loopback_address(request.remote_addr or "")
            and is_loopback_host(request.host)
            and not any(
                name.lower() == "forwarded" or name.lower().startswith("x-forwarded-")
                for name in request.headers.keys()  # noqa: SIM118 - headers iterate over pairs
            )
        )

    def _check_origin(self) -> None:
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != self.base_url().lower():
            raise RequestRefused(403, "This write comes from another origin.")
        if request.mimetype == "application/json" or self._has_csrf_token():
            return
        raise RequestRefused(403, "A write needs Content-Type: application/json.")

    def _has_csrf_token(self) -> bool:
        token = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD) or ""
        try:
            self._signer.loads(token, max_age=CSRF_AGE)
        except BadSignature:
            return False
        return True


def _given(authorization: str) -> tuple[str | None, str]:
    """User name (None where the scheme has none) and password, which may be any text."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() in {"bearer", "token"}:
        return None, value.strip()
    basic = request.authorization if scheme.lower() == "basic" else None
    return (basic.username, basic.password or "") if basic else (None, "")


def _challenge() -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in CHALLENGE.items()}
