"""What lists give away: a row that differs from what was held purges the repository's detail.

Softly: the next reader of the detail revalidates it, which is free where it was current already.
A row that agrees proves nothing (issues don't show in it), so it lengthens no period.
"""

from __future__ import annotations

import logging

from webapp.errors import StoreUnavailable
from webapp.harvesting.batch import Changes
from webapp.purging import Purger

log = logging.getLogger(__name__)

CAUSE = "list"


class ListRows:
    """Listens to the harvest."""

    def __init__(self, purger: Purger) -> None:
        self._purger = purger

    def __call__(self, changes: Changes) -> None:
        """Purge what the lists' rows say has changed."""
        try:
            self._purger.purge(changes.details, hard=False, cause=CAUSE)
        except StoreUnavailable as error:
            log.warning("details that lists say have changed aren't purged: %s", error)
