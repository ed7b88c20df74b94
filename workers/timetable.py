"""Which job is due when: the one table of periodic jobs. The tick enqueues what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Periodic:
    """An actor without arguments, `every` so many minutes of the day, the first `at` midnight."""

    actor: str
    queue: str
    every: int = 1
    at: int = 0


TIMETABLE = (Periodic("heartbeat", "upkeep"),)


def due(moment: datetime, table: tuple[Periodic, ...] = TIMETABLE) -> list[Periodic]:
    """What is due in this minute (UTC)."""
    utc = moment.astimezone(UTC)
    minute = utc.hour * 60 + utc.minute
    return [each for each in table if minute % each.every == each.at % each.every]
