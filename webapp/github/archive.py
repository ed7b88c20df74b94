"""The archive shelf: requests-cache's backend over PostgreSQL.

It remembers GitHub's last raw answer and its validators, for the service's and the public's eyes,
so that losing Redis costs no points. It never decides freshness. No request header is stored, so
no token can be; volatile headers are left out; a 304 touches validators and times alone. Without
PostgreSQL it is simply empty: nothing waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict
from requests_cache.backends.base import BaseCache
from requests_cache.models.response import CachedResponse

from webapp.cache.entry import KEPT_HEADERS
from webapp.cache.keys import Scope, Target, archive_key
from webapp.db import queries
from webapp.db.pool import Database
from webapp.db.statements import Connection
from webapp.errors import DatabaseUnavailable
from webapp.github.answer import Answer
from webapp.github.etags import Formula

log = logging.getLogger(__name__)

_EXPIRED = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = {
    "ETag": "etag",
    "Last-Modified": "last_modified",
    "Link": "link",
    "Content-Type": "content_type",
    "X-GitHub-Request-Id": "request_id",
}
"""Headers with a column of their own; of the rest KEPT_HEADERS are kept, Vary on purpose not:
the key already holds everything that the answer varies on."""


class Archive(BaseCache):
    """requests-cache asks, saves and deletes by the key that the client gave the request."""

    def __init__(self, database: Database, formula: Formula) -> None:
        super().__init__(cache_name="upstream_responses")
        self._database = database
        self._formula = formula

    def get_response(self, key: str, default: Any = None) -> Any:
        """The held answer as requests-cache knows it, always expired: to be revalidated.

        Its validators are those that the credential now asking would have got (etags.py);
        If-Modified-Since never crosses credentials.
        """
        ask = getattr(key, "ask", None)
        row = self._row(key) if ask is None or ask.conditional else None
        if row is None:
            return default
        cached = _cached(row)
        if ask is not None:
            etag = self._formula.validator(
                row.etag or "",
                row.credential or "",
                ask.fingerprint,
                body=row.body,
                accept=ask.headers.get("Accept"),
                authorization=ask.headers.get("Authorization"),
            )
            _put(cached, "ETag", etag)
            if row.credential != ask.fingerprint:
                _put(cached, "Last-Modified", "")
        return cached

    def save_response(
        self,
        response: requests.Response,
        cache_key: str | None = None,
        expires: datetime | None = None,  # noqa: ARG002 - requests-cache's signature
    ) -> None:
        """Keep a 200 whole, a 304 by touching the row it confirmed."""
        key = cache_key or str(getattr(response.request, "archive_key", ""))
        ask = getattr(key, "ask", None)
        if ask is not None:
            self._formula.check(
                response.headers.get("ETag", ""),
                response.content,
                ask.headers.get("Accept"),
                ask.headers.get("Authorization"),
            )
        try:
            with self._database.connection() as conn:
                if isinstance(response, CachedResponse):
                    _touch(conn, key, response, ask.fingerprint if ask is not None else None)
                else:
                    queries.archive_put(conn, _row_of(response, key))
        except DatabaseUnavailable as error:
            log.debug("not archived: %s", error)

    def delete(self, *keys: str, **_: Any) -> None:
        """Forget answers that GitHub has taken back."""
        try:
            with self._database.connection() as conn:
                for key in keys:
                    queries.archive_delete(conn, key)
        except DatabaseUnavailable as error:
            log.debug("not deleted from the archive: %s", error)

    def delete_tags(self, tags: Sequence[str]) -> int:
        """A hard purge. Raises DatabaseUnavailable: purges fail loudly."""
        with self._database.connection() as conn:
            return queries.archive_delete_tags(conn, tags)

    def held(self, target: Target, scope: Scope) -> Answer | None:
        """What GitHub last said, to be served as grace when nothing else is there."""
        row = self._row(archive_key(target, scope)) if scope.archived else None
        if row is None:
            return None
        return Answer(
            status=row.status,
            headers=_headers(row),
            body=row.body,
            asked_at=row.confirmed_at.timestamp(),
        )

    def _row(self, key: str) -> queries.ArchivedResponse | None:
        try:
            with self._database.connection() as conn:
                return queries.archive_get(conn, key)
        except DatabaseUnavailable as error:
            log.debug("not read from the archive: %s", error)
            return None


def _headers(row: queries.ArchivedResponse) -> CaseInsensitiveDict[str]:
    own = {name: getattr(row, column) for name, column in _COLUMNS.items()}
    return CaseInsensitiveDict(
        {name: value for name, value in own.items() if value} | dict(row.headers)
    )


def _touch(conn: Connection, key: str, response: CachedResponse, credential: str | None) -> None:
    row: queries.ArchivedResponse = response.row  # type: ignore[attr-defined]
    asked_at = datetime.fromtimestamp(response.asked_at, UTC)  # type: ignore[attr-defined]
    queries.archive_touch(
        conn,
        key,
        fetched_at=row.fetched_at,
        confirmed_at=max(asked_at, row.fetched_at),
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
        credential=credential,
    )
    if row.last_modified:
        # It was withheld from another credential's request; the answer has it all the same.
        response.headers.setdefault("Last-Modified", row.last_modified)


def _put(response: CachedResponse, name: str, value: str) -> None:
    if value:
        response.headers[name] = value
    else:
        response.headers.pop(name, None)


def _cached(row: queries.ArchivedResponse) -> CachedResponse:
    cached = CachedResponse(
        status_code=row.status,
        headers=_headers(row),
        content=row.body,
        created_at=row.fetched_at,
        expires=_EXPIRED,
        encoding="utf-8",
        url=row.path,
    )
    cached.row = row  # type: ignore[attr-defined]
    return cached


def _row_of(response: requests.Response, key: str) -> queries.ArchivedResponse:
    request: Any = response.request
    began = datetime.fromtimestamp(request.began, UTC)
    own: dict[str, Any] = {column: response.headers.get(name) for name, column in _COLUMNS.items()}
    return queries.ArchivedResponse(
        key=key,
        path=request.path,
        tags=request.tags,
        status=response.status_code,
        accept=request.headers.get("Accept", ""),
        api_version=request.headers.get("X-GitHub-Api-Version", ""),
        headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        body=response.content,
        fetched_at=began,
        confirmed_at=began,
        used_at=began,
        credential=request.fingerprint or None,
        **own,
    )
