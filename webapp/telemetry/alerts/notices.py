"""Who is told what, and when. Pure: alerts, silences and groups give notices.

Alerts of one group are told together. A group that nobody was told of waits `group_wait` for more
of its kind; after that what is new waits until `group_interval` has passed since the last notice;
where nothing is new it is repeated. Whoever was told that an alert fires is told when it is over,
silence or not. Nobody is told of a warning beside its own critical alert, nor of a consequence
beside its cause (Rule.behind).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webapp.telemetry.alerts.alert import LOUD, Alert, Key, State
from webapp.telemetry.alerts.rules import HOUR, MINUTE, Rule, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When rules are evaluated, and when receivers are told. Seconds."""

    every: float = MINUTE
    group_wait: float = 30.0
    group_interval: float = 5 * MINUTE
    repeat: float = 4 * HOUR
    objective: float = 99.9  # per cent of answers that are no error of ours


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of matching alerts that begin to fire; None matches any."""

    id: int
    rule: str | None
    subject: str | None
    reason: str
    created_by: str
    created_at: datetime
    ends_at: datetime

    def matches(self, key: Key, now: datetime) -> bool:
        """Whether it holds for an alert now."""
        return (
            now < self.ends_at
            and self.rule in {None, key.rule}
            and self.subject in {None, key.subject}
        )


@dataclass(frozen=True, slots=True)
class Group:
    """What receivers know of a group: since when news wait (None: there are none), and when they
    were last told (None: not since all of it was over)."""

    name: str
    waiting_since: datetime | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. What fires now, and what is over since the last."""

    group: str
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What follows: notices to send, alerts and groups as they are after sending them."""

    notices: tuple[Notice, ...]
    alerts: tuple[Alert, ...]
    groups: tuple[Group, ...]
    wake_at: datetime | None
    """When to look again, though no alert changes."""


def muted(
    alert: Alert,
    rules: Mapping[str, Rule],
    states: Mapping[Key, State],
    silences: Sequence[Silence],
    now: datetime,
) -> str:
    """Why nobody is told that it fires; "" where they are. `states` are all alerts'.

    A cause may wait longer before it fires than its consequence: one that waits counts.
    """
    key = alert.key
    if any(each.matches(key, now) for each in silences):
        return "silenced"
    critical = states.get(replace(key, severity=Severity.CRITICAL))
    if key.severity is Severity.WARNING and critical in LOUD:
        return "critical"
    return next(
        (
            each.rule
            for each, state in states.items()
            if each.rule in rules[key.rule].behind
            and each.subject in {"", key.subject}
            and (state in LOUD or state is State.PENDING)
        ),
        "",
    )


def tell(
    alerts: Sequence[Alert],
    rules: Mapping[str, Rule],
    silences: Sequence[Silence],
    groups: Mapping[str, Group],
    *,
    timing: Timing,
    now: datetime,
) -> Told:
    """Decide for all groups. `alerts` are those of rules there are."""
    states = {alert.key: alert.state for alert in alerts}
    loud = [
        each
        for each in alerts
        # What recovers before anyone was told is let go: its cause may just have ended.
        if (each.state is State.FIRING or (each.loud and each.told_at))
        and not muted(each, rules, states, silences, now)
    ]
    over = [each for each in alerts if not each.loud and each.told_at is not None]
    notices: list[Notice] = []
    after_groups: list[Group] = []
    wakes: list[datetime] = []
    told_at: dict[Key, datetime | None] = {}
    for name in dict.fromkeys(rule.group for rule in rules.values()):
        own = {each.key for each in alerts if rules[each.key.rule].group == name}
        due = Notice(
            name,
            tuple(each for each in loud if each.key in own),
            tuple(each for each in over if each.key in own),
        )
        known = any(each.loud and each.told_at for each in alerts if each.key in own)
        group = groups.get(name, Group(name))
        group, notice, wake_at = _turn(group, due, timing, now, known=known)
        if notice:
            notices.append(notice)
            told_at |= dict.fromkeys((each.key for each in notice.firing), now)
            told_at |= dict.fromkeys((each.key for each in notice.resolved), None)
        after_groups.append(group)
        if wake_at:
            wakes.append(wake_at)
    return Told(
        tuple(notices),
        tuple(replace(each, told_at=told_at.get(each.key, each.told_at)) for each in alerts),
        tuple(after_groups),
        min(wakes, default=None),
    )


def _turn(
    group: Group, due: Notice, timing: Timing, now: datetime, *, known: bool
) -> tuple[Group, Notice | None, datetime | None]:
    """The group afterwards, what to send, and when to look again. `known`: receivers were told of
    something that still fires, muted or not."""
    news = bool(due.resolved) or any(each.told_at is None for each in due.firing)
    if not news and not due.firing:
        return Group(group.name, None, group.sent_at if known else None), None, None
    if news:
        group = replace(group, waiting_since=group.waiting_since or now)
        assert group.waiting_since is not None
        if group.sent_at is None:
            at = group.waiting_since + timedelta(seconds=timing.group_wait)
        else:
            at = group.sent_at + timedelta(seconds=timing.group_interval)
    else:
        group = replace(group, waiting_since=None)
        at = (group.sent_at or now) + timedelta(seconds=timing.repeat)
    if now < at:
        return group, None, at
    sent = Group(group.name, None, now if due.firing or known else None)
    repeat_at = now + timedelta(seconds=timing.repeat) if due.firing else None
    return sent, replace(due, repeated=not news), repeat_at
