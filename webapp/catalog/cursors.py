"""Where a page ended, as an opaque word for its reader: the last row's id and sort key, in hex.

It only says where to go on, so whatever has its form is a place in the order, and nothing in it
need be trusted or kept secret. What hasn't is refused by the model.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from webapp.db.catalog_search import EPOCH, Key, Place, SortName

PATTERN = r"^(?:(?:[0-9a-f]{2}){9,310})?$"
LOGIN_PATTERN = r"^(?:[0-9a-f]{2}){0,100}$"
ID_BYTES = 8
INTEGER_MAX, BIGINT_MAX = 2**31 - 1, 2**63 - 1
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def written(place: Place) -> str:
    """The cursor of a search's page that ended there."""
    return (place.id.to_bytes(ID_BYTES, "big") + _key_bytes(place.key)).hex()


def read(cursor: str, sort: SortName) -> Place:
    """The place in a cursor of PATTERN's form, in an order by `sort`."""
    raw = bytes.fromhex(cursor)
    id_ = min(BIGINT_MAX, int.from_bytes(raw[:ID_BYTES], "big"))
    return Place(_key(raw[ID_BYTES:], sort), id_)


def written_login(login: str) -> str:
    """The cursor of a page of owners."""
    return login.lower().encode().hex()


def read_login(cursor: str) -> str:
    """The login in a cursor of LOGIN_PATTERN's form."""
    return _text(bytes.fromhex(cursor))


def _key_bytes(key: Key) -> bytes:
    match key:
        case datetime():
            return ((key - EPOCH) // _MICROSECOND).to_bytes(8, "big")
        case int():
            return key.to_bytes(4, "big")
        case str():
            return key.encode()


def _key(raw: bytes, sort: SortName) -> Key:
    if sort == "name":
        return _text(raw)
    number = int.from_bytes(raw[:8], "big")
    if sort == "stars":
        return min(INTEGER_MAX, number)
    return EPOCH + min(number, (LATEST - EPOCH) // _MICROSECOND) * _MICROSECOND


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").replace("\x00", "")  # PostgreSQL's text holds none
