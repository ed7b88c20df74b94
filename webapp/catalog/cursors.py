"""Where a page ended, as an opaque word for its reader; checked whole when it comes back.

Nothing in it is secret, and nothing of it is trusted: it is a place in an order, for one query.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from webapp.db.catalog_search import Key, Place, SortName
from webapp.errors import RequestRefused

CURSOR_MAX = 1_024  # characters
INTEGER_MAX, BIGINT_MAX = 2**31 - 1, 2**63 - 1


def written(asked: Mapping[str, object], sort: SortName, place: Place) -> str:
    """The cursor of a search's page that ended there; `asked` is what makes the query this one."""
    key = place.key.isoformat() if isinstance(place.key, datetime) else place.key
    return _packed([_digest(asked), sort, key, place.id])


def read(cursor: str, asked: Mapping[str, object], sort: SortName) -> Place:
    """The place in it. Raises RequestRefused (400) for a broken one, or another query's."""
    match _unpacked(cursor):
        case [digest, held_sort, key, int(id_)] if type(id_) is int and 0 <= id_ <= BIGINT_MAX:
            if digest != _digest(asked) or held_sort != sort:
                raise RequestRefused(400, "cursor: it belongs to another query")
            return Place(_key(key, sort), id_)
    raise _broken()


def written_login(login: str) -> str:
    """The cursor of a page of owners."""
    return _packed([login.lower()])


def read_login(cursor: str) -> str:
    """The login in it. Raises RequestRefused (400)."""
    match _unpacked(cursor):
        case [str(login)] if _plain(login):
            return login
    raise _broken()


def _key(key: Any, sort: SortName) -> Key:
    match sort, key:
        case "stars", int() if type(key) is int and 0 <= key <= INTEGER_MAX:
            return key
        case "name", str() if _plain(key):
            return key
        case (("pushed" | "updated"), str()):
            try:
                at = datetime.fromisoformat(key)
            except ValueError:
                raise _broken() from None
            if at.tzinfo is not None and at.year > 1:
                return at.astimezone(UTC)
    raise _broken()


def _plain(text: str) -> bool:
    return len(text) <= 300 and text.isascii() and text.isprintable()


def _digest(asked: Mapping[str, object]) -> str:
    raw = orjson.dumps(dict(asked), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(raw, digest_size=6).hexdigest()


def _packed(value: list[object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def _unpacked(cursor: str) -> Any:
    if len(cursor) > CURSOR_MAX or not cursor.isascii():
        raise _broken()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return orjson.loads(raw)
    except (binascii.Error, orjson.JSONDecodeError):
        raise _broken() from None


def _broken() -> RequestRefused:
    return RequestRefused(400, "cursor: it isn't one of ours; begin again without it")
