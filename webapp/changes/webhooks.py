"""Deliveries of GitHub's webhooks: verified, journalled, purged at once, looked at again.

    receive  verify -> parse -> journal -> purge -> enqueue the looks
    look     GitHub's reads lag its webhooks: a soft purge LOOKS seconds later, by a worker
    sweep    once a minute: what no job has done, read off the journal

A delivery may come late, twice or out of order: it purges, it never writes an answer. Whatever is
away, one of the others remembers: without PostgreSQL the broker alone knows of the looks, without
the broker the journal does, without both this process. Without Redis purges are journalled
(purging.py). Nothing is accepted where neither Redis nor PostgreSQL can take it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from webapp.changes.invalidation import Invalidation
from webapp.db import deliveries
from webapp.db.deliveries import Delivery
from webapp.db.pool import Database
from webapp.errors import (
    BrokerUnavailable,
    DatabaseUnavailable,
    ForewarmError,
    RequestRefused,
    StoreUnavailable,
)
from webapp.github import events
from webapp.github.events import Purges
from webapp.jobs import Jobs
from webapp.purging import Purger
from webapp.secret import Secret
from webapp.signals import webhook_received

log = logging.getLogger(__name__)

LOOK, QUEUE = "look", "invalidation"
LOOKS = (2.0, 20.0)  # seconds after the delivery
PATIENCE = timedelta(seconds=15)
"""A look that is so much overdue is the sweep's."""
BATCH = 200
KEPT = timedelta(days=30)
REASONS = {400: "malformed", 401: "signature", 413: "too large", 503: "unavailable"}
"""Why a delivery was refused, in few words; by the status it is answered with."""

_GUID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a delivery's headers say, '' where one is absent; nothing of it is trusted."""

    event: str  # X-GitHub-Event
    delivery: str  # X-GitHub-Delivery
    signature: str  # X-Hub-Signature-256
    content_type: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: `result` accepted, duplicate or ignored (nothing to purge)."""

    delivery: str
    result: str
    purges: Purges


class Webhooks:
    """One per process."""

    def __init__(
        self,
        secret: Secret | None,
        invalidation: Invalidation,
        purger: Purger,
        database: Database,
        jobs: Jobs,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`secret` is the webhook's; without one nothing is accepted. `clock`: Unix seconds."""
        self._secret = secret
        self._invalidation = invalidation
        self._purger = purger
        self._database = database
        self._jobs = jobs
        self._clock = clock

    def secret_for(self, signature: str) -> Secret:
        """What a delivery with this signature is verified by. Raises RequestRefused (401) where
        none can be, whatever the body is."""
        if self._secret is None:
            raise RequestRefused(
                401, "GITHUB_WEBHOOK_SECRET is not set: no delivery can be verified."
            )
        if not events.is_signature(signature):
            raise RequestRefused(
                401, "X-Hub-Signature-256 is missing or no signature: set the webhook's secret."
            )
        return self._secret

    def receive(self, body: bytes, envelope: Envelope) -> Receipt:
        """Verify one delivery, raw as it came, and do what it asks for.

        Raises RequestRefused (400, 401), and StoreUnavailable where it can't be taken.
        """
        try:
            row, installed = self._read(body, envelope)
            receipt = self._take(row, installed)
        except (RequestRefused, StoreUnavailable) as error:
            self.refused(error)
            raise
        action = f"{row.event}.{row.action}" if row.action else row.event
        log.info("webhook %s %s %s", receipt.result, action, row.delivery)
        self._announce(row, receipt.result)
        return receipt

    def refused(self, error: ForewarmError) -> None:
        """Account for a delivery that isn't accepted. Its headers may be anybody's: not for what
        it says it is."""
        status = error.status if isinstance(error, RequestRefused) else 503
        reason = "no secret" if self._secret is None else REASONS[status]
        log.warning("webhook refused, %s: %s", reason, error)
        self._announce(result="refused", reason=reason)

    def look(self, delivery: str, number: int, tags: Sequence[str], detail: str) -> bool:
        """A delivery's look of that number, from 1: purge its tags once more, softly.

        False where it is left to a later delivery: of a burst only the last one looks, for each
        has purged. Raises StoreUnavailable.
        """
        needed = not self._succeeded(delivery, number)
        if needed:
            detail = f"{detail} look {number}"
            self._purger.purge(tags, hard=False, cause="webhook", detail=detail)
        try:
            with self._database.connection() as conn:
                deliveries.delivery_looked(
                    conn, delivery, number, next_look_at=self._after(number, self._now())
                )
        except DatabaseUnavailable as error:
            log.info("a look isn't noted, and may be done twice: %s", error)
        return needed

    def sweep(self) -> list[str]:
        """Do the looks that are overdue, and the purges of deliveries that were cut short.

        The tags purged. Raises DatabaseUnavailable, and StoreUnavailable: what isn't done then
        is still due.
        """
        done: list[str] = []
        while True:
            with self._database.connection() as conn, conn.transaction():
                now = self._now()
                due = deliveries.deliveries_due(conn, before=now - PATIENCE, rows=BATCH)
                for row in due:
                    done += self._sweep(row)
                    if row.purged_at is None:
                        deliveries.delivery_purged(conn, row.delivery, now=now)
                    number = self._looks_past(row, now)
                    deliveries.delivery_looked(
                        conn, row.delivery, number, next_look_at=self._after(number, now)
                    )
            if len(due) < BATCH:
                return list(dict.fromkeys(done))

    def replay(self, delivery: str) -> Purges | None:
        """Purge again what a delivery purged, by an operator's hand; None where it isn't known.

        Raises DatabaseUnavailable, StoreUnavailable.
        """
        with self._database.connection() as conn:
            row = deliveries.delivery_get(conn, delivery)
        if row is None:
            return None
        purges = Purges(tuple(row.hard_tags), (*row.soft_tags, *row.list_tags))
        self._invalidation.apply(purges, cause="operator", detail=f"replay of {detail_of(row)}")
        return purges

    # The parts of receive

    def _read(self, body: bytes, envelope: Envelope) -> tuple[Delivery, tuple[str, ...]]:
        """The delivery as it is journalled, and the owners whose App installation changed."""
        events.verify(self.secret_for(envelope.signature), body, envelope.signature)
        event = events.word(envelope.event)
        if not _GUID.fullmatch(envelope.delivery):
            raise RequestRefused(400, "X-GitHub-Delivery is missing or is no delivery's id.")
        payload = events.parse(body, envelope.content_type)
        facts = events.facts_of(event, events.action_of(payload), payload)
        purges = events.purges(facts)
        now = self._now()
        row = Delivery(
            delivery=envelope.delivery,
            event=event,
            action=facts.action,
            owner=facts.owner,
            repo=facts.repository,
            hard_tags=purges.hard,
            soft_tags=purges.soft,
            list_tags=purges.lists,
            received_at=now,
            lag=events.lag_of(event, payload, now.timestamp()),
            next_look_at=None if purges.nothing else now + timedelta(seconds=LOOKS[0]),
        )
        return row, purges.installed

    def _take(self, row: Delivery, installed: tuple[str, ...]) -> Receipt:
        purges = Purges(tuple(row.hard_tags), tuple(row.soft_tags), tuple(row.list_tags), installed)
        duplicates = self._note(row)
        if not purges.nothing:
            again = self._invalidation.apply(purges, cause="webhook", detail=detail_of(row))
            journalled = duplicates is not None
            if journalled:
                self._note_purged(row)
            self._look_later(row, again, journalled=journalled)
        result = "ignored" if purges.nothing else "accepted"
        return Receipt(row.delivery, "duplicate" if duplicates else result, purges)

    def _note(self, row: Delivery) -> int | None:
        """How often it came before; None where it isn't journalled."""
        try:
            with self._database.connection() as conn:
                return deliveries.delivery_note(conn, row)
        except DatabaseUnavailable as error:
            log.warning("a delivery isn't journalled: %s", error)
            return None

    def _note_purged(self, row: Delivery) -> None:
        try:
            with self._database.connection() as conn:
                deliveries.delivery_purged(conn, row.delivery, now=self._now())
        except DatabaseUnavailable as error:
            log.info("a delivery's purge isn't noted, and may be done twice: %s", error)

    def _look_later(self, row: Delivery, tags: Sequence[str], *, journalled: bool) -> None:
        """By a worker; without a queue by the sweep, without a journal too by this process."""
        for number, seconds in enumerate(LOOKS, start=1):
            job = (row.delivery, number, list(tags), detail_of(row))
            try:
                self._jobs.enqueue(LOOK, QUEUE, *job, delay_ms=round(seconds * 1000))
            except BrokerUnavailable as error:
                log.info("a look is left to the sweep: %s", error)
                if not journalled:
                    later = threading.Timer(seconds, self._look_here, job)
                    later.daemon = True
                    later.start()

    def _look_here(self, delivery: str, number: int, tags: Sequence[str], detail: str) -> None:
        try:
            self.look(delivery, number, tags, detail)
        except StoreUnavailable as error:
            log.warning("a look waits for Redis in this process's memory: %s", error)

    def _announce(self, row: Delivery | None = None, result: str = "", reason: str = "") -> None:
        webhook_received.send(
            self,
            event=row.event if row else "",
            action=row.action if row else "",
            result=result,
            reason=reason,
            owner=row.owner if row else "",
            repo=row.repo if row else "",
            lag=row.lag if row else None,
        )

    # The parts of look and sweep

    def _succeeded(self, delivery: str, number: int) -> bool:
        try:
            with self._database.connection() as conn:
                return deliveries.delivery_succeeded(conn, delivery, number)
        except DatabaseUnavailable:
            return False

    def _sweep(self, row: Delivery) -> Sequence[str]:
        purges = Purges(tuple(row.hard_tags), tuple(row.soft_tags), tuple(row.list_tags))
        if row.purged_at is None:  # cut short: the process that took it was killed
            return self._invalidation.apply(purges, cause="webhook", detail=detail_of(row))
        tags = (*purges.hard, *purges.soft)
        self._purger.purge(tags, hard=False, cause="webhook", detail=f"{detail_of(row)} sweep")
        return tags

    def _looks_past(self, row: Delivery, now: datetime) -> int:
        """How many of its looks this one stands for; the first look's time is in the row."""
        assert row.next_look_at is not None
        began = row.next_look_at - timedelta(seconds=LOOKS[row.looks_done])
        return sum(now >= began + timedelta(seconds=seconds) for seconds in LOOKS)

    def _after(self, number: int, now: datetime) -> datetime | None:
        """When the look after this one is due."""
        if number >= len(LOOKS):
            return None
        return now + timedelta(seconds=LOOKS[number] - LOOKS[number - 1])

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def detail_of(row: Delivery) -> str:
    """A purge's detail: event, action and delivery."""
    return (
        f"{row.event}.{row.action} {row.delivery}" if row.action else f"{row.event} {row.delivery}"
    )
