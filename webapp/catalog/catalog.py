"""The catalog's readers together: look-ups that may ask GitHub, and lists that never do."""

from __future__ import annotations

from webapp.cache.results import Results
from webapp.catalog.details import Details
from webapp.catalog.listing import Listing
from webapp.catalog.lookup import Lookup
from webapp.db.pool import Database
from webapp.github.batch import Batches
from webapp.github.client import Client
from webapp.github.credentials import Credentials
from webapp.harvesting.batch import Changes
from webapp.harvesting.harvest import Harvest
from webapp.policy import Periods
from webapp.serve import Ladder
from webapp.shares import Shares
from webapp.watches import Watches


class Catalog:
    """One per process."""

    def __init__(
        self,
        *,
        database: Database,
        harvest: Harvest,
        results: Results,
        client: Client,
        credentials: Credentials,
        ladder: Ladder,
        shares: Shares,
        watches: Watches,
        periods: Periods,
    ) -> None:
        self._results = results
        self._batches = Batches(client, credentials)
        self._details = Details(ladder)
        self.listing = Listing(database, results, watches, periods)
        self.lookup = Lookup(
            database=database,
            batches=self._batches,
            details=self._details,
            harvest=harvest,
            results=results,
            shares=shares,
            periods=periods,
        )
        harvest.subscribe(self._changed)

    def _changed(self, changes: Changes) -> None:
        self._results.forget_owners(changes.owners)

    def close(self) -> None:
        """End its threads."""
        self._batches.close()
        self._details.close()
