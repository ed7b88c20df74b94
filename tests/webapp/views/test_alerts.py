"""GET /api/alerts, silences and the test message, by API key and by the administrator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from tests.webapp.telemetry.alerts.receiver import AlertReceiver
from webapp.db.audit import Act

PASSWORD = "a password for alerts"


@pytest.fixture(scope="module")
def receiver() -> Iterator[AlertReceiver]:
    with AlertReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "alerts") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, receiver: AlertReceiver) -> Forewarm:
    with psycopg.connect(applications.environ["DATABASE_URL"], autocommit=True) as conn:
        conn.execute("truncate alerts, alert_changes, silences, audit")
    receiver.posts.clear()
    receiver.status = 200
    return applications(ADMIN_PASSWORD=PASSWORD, ALERT_WEBHOOK_URL=receiver.url)


def got(forewarm: Forewarm, path: str) -> Any:
    response = forewarm.request("GET", path, API_KEY)
    assert response.status_code == 200
    return response.get_json()


def sent(forewarm: Forewarm, method: str, path: str, body: object = None) -> tuple[int, Any]:
    response = forewarm.request(method, path, PASSWORD, json=body, Content_Type="application/json")
    return response.status_code, response.get_json(silent=True)


def last_act(forewarm: Forewarm) -> Act:
    return forewarm.services.audit.latest(1)[0]


def put(forewarm: Forewarm, state: str, rule: str = "github_budget") -> None:
    with psycopg.connect(forewarm.settings.database_url.reveal(), autocommit=True) as conn:
        conn.execute(
            "insert into alerts values (%s, 'critical', 'abc core', %s, now(), 3.5, now(),"
            " null, null, 1)",
            (rule, state),
        )
        conn.execute(
            "insert into alert_changes (at, rule, severity, subject, was, became, value)"
            " values (now(), %s, 'critical', 'abc core', 'pending', %s, 3.5)",
            (rule, state),
        )


def test_an_api_key_may_read_what_fires(forewarm: Forewarm) -> None:
    put(forewarm, "firing")
    found = got(forewarm, "/api/alerts?period=1h")
    assert set(found) == {
        *("as_of", "period", "verdicts", "evaluated_at"),
        *("firing", "pending", "history", "rules", "silences", "receivers"),
    }
    (firing,) = found["firing"]
    assert firing["summary"] == "github_budget of abc core: 3.5 % (alerts at 5 % and below)"
    assert (firing["severity"], firing["state"], firing["muted"]) == ("critical", "firing", "")
    assert firing["action"]
    assert found["history"][0]["became"] == "firing"
    assert found["pending"] == []


def test_what_is_about_to_fire_is_told_apart(forewarm: Forewarm) -> None:
    put(forewarm, "pending")
    found = got(forewarm, "/api/alerts")
    assert (len(found["firing"]), len(found["pending"])) == (0, 1)


def test_an_alert_of_a_rule_that_is_gone_is_not_shown(forewarm: Forewarm) -> None:
    put(forewarm, "firing", "a_rule_of_old")
    assert got(forewarm, "/api/alerts")["firing"] == []


def test_rules_are_told_with_their_thresholds(forewarm: Forewarm) -> None:
    rules = {each["name"]: each for each in got(forewarm, "/api/alerts")["rules"]}
    budget = rules["github_budget"]
    assert (budget["warn"], budget["critical"], budget["below"]) == (20, 5, True)
    assert (budget["for"], budget["keep_firing_for"], budget["no_data"]) == (0, 120, "hold")


def test_receivers_are_told_by_their_names_alone(
    forewarm: Forewarm, receiver: AlertReceiver
) -> None:
    found = got(forewarm, "/api/alerts")
    assert found["receivers"] == [{"name": "webhook", "waiting": 0, "since": None, "error": None}]
    assert "secret-path" not in str(found)


def test_an_unknown_period_is_refused(forewarm: Forewarm) -> None:
    assert forewarm.request("GET", "/api/alerts?period=2y", API_KEY).status_code == 400


def test_a_silence_is_made_listed_and_ended(forewarm: Forewarm) -> None:
    body = {"rule": "github_budget", "reason": "a migration", "hours": 2}
    status, made = sent(forewarm, "POST", "/api/silences", body)
    assert status == 201
    (held,) = got(forewarm, "/api/silences")["items"]
    assert (held["id"], held["rule"], held["subject"]) == (made["id"], "github_budget", None)
    assert held["created_by"] == "admin"
    assert sent(forewarm, "DELETE", f"/api/silences/{made['id']}")[0] == 204
    assert got(forewarm, "/api/silences")["items"] == []
    assert sent(forewarm, "DELETE", f"/api/silences/{made['id']}")[0] == 404


def test_a_silenced_alert_says_so(forewarm: Forewarm) -> None:
    put(forewarm, "firing")
    sent(forewarm, "POST", "/api/silences", {"reason": "all of it", "hours": 1})
    assert got(forewarm, "/api/alerts")["firing"][0]["muted"] == "silenced"


def test_silences_leave_audit_rows(forewarm: Forewarm) -> None:
    _, made = sent(
        forewarm, "POST", "/api/silences", {"rule": "hit_rate", "reason": "cold", "hours": 1}
    )
    act = last_act(forewarm)
    assert (act.who, act.what, act.target) == ("admin", "alerts silenced", "hit_rate")
    sent(forewarm, "DELETE", f"/api/silences/{made['id']}")
    assert last_act(forewarm).what == "silence ended"


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "x"},
        {"hours": 1},
        {"reason": "", "hours": 1},
        {"reason": "x", "hours": 0},
        {"reason": "x", "hours": 1_000},
        {"reason": "x", "hours": "NaN"},
        {"reason": "x", "hours": 1, "rule": ""},
        {"reason": "x", "hours": 1, "rule": "no_such_rule"},
        {"reason": "x", "hours": 1, "also": 1},
        [],
    ],
)
def test_a_silence_that_will_not_do_is_refused(forewarm: Forewarm, body: object) -> None:
    assert sent(forewarm, "POST", "/api/silences", body)[0] == 400
    assert got(forewarm, "/api/silences")["items"] == []


@pytest.mark.parametrize("id_", ["0", "-1", "x", str(2**63), "99999999999999999999999"])
def test_an_id_that_is_none_ends_no_silence(forewarm: Forewarm, id_: str) -> None:
    assert sent(forewarm, "DELETE", f"/api/silences/{id_}")[0] in {400, 404}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/silences"), ("DELETE", "/api/silences/1"), ("POST", "/api/alerts/test")],
)
def test_an_api_key_changes_nothing(forewarm: Forewarm, method: str, path: str) -> None:
    body = {"reason": "x", "hours": 1}
    assert forewarm.request(method, path, API_KEY, json=body).status_code == 403


def test_a_test_message_is_sent_to_each_receiver(
    forewarm: Forewarm, receiver: AlertReceiver
) -> None:
    status, found = sent(forewarm, "POST", "/api/alerts/test", {})
    assert (status, found) == (200, {"receivers": {"webhook": ""}})
    assert receiver.posts[0].said == ("firing", ["test:firing"])
    assert last_act(forewarm).what == "alerts tested"


def test_a_test_message_says_why_it_was_not_taken(
    forewarm: Forewarm, receiver: AlertReceiver
) -> None:
    receiver.status = 410
    _, found = sent(forewarm, "POST", "/api/alerts/test", {})
    assert found == {"receivers": {"webhook": "HTTP 410"}}


def test_without_postgresql_alerts_say_so(
    forewarm: Forewarm, postgres: Postgres, applications: Applications
) -> None:
    away = applications(
        ADMIN_PASSWORD=PASSWORD, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
    )
    found = got(away, "/api/alerts")
    assert [each["state"] for each in found["verdicts"]] == ["fail"]
    assert (found["firing"], found["evaluated_at"]) == ([], None)
    assert len(found["rules"]) == 20
    assert away.request("GET", "/api/silences", API_KEY).status_code == 503
