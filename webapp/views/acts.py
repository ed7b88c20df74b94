"""What an operator can do, whoever asks: a JSON client or a form of ours. Done, then audited.

Each method raises RequestRefused for what isn't there or can't be, and what its store raises.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from webapp.db.warming_runs import Run
from webapp.errors import RequestRefused
from webapp.queues import DeadLetter
from webapp.services import Services
from webapp.views.guard import Guard
from webapp.watches import Watch

SILENCE_HOURS_MAX = 24 * 30
ALL = "all"
"""In place of a dead letter's id: every one there is."""


class Acts:
    """One per blueprint."""

    def __init__(self, services: Services, guard: Guard) -> None:
        self._services = services
        self._guard = guard

    def _note(self, what: str, target: str, detail: str = "") -> None:
        self._services.audit.note(self._guard.who(), what, target, detail)

    # Dead letters

    def retry(self, id_: str) -> int:
        """Put a dead letter back into its queue, with all its retries; how many."""
        queues = self._services.queues
        if id_ == ALL:
            return self._letters("jobs retried", queues.retry_all())
        return self._letter("job retried", id_, queues.retry(id_))

    def delete(self, id_: str) -> int:
        """Drop a dead letter for good; how many."""
        queues = self._services.queues
        if id_ == ALL:
            return self._letters("jobs deleted", queues.delete_all())
        return self._letter("job deleted", id_, queues.delete(id_))

    def _letters(self, what: str, number: int) -> int:
        self._note(what, ALL, f"{number} dead letters")
        return number

    def _letter(self, what: str, id_: str, found: DeadLetter | None) -> int:
        if found is None:
            raise RequestRefused(404, "There is no such dead letter (any more).")
        self._note(what, found.job or id_, f"{found.queue} {found.actor}, {found.error}")
        return 1

    # Watches and warming

    def watch(self, name: str, source: str) -> Watch:
        """Keep an organisation, a user or a repository warm."""
        watch = self._services.watches.add(name, source)
        self._note("watch added", watch.name)
        return watch

    def unwatch(self, name: str) -> None:
        """Keep it warm no longer."""
        self._services.watches.remove(name)
        self._note("watch removed", name.lower())

    def warm(self, names: list[str], source: str) -> int:
        """Begin a run; its number."""
        run = self._services.warming.begin(names, source)
        self._note("warming begun", str(run), " ".join(names))
        return run

    def pause(self, run: int) -> Run:
        """Stop before its next answer."""
        return self._moved("warming paused", run, self._services.warming.pause)

    def resume(self, run: int) -> Run:
        """Go on where it was."""
        return self._moved("warming resumed", run, self._services.warming.resume)

    def cancel(self, run: int) -> Run:
        """End it before its next answer."""
        return self._moved("warming cancelled", run, self._services.warming.cancel)

    def _moved(self, what: str, run: int, move: Callable[[int], Run]) -> Run:
        moved = move(run)
        self._note(what, str(run))
        return moved

    # Webhooks

    def replay(self, delivery: str) -> int:
        """Purge again what a delivery purged; how many tags."""
        purges = self._services.webhooks.replay(delivery)
        if purges is None:
            raise RequestRefused(404, "No such delivery is known.")
        self._note("webhook replayed", delivery)
        return len(purges.hard) + len(purges.soft)

    # Alerts

    def silence(self, rule: str | None, subject: str | None, reason: str, hours: float) -> int:
        """Tell nobody of matching alerts for so long; the silence's id."""
        alerting = self._services.alerting
        if rule is not None and rule not in {each.name for each in alerting.rules}:
            raise RequestRefused(400, "rule: there is no such rule.")
        if not 0 < hours <= SILENCE_HOURS_MAX:
            raise RequestRefused(400, f"hours: more than 0, at most {SILENCE_HOURS_MAX}.")
        if "\x00" in f"{subject}{reason}":
            raise RequestRefused(400, "subject, reason: no NUL in them.")
        who = self._guard.who()
        made = alerting.silence(rule, subject, reason, who, timedelta(hours=hours))
        self._note("alerts silenced", rule or "every rule", f"{hours:g} h {subject or ''} {reason}")
        return made.id

    def end_silence(self, id_: int) -> None:
        """Tell of them again."""
        if not self._services.alerting.end_silence(id_):
            raise RequestRefused(404, "There is no such silence (any more).")
        self._note("silence ended", str(id_))

    def test_alerts(self) -> dict[str, str]:
        """One test message to each receiver; its name -> "" or what went wrong."""
        results = self._services.alerting.send_test()
        self._note("alerts tested", ", ".join(results) or "no receiver")
        return results
