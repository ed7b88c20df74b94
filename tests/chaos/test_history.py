"""The judge of chaos: what it must call wrong it does, and nothing else."""

from __future__ import annotations

import pytest

from tests.chaos.history import (
    EVERYBODY,
    NEAR,
    NOISE,
    PUBLIC,
    REPLAY,
    SERVICE,
    Absence,
    Purge,
    Seen,
    Subject,
    Version,
    untrue,
)

LATER = NEAR + NOISE + 0.1  # seconds after which a purge binds everybody
HIDDEN = frozenset({SERVICE})


def subject(*purges: Purge, hidden: int | None = None) -> Subject:
    """Versions 0 to 3 of "one", at 0, 10, 20 and 30 s, each at GitHub within a second."""
    versions = [
        Version(n, 10.0 * n, 10.0 * n + 1, HIDDEN if n == hidden else EVERYBODY) for n in range(4)
    ]
    return Subject("one", 100.0, 100.0, versions, list(purges))


def verdicts(
    number: int | None,
    began: float,
    outcome: str = "HIT",
    scope: str = PUBLIC,
    of: Subject | None = None,
    absences: tuple[Absence, ...] = (),
) -> list[str]:
    status = 404 if number is None else 200
    seen = Seen(scope, 0, "/one", began, began + 0.1, status, outcome, (("one", number),))
    found = untrue({"one": of or subject()}, absences, [seen])
    return [each.split(":")[0].removeprefix("one ") for each in found]


@pytest.mark.parametrize("purge_is", ["soft", "hard"])
def test_what_an_accepted_purge_ended_is_too_old_once_it_binds(purge_is: str) -> None:
    purged = subject(Purge(2, 22.0, purge_is == "hard"))
    assert verdicts(1, 22.0 + LATER, of=purged) == ["too old"]
    assert verdicts(1, 21.9, of=purged) == verdicts(2, 22.0 + LATER, of=purged) == []


def test_grace_may_show_what_was_purged_softly_but_not_hard() -> None:
    assert verdicts(1, 40.0, "GRACE", of=subject(Purge(2, 22.0, hard=False))) == []
    assert verdicts(1, 40.0, "GRACE", of=subject(Purge(2, 22.0, hard=True))) == ["too old"]


def test_a_purge_that_redis_missed_binds_from_its_return() -> None:
    purged, away = subject(Purge(2, 22.0, hard=True)), (Absence(21.0, 28.0),)
    assert verdicts(1, 28.0 + REPLAY, of=purged, absences=away) == []
    assert verdicts(1, 28.0 + REPLAY + LATER, of=purged, absences=away) == ["too old"]


@pytest.mark.parametrize("outcome", ["MISS", "REVALIDATED"])
def test_who_had_github_asked_sees_what_it_held_then(outcome: str) -> None:
    assert verdicts(2, 31.5, outcome) == ["too old"]
    assert verdicts(2, 30.5, outcome) == verdicts(3, 30.5, outcome) == []


def test_a_hit_lasts_as_long_as_it_is_fresh_and_stale_a_while_longer() -> None:
    assert verdicts(0, 11 + 100 + LATER) == ["too old"]
    assert verdicts(0, 11 + 100 + LATER, "STALE") == []
    assert verdicts(0, 11 + 200 + LATER, "STALE") == ["too old"]


def test_what_a_caller_never_had_the_eyes_for_is_foreign() -> None:
    assert verdicts(2, 25.0, of=subject(hidden=2)) == ["foreign"]
    assert verdicts(2, 25.0, scope=SERVICE, of=subject(hidden=2)) == []


def test_nowhere_is_what_may_be_hidden_and_nothing_else() -> None:
    assert verdicts(None, 25.0) == ["nowhere, though there from 0 on"]
    assert verdicts(None, 25.0, of=subject(hidden=2)) == []
    assert verdicts(None, 19.0, of=subject(hidden=2)) == ["nowhere, though there from 0 on"]


def test_a_number_of_the_future_is_unheard_of() -> None:
    assert verdicts(3, 25.0) == ["unheard of"]
