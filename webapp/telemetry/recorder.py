"""Listens to what was served, and says so in the log: one line a miss, stale or grace.

Hits are far too many for that. The hit path only appends them to `hits`; here, off the request's
path, they become a line per resource and FLUSH_EVERY at INFO, and a line each at DEBUG.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize
from typing import Any

from webapp.hitpath import Hit, Tally
from webapp.lasting import lasting
from webapp.outcome import Outcome
from webapp.signals import served

log = logging.getLogger(__name__)

FLUSH_EVERY = 5.0  # seconds
EXIT_PRIORITY = 10  # any that isn't negative: before children and queues end
HITS_MOST = 500_000
"""Ten times what a process serves between two flushes: whatever keeps them from happening, memory
is bounded, and the oldest are lost."""
HITS = frozenset({Outcome.HIT.value, Outcome.NEGATIVE.value})


class Recorder:
    """One per process. Counts are exact: what is appended is taken exactly once."""

    def __init__(
        self,
        *also: Callable[[], None],
        takers: Sequence[Callable[[Tally], None]] = (),
        every: float = FLUSH_EVERY,
    ) -> None:
        """`takers` get each flush's hits, exactly once; then `also` is flushed."""
        self._also = also
        self._takers = takers
        self.hits: deque[Hit] = deque(maxlen=HITS_MOST)
        self._every = every
        self._stopped = threading.Event()
        self._flushing = threading.Lock()
        self._at_exit: Finalize | None = None

    def start(self, sender: object, *, telling: bool = True) -> None:
        """Flush now and then, in forked children too; unless not `telling`, also listen to what
        `sender` serves."""
        if telling:
            served.connect(self._served, sender=sender)
        self._flush_at_exit()
        _recorders.add(self)
        self._flush_behind()

    def stop(self, sender: object) -> None:
        """Stop listening, and say what is left."""
        served.disconnect(self._served, sender=sender)
        atexit.unregister(self.flush)
        if self._at_exit is not None:
            self._at_exit.cancel()
        self._stopped.set()
        self.flush()

    def flush(self) -> None:
        """Say the hits since the last time, and hand them on; one thread at a time."""
        with self._flushing:
            self._flush()

    def _flush(self) -> None:
        # Thousands a second: what differs in time alone is grouped first.
        tally: Tally = defaultdict(list)
        next_hit = self.hits.popleft
        for _ in range(len(self.hits)):
            label, seconds = next_hit()
            tally[label].append(seconds)
        self._say(tally)
        for take in self._takers:
            take(tally)
        for flush in self._also:
            flush()

    def _say(self, tally: Tally) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        debug = log.isEnabledFor(logging.DEBUG)
        for (resource, outcome, path, scope, shelf), times in tally.items():
            counts[resource, outcome] += len(times)
            for seconds in times if debug else ():
                log.debug(
                    "%s %s %s scope=%s shelf=%s %.3f ms",
                    *(outcome, resource, path, scope, shelf, seconds * 1000),
                )
        for (resource, outcome), number in sorted(counts.items()):
            log.info("%s %s count=%d", outcome, resource, number)

    def _served(self, _: object, **what: Any) -> None:
        """A read that Flask has served, as signals.served tells it."""
        if what["outcome"] in HITS:
            label = (
                *(what["resource"], what["outcome"], what["path"]),
                *(what["scope"], what["shelf"]),
            )
            self.hits.append((label, what["seconds"]))
        else:
            log.info(
                "%s %s %s key=%s scope=%s cause=%s %.1f ms",
                *(what["outcome"], what["resource"], what["path"], what["key"], what["scope"]),
                *(what["cause"], what["seconds"] * 1000),
            )

    def start_afresh(self) -> None:
        """In a forked child: what is counted is the parent's to say, and its thread isn't here."""
        self.hits.clear()
        self._flushing = threading.Lock()
        if not self._stopped.is_set():
            self._flush_behind()

    def _flush_at_exit(self) -> None:
        atexit.register(self.flush)
        # A server's worker is a child of multiprocessing's, which runs no exit functions but its
        # own (os._exit).
        self._at_exit = Finalize(None, self.flush, exitpriority=EXIT_PRIORITY)

    def _flush_behind(self) -> None:
        lasting(self._run, "recorder")

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            self.flush()


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _start_in_child() -> None:
    for recorder in _recorders:
        recorder.start_afresh()


os.register_at_fork(after_in_child=_start_in_child)
