"""Every purge goes through here: from writes, operators, webhooks and feeds alike.

Hard ones reach the archive first, so that nothing serves from it what Redis has just declared
dead. A purge that can't be done is an error: stale data is worse than a failed purge.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from webapp.cache.store import Store
from webapp.github.archive import Archive
from webapp.signals import purged

log = logging.getLogger(__name__)


class Purger:
    """One per process."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    def purge(self, tags: Sequence[str], *, hard: bool, cause: str, detail: str = "") -> int:
        """Tags written. `cause` is one of webhook, mutation, feed, list, operator, restart.

        Raises StoreUnavailable, DatabaseUnavailable (hard purges only).
        """
        if not tags:
            return 0
        tags = tuple(dict.fromkeys(tags))
        if hard:
            self._archive.delete_tags(tags)
        written = self._store.purge(tags, hard=hard)
        kind = "hard" if hard else "soft"
        log.info("purge %s (%s %s): %s", kind, cause, detail, " ".join(tags))
        purged.send(self, tags=tags, hard=hard, cause=cause, detail=detail)
        return written
