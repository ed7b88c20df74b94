"""Searching the catalog: a statement composed of constant parts, one for each filter that is asked.

A filter that isn't asked isn't in the text: `($1 is null or …)` would hide every index from the
planner. Values are always parameters, and each run is planned with them (a plan for all values
can't know a rare language from a common one). How frequent a word is nobody knows beforehand, so
most searches for words try (catalog_search_words.sql).

Pages are by keyset: `after` is the last row's sort key and id. A row whose sort key stays is
given exactly once however others come and go; one whose key moves while someone pages is found
where it is when that page is read, so it may come twice or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, LiteralString

from psycopg.rows import class_row

from webapp.db.catalog import CatalogRow
from webapp.db.catalog_words import Conditions, conditions, words
from webapp.db.statements import Connection, load, timed

SortName = Literal["stars", "pushed", "updated", "name"]
OrderName = Literal["asc", "desc"]
Visibility = Literal["public", "private", "internal"]
Key = int | datetime | str
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for "never pushed", in the index too."""

_KEYS: MappingProxyType[SortName, LiteralString] = MappingProxyType(
    {
        "stars": "r.stargazers_count",
        "pushed": "r.pushed_key",
        "updated": "r.updated_at",
        "name": "r.name_key",
    }
)
_FIRST: MappingProxyType[SortName, OrderName] = MappingProxyType(
    {"stars": "desc", "pushed": "desc", "updated": "desc", "name": "asc"}
)
"""A sort's own direction, where none is asked for."""
_WHERE: LiteralString = "where true"
_ORDER: LiteralString = "order by r.stargazers_count desc, r.id desc"
_NEAR, _NEAR_OF_LESS = 4_000, 2_000
"""Rows that are read on before anything else, for one word, and for more, which seldom fills a page
there. A millisecond and a half one."""
_PAGE_BEGINS: LiteralString = "from (\n"
_PAGE_ENDS: LiteralString = "\n) page"
_READ: LiteralString = "position(lower(%(word0)s) in r.search) > 0"
_FOUND: LiteralString = "r.search like (select lower(%(part0)s)) and true"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last row's sort key (see `place`) and id."""

    key: Key
    id: int


def place(row: CatalogRow, sort: SortName) -> Place:
    """Where a page ends that ends with this row."""
    keys: dict[SortName, Key] = {
        "stars": row.stargazers_count,
        "pushed": row.pushed_at or EPOCH,
        "updated": row.updated_at,
        "name": row.full_name.lower(),
    }
    return Place(keys[sort], row.id)


def searchable(q: str) -> bool:
    """Whether a q holds a letter or digit: nothing else is looked for."""
    return any(words(q))


def catalog_search(
    conn: Connection,
    *,
    q: str = "",
    org: str = "",
    language: str = "",
    topic: str = "",
    archived: bool | None = None,
    fork: bool | None = None,
    visibility: Visibility | None = None,
    sort: SortName = "stars",
    order: OrderName | None = None,
    limit: int = 30,
    after: Place | None = None,
) -> list[CatalogRow]:
    """A page of repositories. What is empty or None doesn't filter; all that is given must hold.

    Each word of `q` occurs in the full name or description; one of less than three letters or
    digits begins a word there. Wildcards mean themselves. Raises ValueError unless `q` is
    `searchable` or empty.
    """
    statement, values = composed(
        q=q,
        org=org,
        language=language,
        topic=topic,
        archived=archived,
        fork=fork,
        visibility=visibility,
        sort=sort,
        order=order,
        limit=limit,
        after=after,
    )
    with timed("catalog_search"), conn.cursor(row_factory=class_row(CatalogRow)) as cursor:
        # Never prepared: a generic plan knows no value.
        return cursor.execute(statement, values, prepare=False).fetchall()


def composed(
    *,
    q: str = "",
    org: str = "",
    language: str = "",
    topic: str = "",
    archived: bool | None = None,
    fork: bool | None = None,
    visibility: Visibility | None = None,
    sort: SortName = "stars",
    order: OrderName | None = None,
    limit: int = 30,
    after: Place | None = None,
) -> tuple[LiteralString, dict[str, object]]:
    """The statement of a search and its values, as `catalog_search` runs it."""
    key, order = _KEYS[sort], order or _FIRST[sort]
    parts: list[LiteralString] = []
    values: dict[str, object] = {"limit": limit}
    looked_for = conditions(q) if q else Conditions()
    values |= looked_for.values
    if org:
        values["org"] = org.lower()
        if q:
            parts.append(_ORG_AND_Q.replace("true", " and ".join(looked_for.read)))
        else:
            parts.append(_ORG_BY_NAME if sort == "name" else _ORG)
    if language:
        parts.append(_LANGUAGE_TOO if (q or topic) and not org else _LANGUAGE)
        values["language"] = language
    if topic:
        parts.append("r.topics @> array[lower(%(topic)s)]")
        values["topic"] = topic
    if archived is not None:
        parts.append("r.archived" if archived else "not r.archived")
    if fork is not None:
        parts.append("r.fork" if fork else "not r.fork")
    if visibility is not None:
        parts.append(_VISIBILITY[visibility])
    direction: LiteralString = "desc" if order == "desc" else "asc"
    begin: LiteralString = "true"
    if after is not None:
        compared: LiteralString = "<" if order == "desc" else ">"
        begin = f"({key}, r.id) {compared} ({_cast(sort)}, %(after_id)s)"
        values |= {"after_key": after.key, "after_id": after.id}
    by = f"order by {key} {direction}, r.id {direction}"
    statement = load("catalog_search")
    if q and not org and not (archived or fork or visibility in {"private", "internal"}):
        page = (
            load("catalog_search_words")
            .replace(_FOUND, " and ".join([*looked_for.unguessed, *parts, begin]))
            .replace(_READ, " and ".join([*looked_for.read, *parts]))
            .replace(_ORDER, by)
            .replace(_KEYS["stars"], key)
        )
        values["near"] = _NEAR if len(looked_for.read) + len(parts) == 1 else _NEAR_OF_LESS
        before, begins, rest = statement.partition(_PAGE_BEGINS)
        _, ends, after_page = rest.partition(_PAGE_ENDS)
        statement = before + begins + page + ends + after_page
    else:
        # By an owner, or by what is rare and has indexes of its own, as the planner thinks best.
        begin = " and ".join([*([] if org else looked_for.guessed), *parts, begin])
    return statement.replace(_WHERE, f"where {begin}").replace(_ORDER, by), values


_ORG: LiteralString = "r.owner_key = %(org)s"
# By name an owner's rows are a range of all: "0" follows "/".
_ORG_BY_NAME: LiteralString = "r.name_key > %(org)s || '/' and r.name_key < %(org)s || '0'"
# One owner's rows are few: their part of an index is read with what q looks in, before any row is
# fetched. `offset 0` keeps the planner from making one look of the two, at rows.
_ORG_AND_Q: LiteralString = (
    "r.id in (select r.id from repositories r"
    " where r.name_key > %(org)s || '/' and r.name_key < %(org)s || '0' and true"
    " offset 0)"
)
_LANGUAGE: LiteralString = "r.language_key = lower(%(language)s)"
# The same, as the index knows it that has words and topics too.
_LANGUAGE_TOO: LiteralString = "array[r.language_key] @> array[lower(%(language)s)]"
# Constants, so that the partial indexes prove themselves useful.
_VISIBILITY: MappingProxyType[Visibility, LiteralString] = MappingProxyType(
    {
        "public": "r.visibility = 'public'",
        "private": "r.visibility = 'private'",
        "internal": "r.visibility = 'internal'",
    }
)


def _cast(sort: SortName) -> LiteralString:
    casts: dict[SortName, LiteralString] = {
        "stars": "%(after_key)s::integer",
        "pushed": "%(after_key)s::timestamptz",
        "updated": "%(after_key)s::timestamptz",
        "name": "%(after_key)s::text",
    }
    return casts[sort]
