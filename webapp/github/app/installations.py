"""Which of the App's installations sees an owner's repositories; learnt from GitHub, remembered.

An owner without one is remembered too, for a shorter time. A webhook that says that the App was
installed or removed may `forget` an owner early.
"""

from __future__ import annotations

from collections.abc import Collection

from webapp.errors import CredentialRefused
from webapp.github.app.api import AppApi
from webapp.github.app.notes import Notes

FOUND_FOR = 3600.0  # seconds
ABSENT_FOR = 300.0  # seconds
EVERY = "accounts"
LISTED_MAX = 100  # of one page


class Installations:
    """The App's installations. Methods raise GitHubUnavailable and CredentialRefused."""

    def __init__(self, api: AppApi, notes: Notes) -> None:
        self._api = api
        self._notes = notes

    def of(self, owner: str, deadline: float = 0.0) -> int | None:
        """The installation on an organisation or user, suspended or not; None where none is."""
        name = f"owner:{owner.lower()}"
        noted = self._notes.get(name)
        if noted is None:
            self._notes.raise_failure(EVERY)
            try:
                found = self._api.installation(owner, deadline)
            except CredentialRefused as error:
                self._notes.put_failure(EVERY, error)
                raise
            noted = found.id if found else 0
            self._notes.put(name, noted, FOUND_FOR if found else ABSENT_FOR)
        return int(noted) or None

    def every(self, deadline: float = 0.0) -> tuple[int, ...]:
        """The ids of those that aren't suspended, lowest first (of the first hundred).

        For what no owner is named in, and for owners without one: any installation sees what is
        public, and the lowest is the same for every process.
        """
        return tuple(id_ for id_, _, suspended in self._listed(deadline) if not suspended)

    def with_own(self, owners: Collection[str], deadline: float = 0.0) -> set[str]:
        """Those of the owners (lower-case) who have an installation, suspended or not."""
        listed = self._listed(deadline)
        own = {account for _, account, _ in listed} & set(owners)
        if len(listed) < LISTED_MAX:
            return own
        return own | {owner for owner in set(owners) - own if self.of(owner, deadline)}

    def _listed(self, deadline: float) -> list[tuple[int, str, bool]]:
        """Id, account and whether it is suspended, of the first hundred."""
        noted = self._notes.get(EVERY)
        if noted is None:
            self._notes.raise_failure(EVERY)
            try:
                found = self._api.installations(deadline)
            except CredentialRefused as error:
                self._notes.put_failure(EVERY, error)
                raise
            noted = [(each.id, each.account, each.suspended) for each in found]
            self._notes.put(EVERY, noted, ABSENT_FOR)
        return [(int(id_), str(account), bool(suspended)) for id_, account, suspended in noted]

    def forget(self, owner: str) -> None:
        """Ask again: the App was installed on an owner, or removed."""
        if owner:
            self._notes.drop(f"owner:{owner.lower()}")
        self._notes.drop(EVERY)
