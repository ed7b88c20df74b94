"""From the agent's events to transactions as they are stored, and which of them are. Sans I/O.

Spans and errors come before their transaction does, and wait for it. All failed and slow ones are
kept, of the others a sample: what a quiet minute brings, and beyond that the same traces in every
process, by their ids.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from webapp.db.traces import DetailedTransaction
from webapp.telemetry.routes import UNMATCHED, mirrored
from webapp.telemetry.tracing.events import presentable

KINDS: Mapping[str, tuple[str, float]] = {
    "request": ("request", 1.0),
    "messaging": ("job", 10.0),
    "background": ("background", 5.0),
}
"""The agent's type -> ours, and how many seconds are slow."""
SHOWN_SCOPES = frozenset({"service", "public"})
WAITING_MOST = 1_000  # transactions under way
SPANS_MOST = 300  # of one transaction
ERRORS_MOST = 10
TEXT_MOST = 300  # characters of a name or a message
QUIET_A_MINUTE = 60
NOTABLE_A_MINUTE = 600
ONE_IN = 10
ORDINARY_A_MINUTE = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Waiting:
    spans: list[Mapping[str, Any]] = field(default_factory=list)
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    dropped: int = 0


class Assembly:
    """What belongs together, until its transaction ends and is chosen or not. For one thread."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()

    def take(self, kind: str, event: Mapping[str, Any]) -> DetailedTransaction | None:
        """A transaction that is whole now and to be kept, its texts as they may be seen."""
        if kind == "transaction":
            waiting = self._waiting.pop(event["id"], None) or _Waiting()
            kept = self._choice.of(event)
            return _assembled(event, waiting, kept) if kept else None
        of = event.get("transaction_id")
        if not of or kind not in {"span", "error"}:
            return None
        waiting = self._waiting.setdefault(of, _Waiting())
        if len(self._waiting) > WAITING_MOST:
            self._waiting.popitem(last=False)  # it ended without us, or never will
        if kind == "error":
            if len(waiting.errors) < ERRORS_MOST:
                waiting.errors.append(event)
        elif len(waiting.spans) < SPANS_MOST:
            waiting.spans.append(event)
        else:
            waiting.dropped += 1
        return None


class Choice:
    """Which are kept, in this process and minute. `left_out` counts notable ones beyond all reason.

    For one thread.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._minute = 0
        self._notable = 0
        self._ordinary = 0

    def of(self, event: Mapping[str, Any]) -> str:
        """A transaction is `failed`, `slow`, `sampled`, or empty: not kept."""
        if event["type"] not in KINDS:
            return ""
        minute = event["timestamp"] // 60_000_000
        if minute != self._minute:
            self._minute, self._notable, self._ordinary = minute, 0, 0
        failed = event.get("outcome") == "failure"
        _, slow = KINDS[event["type"]]
        if failed or event["duration"] >= slow * 1000:
            self._notable += 1
            if self._notable <= NOTABLE_A_MINUTE:
                return "failed" if failed else "slow"
            self.left_out += 1
            return ""
        everywhere = int(event["trace_id"], 16) % ONE_IN == 0
        most = ORDINARY_A_MINUTE if everywhere else QUIET_A_MINUTE
        if self._ordinary >= most:
            return ""
        self._ordinary += 1
        return "sampled"


def _assembled(event: Mapping[str, Any], waiting: _Waiting, kept: str) -> DetailedTransaction:
    event = presentable(event)
    context = event.get("context") or {}
    labels = context.get("tags") or {}
    url = (context.get("request") or {}).get("url") or {}
    path = str(url.get("pathname", ""))
    shows_paths = event["name"] != UNMATCHED and _shows_paths(path, labels)
    began = event["timestamp"]
    return DetailedTransaction(
        began=_EPOCH + timedelta(microseconds=began),
        trace_id=UUID(event["trace_id"]),
        transaction_id=event["id"],
        parent_id=event.get("parent_id"),
        kind=KINDS[event["type"]][0],
        name=_short(event["name"]),
        resource=_short(labels.get("resource", "")),
        outcome=_short(labels.get("outcome", "")),
        result=_short(event.get("result") or ""),
        ms=round(float(event.get("duration") or 0.0), 3),
        failed=event.get("outcome") == "failure",
        kept=kept,
        detail={
            "url": _short(f"{path}{url.get('search', '')}") if shows_paths else "",
            "labels": {name: _label(value) for name, value in labels.items()},
            "errors": [_error(each) for each in waiting.errors],
            "dropped": waiting.dropped + int((event.get("span_count") or {}).get("dropped", 0)),
            "spans": [_span(each, began, shows_paths=shows_paths) for each in waiting.spans],
        },
    )


def _shows_paths(path: str, labels: Mapping[str, object]) -> bool:
    """Whoever holds a key may read traces, and not what a caller's own token asked for: its scope
    says so, and writes and refusals of the mirror have none. What no rule takes (UNMATCHED) may be
    the mirror's, mistyped."""
    scope = labels.get("scope")
    return scope in SHOWN_SCOPES if scope is not None else mirrored(path) is None


def _span(event: Mapping[str, Any], began: int, *, shows_paths: bool) -> list[object]:
    event = presentable(event)
    composite = event.get("composite") or {}
    kind = ".".join(part for part in (event.get("type"), event.get("subtype")) if part)
    labels = dict((event.get("context") or {}).get("tags") or {})
    http = (event.get("context") or {}).get("http") or {}
    told = ("url", "status_code") if shows_paths else ("status_code",)
    labels.update({name: http[name] for name in told if http.get(name)})
    return [
        event["id"],
        event.get("parent_id"),
        round((event["timestamp"] - began) / 1000, 3),
        round(float(event["duration"]), 3),
        _short(event["name"]),
        kind,
        event.get("outcome") == "failure",
        int(composite.get("count", 1)),
        {name: _label(value) for name, value in labels.items()},
    ]


def _error(event: Mapping[str, Any]) -> dict[str, str]:
    exception = event.get("exception") or {}
    log = event.get("log") or {}
    said = {
        "type": exception.get("type") or "message",
        "message": exception.get("message") or log.get("message") or "",
        "culprit": event.get("culprit") or "",
    }
    return {name: _short(text) for name, text in presentable(said).items()}


def _label(value: object) -> object:
    return _short(value) if isinstance(value, str) else value


def _short(text: object) -> str:
    said = str(text)
    return said if len(said) <= TEXT_MOST else said[: TEXT_MOST - 1] + "…"
