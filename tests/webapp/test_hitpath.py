"""Behind a proxy a hit is answered before Flask all the same, and as Flask would answer it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp.signals import served
from webapp.views.security_headers import HSTS

DETAIL = "/api/v3/repos/pallets/flask"
NAME = "forewarm.example"
PUBLIC = {"HOST": "0.0.0.0", "PUBLIC_URL": f"https://{NAME}", "TRUSTED_PROXIES": "1"}
WAYS = pytest.mark.parametrize("way", ["on", "off"])


@pytest.fixture(scope="module")
def lasting(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "hitpath") as made:
        yield made


@pytest.fixture
def applications(lasting: Applications, standin: StandIn) -> Applications:
    lasting.empty(standin)
    return lasting


def ask(forewarm: Forewarm, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Authorization"] = f"Bearer {API_KEY}"
    return forewarm.app.test_client().get(DETAIL, headers={"Host": NAME} | named)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_Host": NAME},
        {"X_Forwarded_Host": NAME.upper()},
        {"X_Forwarded_Host": NAME, "X_Forwarded_Proto": "https", "X_Forwarded_Port": "443"},
        {"X_Forwarded_Host": ""},
        {},
    ],
)
def test_a_hit_that_a_proxy_passes_on_never_reaches_flask(
    applications: Applications, headers: dict[str, str]
) -> None:
    forewarm = applications(**PUBLIC, HIT_SAMPLE="0")
    reached = []

    def note(_: object, *, outcome: str, **__: Any) -> None:
        reached.append(outcome)

    with served.connected_to(note):
        answers = [ask(forewarm, **headers) for _ in range(3)]
    assert [each.headers["X-Cache"] for each in answers] == ["MISS", "HIT", "HIT"]
    assert reached == ["MISS"]


@WAYS
def test_a_hit_for_a_forwarded_host_from_elsewhere_is_refused(
    applications: Applications, way: str
) -> None:
    forewarm = applications(**PUBLIC, HITPATH=way)
    ask(forewarm)
    assert ask(forewarm, X_Forwarded_Host="evil.example").status_code == 400
    assert ask(forewarm, X_Forwarded_Host=f"{NAME}, evil.example").status_code == 400


@WAYS
def test_without_a_public_url_links_follow_the_forwarded_host(
    applications: Applications, way: str
) -> None:
    forewarm = applications(TRUSTED_PROXIES="1", HITPATH=way)
    near, far = "127.0.0.1:8000", "localhost:9000"
    for _ in range(2):
        assert ask(forewarm, Host=near).get_json()["url"] == f"http://{near}{DETAIL}"
        answer = ask(forewarm, Host=near, X_Forwarded_Host=far)
        assert answer.get_json()["url"] == f"http://{far}{DETAIL}"


@WAYS
@pytest.mark.parametrize("public", [True, False])
def test_a_hit_says_of_https_what_every_answer_says(
    applications: Applications, way: str, public: bool
) -> None:
    forewarm = applications(**(PUBLIC if public else {}), HITPATH=way)
    host = NAME if public else "127.0.0.1:8000"
    name, value = next(iter(HSTS.items()))
    answers = [ask(forewarm, Host=host) for _ in range(2)]
    answers.append(ask(forewarm, Host=host, If_None_Match=answers[0].headers["ETag"]))
    assert [each.status_code for each in answers] == [200, 200, 304]
    said = [each.headers.getlist(name) for each in answers]
    assert said == [[value] if public else []] * 3
