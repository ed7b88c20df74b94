"""What GitHub held when, which purges were accepted when, and so what nobody may be shown. Pure.

A subject is a repository ("initech/one") or its topics ("initech/one#topics"); each change of it
has the next number, which its body shows. Answers are judged when all is over:

    never      a number GitHub had not been given; a version that the caller's eyes never saw
    floors     nothing older than an accepted purge, but softly purged as GRACE
    asked      MISS and REVALIDATED: nothing older than what GitHub held when the request began
    periods    HIT and STALE: nothing that GitHub replaced longer ago than they last

Times are the monotonic clock's seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

NEAR = 1.0
"""Seconds that a near shelf may be behind where a purge's message is lost with its Redis."""
NOISE = 0.5
"""Seconds that a thread of a busy machine may wait for a core."""
REPLAY = 1.5
"""Seconds after Redis' return until purges noted meanwhile bind every process: it is looked for
four times a second, and one that never noticed its absence trusts it all the time."""
FLIGHT = 10.0
"""Seconds that a shared fetch, begun before its reader came, may take."""

SERVICE, PUBLIC, ALICE, BOB = "service", "public", "alice", "bob"
EVERYBODY = frozenset({SERVICE, PUBLIC, ALICE, BOB})


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a subject: at GitHub from some moment between `sent` and `held` on."""

    number: int
    sent: float
    held: float
    visible: frozenset[str] = EVERYBODY


@dataclass(frozen=True, slots=True)
class Purge:
    """Accepted at that moment: it ends what is older than `number`."""

    number: int
    accepted: float
    hard: bool


@dataclass(slots=True)
class Subject:
    """`fresh` and `stale` in seconds, as Forewarm is set."""

    name: str
    fresh: float
    stale: float
    versions: list[Version] = field(default_factory=list)
    purges: list[Purge] = field(default_factory=list)
    unsure: bool = False
    """A write's outcome isn't known: GitHub may yet go back to a version before."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Redis was away, or may have been; `ended` its return."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer; `outcome` is the mirror's. `shown` is by subject; None: said to be nowhere, by a
    404 or its absence."""

    scope: str
    where: int
    path: str
    began: float
    ended: float
    status: int
    outcome: str = ""
    shown: tuple[tuple[str, int | None], ...] = ()
    error: str = ""


def binding(accepted: float, absences: Sequence[Absence]) -> float:
    """From when on an accepted purge binds every process."""
    bound = accepted + NEAR + NOISE
    for absence in absences:
        if absence.began - NOISE <= bound and accepted <= absence.ended + REPLAY:
            bound = max(bound, absence.ended + REPLAY + NEAR + NOISE)
    return bound


class Judge:
    """Of one subject, with what is known at the end."""

    def __init__(self, subject: Subject, absences: Sequence[Absence]) -> None:
        self._subject = subject
        ordered = sorted(absences, key=lambda each: each.began)
        self._floors = {hard: self._bounds(ordered, hard_only=hard) for hard in (False, True)}
        self._held = [each.held for each in subject.versions]
        self._numbers = [each.number for each in subject.versions]

    def _bounds(
        self, absences: Sequence[Absence], *, hard_only: bool
    ) -> tuple[list[float], list[int]]:
        """Moments in order, and the oldest number that may be shown from each on."""
        binding_at = sorted(
            (binding(each.accepted, absences), each.number)
            for each in self._subject.purges
            if each.hard or not hard_only
        )
        return [at for at, _ in binding_at], list(accumulate((n for _, n in binding_at), max))

    def least(self, seen: Seen) -> int:
        """The oldest number that this answer may show."""
        if self._subject.unsure or not seen.outcome:
            return 0
        moments, numbers = self._floors[seen.outcome == "GRACE"]
        before = bisect_right(moments, seen.began)
        bound = numbers[before - 1] if before else 0
        age = {
            "MISS": 0.0,
            "REVALIDATED": 0.0,
            "COALESCED": FLIGHT,
            "HIT": self._subject.fresh + NOISE,
            "STALE": self._subject.fresh + self._subject.stale + NOISE,
        }.get(seen.outcome)
        if age is None:
            return bound
        held = bisect_right(self._held, seen.began - age)
        return max(bound, self._numbers[held - 1] if held else 0)

    def untrue(self, number: int | None, seen: Seen) -> str | None:
        """Why this number (None: nowhere) may not be in that answer."""
        bound = self.least(seen)
        possible = [
            each
            for each in self._subject.versions
            if each.number >= bound and each.sent <= seen.ended
        ]
        if number is None:
            nowhere = any(seen.scope not in each.visible for each in possible)
            return None if nowhere else f"nowhere, though there from {bound} on"
        if any(each.number == number and seen.scope in each.visible for each in possible):
            return None
        if any(
            each.number == number and seen.scope not in each.visible
            for each in self._subject.versions
        ):
            return f"foreign: {number}"
        return f"too old: {number}, not {bound}" if number < bound else f"unheard of: {number}"


def untrue(
    subjects: Mapping[str, Subject], absences: Sequence[Absence], answers: Iterable[Seen]
) -> Iterator[str]:
    """What the answers show and may not."""
    judges = {name: Judge(subject, absences) for name, subject in subjects.items()}
    for seen in answers:
        for name, number in seen.shown:
            if why := judges[name].untrue(number, seen):
                yield f"{name} {why}: {seen}"
