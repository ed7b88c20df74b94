"""One exchange with GitHub: a request with a credential, an answer told apart. No policy.

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
from webapp.github.credentials import Credential
from webapp.github.limits import Lane
from webapp.github.session import (
    USER_AGENT,
    Ask,
    PlainSession,
    archived_session,
    environment,
    is_whole,
)
from webapp.policy import match
from webapp.signals import upstream_called, upstream_calling

PASSED_ON = ("Content-Type", "X-GitHub-Api-Version", "Accept")
"""Request headers of a write that GitHub gets as the caller sent them."""


class Exchange:
    """One per process: keep-alive pools and the archive."""

    def __init__(self, api_url: str, archive: Archive) -> None:
        """`api_url` has no trailing slash. Nothing is ever asked beyond it."""
        self._api_url = api_url
        self._archive = archive
        self._archived = archived_session(archive)
        self._plain = PlainSession()
        self.state: Literal["unknown", "up", "down"] = "unknown"
        """What the last call found."""

    def read(
        self,
        target: Target,
        scope: Scope,
        credential: Credential,
        *,
        held: Entry | None,
        deadline: float,
        lane: Lane = Lane.INTERACTIVE,
        conditional: bool = True,
    ) -> Answer:
        """GET; `deadline` in time.monotonic()'s seconds. Without validators unless conditional."""
        ask = self._ask("GET", self._api_url + target.url, target, credential, deadline)
        ask.lane, ask.scope = lane.value, scope.kind
        ask.conditional = conditional
        if not scope.archived:
            _validate(ask, held if conditional else None)
            return self._answer(self._plain, ask)
        ask.archive_key = archive_key(target, scope)
        ask.path, ask.tags = target.path, match(target.path).tags
        ask.fingerprint = credential.fingerprint
        return self._answer(self._archived, ask)

    def write(
        self,
        method: str,
        url: str,
        target: Target,
        credential: Credential,
        *,
        headers: Mapping[str, str],
        body: Iterable[bytes] | bytes | None,
        deadline: float,
        lane: Lane = Lane.INTERACTIVE,
    ) -> Answer:
        """Any other method, to `url`; tried once, whatever happens."""
        ask = self._ask(method, url, target, credential, deadline)
        ask.lane = lane.value
        ask.headers.update({name: headers[name] for name in PASSED_ON if headers.get(name)})
        ask.prepare_body(body, None)
        return self._answer(self._plain, ask)

    def forget(self, target: Target, scope: Scope) -> None:
        """Delete what the archive holds of a target."""
        self._archive.delete(archive_key(target, scope))

    def _ask(
        self, method: str, url: str, target: Target, credential: Credential, deadline: float
    ) -> Ask:
        ask = Ask()
        ask.prepare_method(method)
        ask.prepare_url(url, None)
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": target.media,
            "Accept-Encoding": "gzip",
            "X-GitHub-Api-Version": target.api_version,
            "Authorization": credential.authorization(),
        }
        ask.headers = CaseInsensitiveDict({name: value for name, value in headers.items() if value})
        ask.began, ask.deadline = time.time(), deadline
        ask.resource = _resource_of(target)
        return ask

    def _answer(self, session: requests.Session, ask: Ask) -> Answer:
        began = time.perf_counter()
        status, confirmed = 0, False
        path = ask.path_url.partition("?")[0]
        upstream_calling.send(self, path=path)
        try:
            response = session.send(ask, **environment(session, self._api_url))
        except GitHubUnavailable as error:
            status = error.status
            self.state = "down"
            raise
        else:
            status, confirmed = response.status_code, _confirmed(response)
            self.state = "up"
            return _told_apart(response, ask.began)
        finally:
            upstream_called.send(
                self,
                resource=ask.resource,
                lane=ask.lane,
                scope=ask.scope,
                path=path,
                status=304 if confirmed else status,
                seconds=time.perf_counter() - began,
                revalidated=confirmed,
            )


def _resource_of(target: Target) -> str:
    """The table's row, or graphql, which isn't in it."""
    return "graphql" if target.path == "/graphql" else match(target.path).resource.name


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


def _told_apart(response: requests.Response, asked_at: float) -> Answer:
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
