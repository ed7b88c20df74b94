"""Asks GitHub, with the credential of whoever is looking, and says what it answered.

Service and public scopes go through the archive: an answer that GitHub confirms by 304 costs no
point. A caller's own token asks with the validators of the entry it holds, if any; nothing of it
is archived. What GitHub can't answer (connect error, timeout, 5xx, broken body) is
GitHubUnavailable.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Literal

import requests
from requests.structures import CaseInsensitiveDict

from webapp.cache.entry import Entry
from webapp.cache.keys import Scope, Target, archive_key
from webapp.errors import GitHubUnavailable
from webapp.github.answer import Answer
from webapp.github.archive import Archive
from webapp.github.session import (
    DEADLINE,
    USER_AGENT,
    Ask,
    PlainSession,
    archived_session,
    environment,
    is_whole,
)
from webapp.policy import match
from webapp.secret import Secret
from webapp.signals import upstream_called

PASSED_ON = ("Content-Type", "X-GitHub-Api-Version", "Accept")
"""Request headers of a write that GitHub gets as the caller sent them."""


class Client:
    """One per process: keep-alive pools, the archive, the service's credentials."""

    def __init__(
        self,
        api_url: str,
        archive: Archive,
        *,
        service_token: Secret | None,
        public_token: Secret | None,
    ) -> None:
        """`api_url` has no trailing slash. Nothing is ever asked beyond it."""
        self.api_url = api_url
        self.archive = archive
        self._tokens = {"service": service_token, "public": public_token}
        self._archived = archived_session(archive)
        self._plain = PlainSession()
        self.state: Literal["unknown", "up", "down"] = "unknown"
        """What the last call found."""

    def get(self, target: Target, scope: Scope, token: Secret | None, held: Entry | None) -> Answer:
        """GitHub's answer for a scope; `token` is the caller's own, in the token scope only."""
        ask = self._ask("GET", target, self._authorization(scope, token))
        if scope.archived:
            ask.archive_key = archive_key(target, scope)
            ask.path, ask.tags = target.path, match(target.path).tags
            session: requests.Session = self._archived
        else:
            session = self._plain
            _validate(ask, held)
        response = self._send(session, ask)
        return _answer(response, ask.began)

    def forget(self, target: Target, scope: Scope) -> None:
        """Delete what the archive holds of a target."""
        self.archive.delete(archive_key(target, scope))

    def write(
        self,
        method: str,
        target: Target,
        token: Secret,
        headers: Mapping[str, str],
        body: Iterable[bytes] | bytes | None,
    ) -> Answer:
        """Pass a write through with the caller's own token; tried once, whatever happens."""
        ask = self._ask(method, target, f"Bearer {token.reveal()}")
        ask.headers.update({name: headers[name] for name in PASSED_ON if headers.get(name)})
        ask.prepare_body(body, None)
        return _answer(self._send(self._plain, ask), ask.began)

    def _authorization(self, scope: Scope, token: Secret | None) -> str | None:
        own = token if scope.kind == "token" else self._tokens[scope.kind]
        if scope.kind == "token" and own is None:
            raise ValueError("the token scope asks with the caller's token")
        return f"Bearer {own.reveal()}" if own else None

    def _ask(self, method: str, target: Target, authorization: str | None) -> Ask:
        ask = Ask()
        ask.prepare_method(method)
        ask.prepare_url(self.api_url + target.url, None)
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": target.media,
            "Accept-Encoding": "gzip",
            "X-GitHub-Api-Version": target.api_version,
            "Authorization": authorization,
        }
        ask.headers = CaseInsensitiveDict({name: value for name, value in headers.items() if value})
        ask.began = time.time()
        ask.deadline = time.monotonic() + DEADLINE
        return ask

    def _send(self, session: requests.Session, ask: Ask) -> requests.Response:
        began = time.perf_counter()
        status, confirmed = 0, False
        try:
            response = session.send(ask, **environment(session, self.api_url))
        except GitHubUnavailable as error:
            status = error.status
            self.state = "down"
            raise
        else:
            status, confirmed = response.status_code, _confirmed(response)
            self.state = "up"
            return response
        finally:
            upstream_called.send(
                self,
                path=ask.path_url.partition("?")[0],
                status=304 if confirmed else status,
                seconds=time.perf_counter() - began,
                revalidated=confirmed,
            )


def _validate(ask: Ask, held: Entry | None) -> None:
    if held is None or held.negative:
        return
    if held.upstream_etag:
        ask.headers["If-None-Match"] = held.upstream_etag
    elif held.last_modified:
        ask.headers["If-Modified-Since"] = held.last_modified


def _confirmed(response: requests.Response) -> bool:
    # requests-cache turns GitHub's 304 into the archive's 200, marked so.
    return response.status_code == 304 or bool(getattr(response, "revalidated", False))


def _answer(response: requests.Response, asked_at: float) -> Answer:
    whole = is_whole(response)
    confirmed = _confirmed(response)
    return Answer(
        status=response.status_code,
        headers=response.headers,
        body=response.content if whole else None,
        asked_at=asked_at,
        confirmed=confirmed,
        upstream_status=304 if confirmed else response.status_code,
        stream=None if whole else response,
        prefix=tuple(getattr(response, "prefix", ())),
    )
