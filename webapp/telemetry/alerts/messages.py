"""What receivers are told: Alertmanager's shape (version 4) is made of a notice, Slack's and mail
of that. Pure. Nothing here ever holds a secret: a credential is its fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from webapp.telemetry.alerts.alert import Alert
from webapp.telemetry.alerts.notices import Notice
from webapp.telemetry.alerts.rules import Rule

NEVER = "0001-01-01T00:00:00Z"
ALERTS_MAX = 50  # in one message; the rest is counted
COLOURS = {"critical": "danger", "warning": "warning", "resolved": "good"}
TEST_ALERT = "test"

Body = Mapping[str, Any]


def alertmanager(notice: Notice, rules: Mapping[str, Rule], url: str) -> Body:
    """The body of a webhook. `url` is Forewarm's own, "" where it isn't known."""
    alerts = [
        *(_alert(each, rules[each.key.rule], url) for each in notice.firing),
        *(_alert(each, rules[each.key.rule], url) for each in notice.resolved),
    ]
    return _body(notice.group, alerts, "firing" if notice.firing else "resolved", url)


def test_body(url: str, now: datetime) -> Body:
    """A message that says that messages arrive."""
    labels = {"alertname": TEST_ALERT, "severity": "warning"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {
            "summary": "A test: nothing is wrong.",
            "description": "An operator asked Forewarm to show that its alerts arrive here.",
            "action": "Nothing.",
        },
        "startsAt": _text(now),
        "endsAt": NEVER,
        "generatorURL": _page(url),
        "fingerprint": _fingerprint(labels),
    }
    return _body(TEST_ALERT, [alert], "firing", url)


def slack(body: Body) -> Body:
    """For Slack's incoming webhooks, and those that take the same."""
    return {
        "text": _escaped(subject_line(body)),
        "attachments": [
            {
                "color": COLOURS[_word(alert)],
                "title": _escaped(_title(alert)),
                "text": _escaped("\n".join(_lines(alert))),
                "fallback": _escaped(_title(alert)),
            }
            for alert in body["alerts"]
        ],
    }


def mail(body: Body, sender: str, to: Sequence[str], message_id: str) -> EmailMessage:
    """A plain text mail, the same `message_id` each time it is tried."""
    message = EmailMessage()
    message["Subject"] = " ".join(subject_line(body).split())
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    parts = ["\n".join([_title(alert), *_lines(alert)]) for alert in body["alerts"]]
    if body["truncatedAlerts"]:
        parts.append(f"… and {body['truncatedAlerts']} more")
    if body["externalURL"]:
        parts.append(_page(body["externalURL"]))
    message.set_content("\n\n".join(parts) + "\n")
    return message


def subject_line(body: Body) -> str:
    """The first alert, and how many more."""
    alerts = body["alerts"]
    more = len(alerts) + body["truncatedAlerts"] - 1
    return f"[Forewarm] {_title(alerts[0])}" + (f" and {more} more" if more else "")


def figure(value: float | None, unit: str) -> str:
    """A value with its unit, as people read it."""
    if value is None:
        return "no data"
    if unit == "s" and value >= 180:
        minutes = value / 60
        return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.3g} h"
    if unit == "s" and value < 1:
        return f"{value * 1000:.0f} ms"
    return (f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}").rstrip()


def summary(alert: Alert, rule: Rule) -> str:
    """What was measured, against what was allowed, in a line."""
    threshold = rule.threshold(alert.key.severity)
    bound = "and below" if rule.below else "and above"
    of = f" of {alert.key.subject}" if alert.key.subject else ""
    limit = figure(threshold, rule.unit)
    return f"{rule.name}{of}: {figure(alert.value, rule.unit)} (alerts at {limit} {bound})"


def _alert(alert: Alert, rule: Rule, url: str) -> Body:
    labels = {"alertname": rule.name, "severity": str(alert.key.severity), "group": rule.group}
    if alert.key.subject:
        labels["subject"] = alert.key.subject
    return {
        "status": "firing" if alert.loud else "resolved",
        "labels": labels,
        "annotations": {
            "summary": summary(alert, rule),
            "description": rule.meaning,
            "action": rule.action,
            **({"flapping": "It comes and goes."} if alert.flapping else {}),
        },
        "startsAt": _text(alert.fired_at) if alert.fired_at else NEVER,
        "endsAt": NEVER if alert.loud or not alert.resolved_at else _text(alert.resolved_at),
        "generatorURL": _page(url),
        "fingerprint": _fingerprint(labels),
    }


def _body(group: str, alerts: list[Body], status: str, url: str) -> Body:
    shown = alerts[:ALERTS_MAX]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{group="{group}"}}',
        "truncatedAlerts": len(alerts) - len(shown),
        "status": status,
        "receiver": "forewarm",
        "groupLabels": {"group": group},
        "commonLabels": _shared([each["labels"] for each in shown]),
        "commonAnnotations": _shared([each["annotations"] for each in shown]),
        "externalURL": url,
        "alerts": shown,
    }


def _shared(of: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {
        name: value for name, value in of[0].items() if all(each.get(name) == value for each in of)
    }


def _fingerprint(labels: Mapping[str, str]) -> str:
    said = "\0".join(f"{name}\0{labels[name]}" for name in sorted(labels))
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _word(alert: Body) -> str:
    word: str = "resolved" if alert["status"] == "resolved" else alert["labels"]["severity"]
    return word


def _title(alert: Body) -> str:
    return f"{_word(alert)}: {alert['annotations']['summary']}"


def _lines(alert: Body) -> Iterator[str]:
    yield alert["annotations"]["description"]
    if alert["status"] == "firing":
        yield f"→ {alert['annotations']['action']}"
    if "flapping" in alert["annotations"]:
        yield alert["annotations"]["flapping"]
    yield f"since {alert['startsAt']}"
    if alert["status"] == "resolved":
        yield f"until {alert['endsAt']}"


def _escaped(text: str) -> str:
    """Slack's own three (its control sequences are in angle brackets)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _page(url: str) -> str:
    return f"{url}/alerts" if url else ""


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
