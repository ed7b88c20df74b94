"""What a GitHub App asks as itself: who it is, by a JWT that its private key signs.

GitHub judges the JWT's times by its own clock, and tells that clock with every answer: ours is
corrected by it, so that a machine that runs fast or slow is no reason to be refused. Why an App
is refused is a table: a key that GitHub doesn't know, a suspended and a removed installation are
different things to do something about.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from requests.structures import CaseInsensitiveDict

from webapp.cache.keys import JSON_MEDIA
from webapp.errors import CredentialRefused, GitHubUnavailable
from webapp.github.answer import is_limit
from webapp.github.hook_deliveries import HookDelivery, read
from webapp.github.session import DEADLINE, USER_AGENT, Ask, PlainSession, environment, is_whole
from webapp.secret import Secret

Clock = Callable[[], float]
"""Unix seconds."""

BEFORE = 60  # seconds that a JWT is dated back, as GitHub advises
AHEAD = 480  # seconds until a JWT ends; more than 600 is refused
LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""What can be an account's name; nothing else is put into a path that the App asks."""
SKEW = 30  # seconds that clocks may differ before a refusal is put down to that


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh installation token; `lives` is seconds from now."""

    token: Secret
    lives: float


@dataclass(frozen=True, slots=True)
class Installation:
    """The App on one account, an organisation or user, by its login in lower case."""

    id: int
    suspended: bool
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    body: Any
    date: float | None
    next: str
    """The path of the next page, '' where there is none."""


class AppApi:
    """The App's own endpoints. Every method raises GitHubUnavailable and CredentialRefused."""

    def __init__(self, api_url: str, app_id: str, private_key: Secret, clock: Clock) -> None:
        self._api_url = api_url
        self._app_id = app_id
        key = load_pem_private_key(private_key.reveal().encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("the App's private key is no RSA key")
        self._key = key
        self._clock = clock
        self._ahead = 0.0  # of our clock: GitHub's
        self._session = PlainSession()

    def __repr__(self) -> str:
        return f"<AppApi {self._app_id}>"

    def mint(self, installation: int, deadline: float = 0.0) -> Minted:
        """A new token of an installation. `deadline` is time.monotonic()'s."""
        path = f"/app/installations/{installation}/access_tokens"
        said = self._ask("POST", path, deadline)
        if said.status == 404:
            raise CredentialRefused("removed", f"installation {installation} is removed")
        if said.status != 201:
            raise GitHubUnavailable(f"no token was minted: {said.status}", said.status)
        try:
            token, ends = said.body["token"], datetime.fromisoformat(said.body["expires_at"])
        except (KeyError, TypeError, ValueError):
            raise GitHubUnavailable("GitHub minted a token that can't be read", 201) from None
        if not isinstance(token, str) or not token or ends.tzinfo is None:
            raise GitHubUnavailable("GitHub minted a token that can't be read", 201)
        # By GitHub's clock alone: how long, not until when.
        now = self._clock() + self._ahead if said.date is None else said.date
        return Minted(Secret(token), ends.timestamp() - now)

    def installation(self, owner: str, deadline: float = 0.0) -> Installation | None:
        """The App's installation on an organisation or user; None where there is none."""
        if not LOGIN.fullmatch(owner):
            return None
        for kind in ("orgs", "users"):
            said = self._ask("GET", f"/{kind}/{owner}/installation", deadline)
            if said.status == 200:
                return _installation(said.body)
            # 301: the owner was renamed, and has no installation by this name.
            if said.status not in {301, 302, 307, 404}:
                raise GitHubUnavailable(f"no installation was told: {said.status}", said.status)
        return None

    def installations(self, deadline: float = 0.0) -> list[Installation]:
        """The first hundred of the App's installations, in the order of their ids."""
        said = self._ask("GET", "/app/installations?per_page=100", deadline)
        if said.status != 200 or not isinstance(said.body, list):
            raise GitHubUnavailable(f"no installations were told: {said.status}", said.status)
        return sorted((_installation(row) for row in said.body), key=lambda each: each.id)

    def deliveries(self, page: str = "", deadline: float = 0.0) -> tuple[list[HookDelivery], str]:
        """A page of the sendings to the App's webhook, the last first, and what the next page is
        called, '' for none."""
        said = self._ask("GET", page or "/app/hook/deliveries?per_page=100", deadline)
        if said.status == 404:
            raise CredentialRefused("forbidden", "the App has no webhook")
        if said.status != 200 or not isinstance(said.body, list):
            raise GitHubUnavailable(f"no deliveries were told: {said.status}", said.status)
        return read(said.body), said.next

    def redeliver(self, delivery: int, deadline: float = 0.0) -> bool:
        """Have one sent again; False where GitHub doesn't know it (any more)."""
        said = self._ask("POST", f"/app/hook/deliveries/{delivery}/attempts", deadline)
        if said.status not in {202, 404, 422}:
            raise GitHubUnavailable(f"nothing is redelivered: {said.status}", said.status)
        return said.status == 202

    def _ask(self, method: str, path: str, deadline: float) -> _Said:
        deadline = deadline or time.monotonic() + DEADLINE
        ahead = self._ahead
        said = self._send(method, path, deadline)
        if said.status == 401 and abs(self._ahead - ahead) > SKEW:
            said = self._send(method, path, deadline)  # signed by GitHub's clock now
        if said.status == 401:
            raise CredentialRefused("unknown App", "GitHub doesn't know the App's id or key (401)")
        return said

    def _send(self, method: str, path: str, deadline: float) -> _Said:
        ask = Ask()
        ask.prepare_method(method)
        ask.prepare_url(self._api_url + path, None)
        ask.headers = CaseInsensitiveDict(
            {
                "User-Agent": USER_AGENT,
                "Accept": JSON_MEDIA,
                "Accept-Encoding": "gzip",
                "Authorization": f"Bearer {self._jwt()}",
            }
        )
        ask.prepare_body(b"", None)
        ask.deadline = deadline
        response = self._session.send(ask, **environment(self._session, self._api_url))
        if not is_whole(response):
            response.close()
            raise GitHubUnavailable("GitHub's answer is no JSON", response.status_code)
        self._learn(response.headers)
        if is_limit(response.status_code, response.headers, response.content):
            raise GitHubUnavailable("GitHub has no budget for the App", response.status_code)
        if response.status_code == 403:
            raise _forbidden(response.content)
        body = orjson.loads(response.content) if response.content else None
        following = response.links.get("next", {}).get("url", "")
        own = following.startswith(f"{self._api_url}/")  # the JWT goes nowhere else
        return _Said(
            response.status_code,
            body,
            _date(response.headers),
            following.removeprefix(self._api_url) if own else "",
        )

    def _jwt(self) -> str:
        now = int(self._clock() + self._ahead)
        claims = {"iat": now - BEFORE, "exp": now + AHEAD, "iss": self._app_id}
        return jwt.encode(claims, self._key, algorithm="RS256")

    def _learn(self, headers: Mapping[str, str]) -> None:
        date = _date(headers)
        if date is not None:
            self._ahead = date - self._clock()


def _forbidden(body: bytes) -> CredentialRefused:
    if b"suspended" in body.lower():
        return CredentialRefused("suspended", "the App's installation is suspended")
    return CredentialRefused("forbidden", "GitHub forbids the App (403)")


def _date(headers: Mapping[str, str]) -> float | None:
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()


def _installation(row: Any) -> Installation:
    try:
        login = (row.get("account") or {}).get("login") or ""
        return Installation(int(row["id"]), row.get("suspended_at") is not None, login.lower())
    except (KeyError, TypeError, ValueError, AttributeError):
        raise GitHubUnavailable("GitHub told an installation that can't be read", 200) from None
