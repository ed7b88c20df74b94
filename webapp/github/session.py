"""The HTTP sessions towards GitHub: what is read, how long it may take, what is never followed.

A request's path through them:

    CachedSession.send       requests-cache: adds the archive's validators, keeps its body on a 304
      └ _Origin.send         ours: three tries, one deadline, bodies read up to BODY_MAX
          │                  (what is larger, or no JSON, is left streaming)
          └ requests         keep-alive pool, TLS, proxies
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests_cache import AnyResponse, CacheMixin
from requests_cache.backends.base import BaseCache
from requests_cache.models.response import CachedResponse
from requests_cache.policy.actions import CacheActions

from webapp.cache.entry import BODY_MAX
from webapp.errors import GitHubUnavailable
from webapp.github.answer import CHUNK, is_json, is_limit
from webapp.github.tries import Tries

CONNECT_TIMEOUT = 3.0  # seconds
DEADLINE = 10.0  # seconds, over connecting, headers and a stored body
USER_AGENT = "Forewarm/1 (+https://github.com/forewarm)"

UNREACHABLE = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError)
"""Connect error, timeout, reset, truncated or undecodable body: GitHub can't be reached."""


class Ask(requests.PreparedRequest):
    """A prepared request that knows its archive key, its credential's fingerprint, its tags,
    what it is for and when it began (Unix seconds)."""

    archive_key: str = ""
    fingerprint: str = ""
    conditional: bool = True
    path: str = ""
    resource: str = ""
    lane: str = ""
    scope: str = ""
    tags: tuple[str, ...] = ()
    began: float = 0.0
    deadline: float = 0.0  # time.monotonic()


class _Origin(requests.Session):
    """Tries a few times, follows nothing, and reads what can be stored; `prefix` is what was
    read of a body that can't."""

    def __init__(self) -> None:
        super().__init__()
        self._tries = Tries()
        # Set, so that requests doesn't look for credentials of its own in a .netrc.
        self.auth = lambda request: request
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=64, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Raises GitHubUnavailable."""
        deadline = getattr(request, "deadline", 0.0) or time.monotonic() + DEADLINE
        kwargs |= {"stream": True, "allow_redirects": False}

        def once(left: float) -> requests.Response:
            timeout: Any = urllib3.Timeout(total=left, connect=min(CONNECT_TIMEOUT, left))
            response = requests.Session.send(self, request, **kwargs, timeout=timeout)
            _read(response, deadline)
            return response

        try:
            response = self._tries.send(request.method or "", once, deadline)
        except UNREACHABLE as error:
            # Only the kind is told: texts of these errors hold URLs.
            raise GitHubUnavailable(f"GitHub can't be reached: {type(error).__name__}") from None
        if response.status_code >= 500:
            response.close()
            raise GitHubUnavailable(f"GitHub answered {response.status_code}", response.status_code)
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: a redirect is an answer. `requests` would prepare the next request all the same,
        from what ours lacks (a cookie jar), and read a body that streams."""


class PlainSession(_Origin):
    """For what a caller's own token sees, and for writes: nothing is archived."""


class ArchivedSession(CacheMixin, _Origin):
    """For the service's and the public's eyes: every answer is revalidated from the archive."""

    def _send_and_cache(
        self,
        request: requests.PreparedRequest,
        actions: CacheActions,
        cached_response: CachedResponse | None = None,
        **kwargs: Any,
    ) -> AnyResponse:
        # The archive must know when a confirmation was asked for, not when it came.
        if cached_response is not None and isinstance(request, Ask):
            cached_response.asked_at = request.began  # type: ignore[attr-defined]
        return super()._send_and_cache(request, actions, cached_response, **kwargs)


def archived_session(archive: BaseCache) -> ArchivedSession:
    """A session over the archive. It never answers by itself: it only remembers validators."""
    return ArchivedSession(
        backend=archive,
        always_revalidate=True,
        # Expired at once: what the archive holds is never served without asking. With "never
        # expires", requests-cache would silently answer from it when GitHub can't be reached.
        expire_after=0,
        allowable_methods=("GET",),
        allowable_codes=(200,),
        filter_fn=keeps_archived,
        key_fn=_archive_key,
    )


class ArchiveKey(str):
    """An archive key that knows who asks: the validators depend on it (etags.py)."""

    __slots__ = ("ask",)
    ask: Ask


def _archive_key(request: Ask, **_: object) -> ArchiveKey:
    key = ArchiveKey(request.archive_key)
    key.ask = request
    return key


def keeps_archived(response: requests.Response) -> bool:
    """False deletes the archive's row: whatever GitHub said, the old answer is over.

    Kept through what is no answer about this resource: a 304, a limit.
    """
    if response.status_code == 304:
        return True
    if response.status_code == 200:
        return is_whole(response) and ("ETag" in response.headers or _dated(response))
    return is_limit(response.status_code, response.headers, _read_so_far(response))


def is_whole(response: requests.Response) -> bool:
    """Whether the body was read, and so is JSON (or none) of at most BODY_MAX."""
    unread: object = False  # requests' own word for it
    return response._content is not unread


def _dated(response: requests.Response) -> bool:
    return "Last-Modified" in response.headers


def _read_so_far(response: requests.Response) -> bytes:
    return response.content if is_whole(response) else b""


def _read(response: requests.Response, deadline: float) -> None:
    """Read a JSON body until the deadline; leave any other, and one over BODY_MAX, streaming."""
    if response.status_code in {204, 304}:
        # Read to its end, however empty: closed before that, the connection would be lost.
        _have(response, response.raw.read())
        return
    if not is_json(response.headers.get("Content-Type", "")):
        return
    chunks: list[bytes] = []
    size = 0
    _wait_at_most(response, deadline - time.monotonic())
    # read1, because a read of so many bytes would let a trickle outlast the deadline.
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_MAX:
            response.prefix = chunks  # type: ignore[attr-defined]
            _wait_at_most(response, DEADLINE)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            response.close()
            raise requests.exceptions.ReadTimeout
        _wait_at_most(response, left)
    body = b"".join(chunks)
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        response.close()
        raise requests.exceptions.ContentDecodingError from None
    _have(response, body)


def _wait_at_most(response: requests.Response, seconds: float) -> None:
    """For the next bytes. urllib3 has set what was left before the headers came."""
    connection = response.raw.connection
    # None where the server closes after this answer: there urllib3's own wait stands.
    if connection is not None and connection.sock is not None:
        connection.sock.settimeout(max(0.001, seconds))


def _have(response: requests.Response, body: bytes) -> None:
    response._content = body
    response._content_consumed = True  # type: ignore[attr-defined]


def environment(session: requests.Session, url: str) -> dict[str, Any]:
    """Proxies and CA bundle of the process's environment, as `requests` would merge them."""
    merge: Callable[..., Any] = session.merge_environment_settings
    return dict(merge(url, {}, True, None, None))
