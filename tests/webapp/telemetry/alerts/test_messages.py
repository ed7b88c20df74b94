"""What receivers are told, by each in its own form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.webapp.telemetry.alerts.runs import MINUTE, RULE, START
from webapp.telemetry.alerts.alert import Alert, Key, State
from webapp.telemetry.alerts.messages import alertmanager, figure, mail, slack, subject_line
from webapp.telemetry.alerts.notices import Notice
from webapp.telemetry.alerts.rules import Severity, named

RULES = named((replace(RULE, meaning="It is <slow> & late.", action="Make it faster."),))
URL = "https://forewarm.example"
FIRING = Alert(
    Key("a_rule", Severity.CRITICAL, "queue <1>"), State.FIRING, START, 123.4, fired_at=START
)
RESOLVED = Alert(
    Key("a_rule", Severity.WARNING),
    State.RESOLVED,
    START + MINUTE,
    1.0,
    fired_at=START,
    resolved_at=START + MINUTE,
)
BOTH = alertmanager(Notice("a_group", (FIRING,), (RESOLVED,)), RULES, URL)


def test_a_webhooks_body_is_of_alertmanagers_shape() -> None:
    one = alertmanager(Notice("a_group", (FIRING,), ()), RULES, URL)
    (alert,) = one["alerts"]
    labels = {
        "alertname": "a_rule",
        "severity": "critical",
        "group": "a_group",
        "subject": "queue <1>",
    }
    annotations = {
        "summary": "a_rule of queue <1>: 123 s (alerts at 100 s and above)",
        "description": "It is <slow> & late.",
        "action": "Make it faster.",
    }
    assert one == {
        "version": "4",
        "groupKey": '{}:{group="a_group"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "forewarm",
        "groupLabels": {"group": "a_group"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": URL,
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": "2026-03-02T12:00:00.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": f"{URL}/alerts",
                "fingerprint": alert["fingerprint"],
            }
        ],
    }


def test_what_is_over_says_when_it_ended() -> None:
    over = BOTH["alerts"][1]
    assert (over["status"], over["startsAt"], over["endsAt"]) == (
        "resolved",
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T12:01:00.000Z",
    )


def test_a_message_is_resolved_when_nothing_fires_any_more() -> None:
    assert BOTH["status"] == "firing"
    assert alertmanager(Notice("g", (), (RESOLVED,)), RULES, URL)["status"] == "resolved"


def test_what_alerts_have_in_common_is_said_once() -> None:
    assert BOTH["commonLabels"] == {"alertname": "a_rule", "group": "a_group"}


def test_an_alert_keeps_its_fingerprint() -> None:
    later = replace(FIRING, value=5.0, since=START + MINUTE)
    again = alertmanager(Notice("a_group", (later,), ()), RULES, "")
    assert again["alerts"][0]["fingerprint"] == BOTH["alerts"][0]["fingerprint"]
    assert again["alerts"][0]["fingerprint"] != BOTH["alerts"][1]["fingerprint"]


def test_a_long_message_is_cut_and_says_so() -> None:
    many = tuple(replace(FIRING, key=replace(FIRING.key, subject=str(n))) for n in range(60))
    body = alertmanager(Notice("a_group", many, ()), RULES, URL)
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (50, 10)
    assert subject_line(body).endswith(" and 59 more")


def test_flapping_is_said() -> None:
    flapping = replace(FIRING, runs=0b10101)
    body = alertmanager(Notice("a_group", (flapping,), ()), RULES, URL)
    assert body["alerts"][0]["annotations"]["flapping"] == "It comes and goes."


def test_slacks_own_characters_are_escaped() -> None:
    body = slack(BOTH)
    said = str(body)
    assert "queue &lt;1&gt;" in said
    assert "It is &lt;slow&gt; &amp; late." in said
    assert "<" not in said


def test_slacks_colours_tell_how_bad_it_is() -> None:
    assert [each["color"] for each in slack(BOTH)["attachments"]] == ["danger", "good"]


def test_a_mail_says_it_all() -> None:
    message = mail(BOTH, "me@host", ["a@example.com", "b@example.com"], "<1@host>")
    assert message["Subject"].startswith("[Forewarm] critical: a_rule of queue <1>: ")
    assert message["Subject"].endswith(" and 1 more")
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Message-ID"] == "<1@host>"
    text = message.get_content()
    assert "→ Make it faster." in text
    assert "resolved: a_rule: 1 s" in text
    assert f"{URL}/alerts" in text


def test_a_subject_has_one_line() -> None:
    odd = replace(FIRING, key=replace(FIRING.key, subject="a\r\nBcc: x@example.com"))
    body = alertmanager(Notice("a_group", (odd,), ()), RULES, URL)
    message = mail(body, "me@host", ["a@example.com"], "<1@host>")
    assert "Bcc" not in message
    assert "\n" not in message["Subject"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "no data"),
        (0.0321, "s", "32 ms"),
        (12.34, "s", "12.3 s"),
        (300, "s", "5 min"),
        (9000, "s", "2.5 h"),
        (4.2, "%", "4.2 %"),
        (1234.5, "", "1234"),
        (130, "s", "130 s"),
    ],
)
def test_figures_are_written_as_people_read_them(value: float | None, unit: str, text: str) -> None:
    assert figure(value, unit) == text
