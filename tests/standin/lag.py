"""Replica lag: for a while after a change, reads give what was there before.

Kept apart from the world because only readers look through it; writers always see the truth.
"""

from __future__ import annotations

from copy import copy

from tests.standin.clock import Clock
from tests.standin.model import Repo


class Replica:
    """Old states by repository id, each until its time has passed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._old: dict[int, tuple[float, Repo | None]] = {}
        self.seconds = 0.0

    @property
    def behind(self) -> bool:
        """Whether anything is still shown in an old state."""
        if not self._old:
            return False
        now = self._clock.now()
        self._old = {key: kept for key, kept in self._old.items() if kept[0] > now}
        return bool(self._old)

    def remember(self, repo_id: int, before: Repo | None) -> None:
        """Keep a state from before a change (None: it did not exist). The oldest kept one stays."""
        if self.seconds <= 0:
            return
        until = self._clock.now() + self.seconds
        kept = self._old.get(repo_id) if self.behind else None
        self._old[repo_id] = (until, kept[1] if kept else copy(before))

    def seen(self, repo_id: int, truth: Repo | None) -> Repo | None:
        """The state that a read gets."""
        if self._old and self.behind and repo_id in self._old:
            return self._old[repo_id][1]
        return truth

    def renamed_from(self, key: tuple[str, str]) -> Repo | None:
        """An old state that still answers to this name."""
        if self._old and self.behind:
            for _, old in self._old.values():
                if old is not None and old.key == key:
                    return old
        return None

    def old_states(self) -> list[Repo]:
        return [old for _, old in self._old.values() if old is not None] if self.behind else []

    def forget(self) -> None:
        self._old.clear()
