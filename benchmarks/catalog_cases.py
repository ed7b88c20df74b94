"""Every query of the catalog, asked with other values each time, as users would ask it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from webapp.db import catalog
from webapp.db.catalog_search import OrderName, SortName, catalog_search, place
from webapp.db.seed import LANGUAGES, WORD_SHARES, WORDS
from webapp.db.statements import Connection

LOOKED_UP = 250
SORTS: tuple[SortName, ...] = ("stars", "pushed", "updated", "name")


@dataclass(frozen=True, slots=True)
class Known:
    """What the seeded catalog holds, to ask for."""

    names: list[str]
    owners: list[str]
    ids: list[int]
    topics: list[str]


@dataclass(frozen=True, slots=True)
class Case:
    """A query of the catalog; `draw` gives its next asking."""

    name: str
    draw: Callable[[random.Random], dict[str, Any]]
    ask: Callable[[Connection, dict[str, Any]], object]
    index: str = ""
    """Where it isn't read off the plan."""


Draw = Callable[[random.Random], dict[str, Any]]


def _search(name: str, draw: Draw) -> Case:
    def ask(conn: Connection, values: dict[str, Any]) -> object:
        return catalog_search(conn, **values)

    return Case(name, draw, ask)


def _sorted(name: str, sort: SortName, draw: Draw) -> Case:
    return _search(f"{name}, by {sort}", lambda chance: {**draw(chance), "sort": sort})


def filters(known: Known) -> dict[str, Draw]:
    """Filters as they are asked for, in each sort."""
    return {
        "all": lambda _: {},
        "all, from somewhere on": lambda chance: _deep(chance, known),
        "org": lambda chance: {"org": chance.choice(known.owners)},
        "language": lambda chance: {"language": chance.choice(LANGUAGES)},
        "topic": lambda chance: {"topic": chance.choice(known.topics)},
        "archived": lambda _: {"archived": True},
        "fork": lambda _: {"fork": True},
        "not public": lambda chance: {"visibility": chance.choice(("private", "internal"))},
        "q": lambda chance: {"q": _word(chance, known)},
        "q of two letters": lambda chance: {"q": _of_text(chance)[:2]},
        "q of two words": lambda chance: {"q": f"{_of_text(chance)} {_of_text(chance)}"},
        "q that nothing has": lambda chance: {"q": f"qzx{chance.randrange(10**6)}"},
        "org and q": lambda chance: {"org": chance.choice(known.owners), "q": _of_text(chance)},
        "q, language, not archived": lambda chance: {
            "q": _of_text(chance),
            "language": chance.choice(LANGUAGES[:20]),
            "archived": False,
        },
        "topic, language, neither archived nor fork": lambda chance: {
            "language": chance.choice(LANGUAGES[:20]),
            "topic": chance.choice(known.topics),
            "archived": False,
            "fork": False,
        },
    }


def cases(known: Known) -> Iterator[Case]:
    """Every query of the catalog."""
    for name, draw in filters(known).items():
        for sort in SORTS:
            yield _sorted(name, sort, draw)
    yield Case(
        f"look-up of {LOOKED_UP} names",
        lambda chance: {"names": chance.sample(known.names, LOOKED_UP)},
        lambda conn, values: catalog.catalog_lookup(conn, values["names"]),
        "repositories_name",
    )
    yield Case(
        "one repository",
        lambda chance: {"name": chance.choice(known.names)},
        lambda conn, values: catalog.catalog_lookup(conn, [values["name"]]),
        "repositories_name",
    )
    yield Case(
        "history",
        lambda chance: {"id": chance.choice(known.ids)},
        lambda conn, values: catalog.catalog_history(conn, values["id"]),
        "repository_days_pkey",
    )
    yield Case(
        "owners, a page of 30",
        lambda chance: {"after": chance.choice(known.owners)},
        lambda conn, values: catalog.catalog_orgs(conn, after=values["after"]),
        "organisations_login, repositories_owner_updated",
    )
    yield Case(
        "one owner",
        lambda chance: {"login": chance.choice(known.owners)},
        lambda conn, values: catalog.catalog_org(conn, values["login"]),
        "organisations_login, repositories_owner_updated",
    )


def _word(chance: random.Random, known: Known) -> str:
    """Common words, parts of words, and names that one repository has."""
    kind = chance.randrange(3)
    if kind == 0:
        return _of_text(chance)
    if kind == 1:
        return _of_text(chance)[:3]
    return chance.choice(known.names).partition("/")[2]


def _of_text(chance: random.Random) -> str:
    """A word, as often as it is used."""
    return chance.choices(WORDS, cum_weights=WORD_SHARES)[0]


def _deep(chance: random.Random, known: Known) -> dict[str, Any]:
    order: OrderName = chance.choice(("asc", "desc"))
    return {"order": order, "deep": chance.choice(known.names)}


def known(conn: Connection) -> Known:
    """Some of what there is, the same each time."""

    def column(statement: str) -> list[Any]:
        return [row[0] for row in conn.execute(statement.encode())]

    return Known(
        names=column("select name_key from repositories tablesample system (1) repeatable (1)"),
        owners=column("select login_key from organisations"),
        ids=column("select id from repositories tablesample system (1) repeatable (2)"),
        topics=column(
            "select distinct unnest(topics) from repositories tablesample system (1) repeatable (3)"
        ),
    )


def values_of(conn: Connection, case: Case, chance: random.Random) -> dict[str, Any]:
    """The next asking's; what must be looked up for them is."""
    values = case.draw(chance)
    if "deep" in values:  # a page's end is found outside the clock
        row = catalog.catalog_lookup(conn, [values.pop("deep")])[0]
        values["after"] = place(row, values["sort"])
    return values
