"""Alerts, as processes and operators have them: rounds, silences, what there is, a test message.

A round evaluates what is due and delivers what waits. Workers do one each minute, web processes
many (rounds.py). The database's clock counts, so that machines need not agree.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from webapp.db import alerts as table
from webapp.db.alerts import AlertChange, AlertClock, WaitingMessages
from webapp.db.pool import Database
from webapp.db.statements import Connection
from webapp.telemetry.alerts.alert import Alert, State
from webapp.telemetry.alerts.delivery import DeliveryFailed, Outbox, Receiver
from webapp.telemetry.alerts.evaluation import Evaluation, Figures, alert_of
from webapp.telemetry.alerts.messages import test_body
from webapp.telemetry.alerts.notices import Silence, Timing, muted
from webapp.telemetry.alerts.rules import Rule, named


@dataclass(frozen=True, slots=True)
class Present:
    """All there is to know now. `muted` says by alert why nobody is told of it."""

    now: datetime
    evaluated_at: datetime
    alerts: tuple[Alert, ...]
    muted: Mapping[Alert, str]
    silences: tuple[Silence, ...]
    receivers: Mapping[str, WaitingMessages]

    @property
    def firing(self) -> list[Alert]:
        """The worst first, then the latest."""
        loud = [each for each in self.alerts if each.loud]
        return sorted(loud, key=lambda each: (each.key.severity, -each.since.timestamp()))

    @property
    def pending(self) -> list[Alert]:
        """The latest first."""
        waiting = [each for each in self.alerts if each.state is State.PENDING]
        return sorted(waiting, key=lambda each: -each.since.timestamp())


class Alerting:
    """One per process. Nothing connects before it is used; methods raise DatabaseUnavailable."""

    def __init__(
        self,
        database: Database,
        figures: Figures,
        rules: tuple[Rule, ...],
        timing: Timing,
        receivers: Mapping[str, Receiver],
        *,
        url: str = "",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`clock` is for tests; without one the database's counts. `url` is Forewarm's own."""
        self.rules = rules
        self.timing = timing
        self._database = database
        self._receivers = receivers
        self._url = url
        self._clock = clock
        self.stopped = threading.Event()
        self._evaluation = Evaluation(rules, timing, figures, tuple(receivers), url)
        self._outbox = Outbox(database, receivers, self._now, self.stopped.wait)

    def evaluate(self, late: float = 0.0) -> bool:
        """Evaluate the rules if this period's turn isn't taken, and decide who is told; whether
        it was this process that did. The first `late` seconds of a period are others'."""
        with self._database.connection() as conn:
            seen = self._read_clock(conn)
        due = self._evaluation.due(seen, seen.now, late)
        if not due and (seen.wake_at is None or seen.now < seen.wake_at):
            return False
        # Before the transaction, and without a connection: a pool may have but one.
        readings = self._evaluation.readings() if due else None
        with self._database.connection() as conn, conn.transaction():
            if not table.alert_lock(conn):
                return False
            clock = self._read_clock(conn)
            if (clock.evaluated_at, clock.wake_at) != (seen.evaluated_at, seen.wake_at):
                return False
            self._evaluation.run(conn, clock, readings)
        return True

    def deliver(self) -> int:
        """Send what waits for receivers; how many messages they took."""
        return self._outbox.deliver()

    def stop(self) -> None:
        """For good: waits between tries end, and so do the rounds."""
        self.stopped.set()

    def send_test(self) -> dict[str, str]:
        """One try of a test message to each receiver; name -> "" or what went wrong."""
        results = {}
        now = datetime.now(UTC)
        for name, receiver in self._receivers.items():
            try:
                receiver.send(test_body(self._url, now), f"forewarm-test-{now.timestamp():.0f}")
            except DeliveryFailed as error:
                results[name] = str(error)
            else:
                results[name] = ""
        return results

    def silence(
        self, rule: str | None, subject: str | None, reason: str, by: str, lasting: timedelta
    ) -> Silence:
        """Tell nobody of matching alerts for some time; None matches any."""
        with self._database.connection() as conn:
            now = self._read_clock(conn).now
            row = table.silence_add(
                conn,
                rule=rule,
                subject=subject,
                reason=reason,
                created_by=by,
                created_at=now,
                ends_at=now + lasting,
            )
        return Silence(**asdict(row))

    def end_silence(self, id_: int) -> bool:
        """False where none of this id holds."""
        with self._database.connection() as conn:
            return table.silence_end(conn, id_, now=self._read_clock(conn).now)

    def present(self) -> Present:
        """What fires, what waits, what is silenced, and what receivers haven't taken."""
        rules = named(self.rules)
        with self._database.connection() as conn:
            clock = self._read_clock(conn)
            rows = [row for row in table.alerts_all(conn) if row.rule in rules]
            held = table.silences_active(conn, now=clock.now)
            waiting = {name: table.alert_outbox_waiting(conn, name) for name in self._receivers}
        alerts = tuple(alert_of(row) for row in rows)
        silences = tuple(Silence(**asdict(row)) for row in held)
        states = {each.key: each.state for each in alerts}
        why = {each: muted(each, rules, states, silences, clock.now) for each in alerts}
        return Present(clock.now, clock.evaluated_at, alerts, why, silences, waiting)

    def history(self, since: datetime, most: int = 200) -> list[AlertChange]:
        """What became of alerts, the latest first."""
        with self._database.connection() as conn:
            return table.alert_changes_recent(conn, since=since, rows=most)

    def _now(self) -> datetime:
        with self._database.connection() as conn:
            return self._read_clock(conn).now

    def _read_clock(self, conn: Connection) -> AlertClock:
        clock = table.alert_clock_read(conn)
        return replace(clock, now=self._clock()) if self._clock else clock
