"""Which job is due when: the one table of periodic jobs. The tick enqueues what is due."""

from __future__ import annotations

from dataclasses import dataclass

DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Periodic:
    """An actor without arguments, `every` so many minutes of the day, the first `at` midnight."""

    actor: str
    queue: str
    every: int = 1
    at: int = 0


TIMETABLE = (
    Periodic("evaluate_alerts", "upkeep"),
    Periodic("heartbeat", "upkeep"),
    Periodic("poll_feeds", "upkeep"),
    Periodic("redeliver", "upkeep", every=5, at=3),
    Periodic("prune_old", "upkeep", every=60, at=17),
    Periodic("roll_up_metrics", "upkeep"),
    Periodic("snapshot_statements", "upkeep"),
    Periodic("sweep", "invalidation"),
    Periodic("warm_due", "warming"),
)


def due(after: int, until: int, table: tuple[Periodic, ...] = TIMETABLE) -> list[Periodic]:
    """What became due after one minute and until another, each once however often; in the table's
    order. Minutes are whole ones since 1970, so that midnights (UTC) are multiples of a day. Of a
    longer time than a day the last day is looked at: every row is in it."""
    minutes = [minute % DAY for minute in range(max(after, until - DAY) + 1, until + 1)]
    return [
        each
        for each in table
        if any(minute % each.every == each.at % each.every for minute in minutes)
    ]
