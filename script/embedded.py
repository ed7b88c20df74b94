"""The stores that script/server and the tests run by themselves: real Valkey, real PostgreSQL 18.

Policy: they start before and stop after everything that uses them; their data stays, under var/,
and is picked up again, also after a kill. See embedded_store.py for how one is run.

    stores = start_together([Valkey(VAR / "valkey"), Postgres(VAR / "postgres")])
    …
    stop_together(stores)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from script.embedded_postgresql import Postgres
from script.embedded_store import Store, StoreError
from script.embedded_valkey import Valkey

__all__ = ["Postgres", "Store", "StoreError", "Valkey", "start_together", "stop_together"]


def start_together(stores: Sequence[Store]) -> Sequence[Store]:
    """Start all at once; where one can't start, none stays, and its StoreError is raised."""
    try:
        _each(stores, lambda store: store.start())
    except BaseException:
        stop_together(stores)
        raise
    return stores


def stop_together(stores: Sequence[Store]) -> None:
    _each(stores, lambda store: store.stop())


def _each(stores: Sequence[Store], act: Callable[[Store], None]) -> None:
    if not stores:
        return
    with ThreadPoolExecutor(len(stores)) as threads:
        doings = [threads.submit(act, store) for store in stores]
    for doing in doings:
        doing.result()
