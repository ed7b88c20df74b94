"""How much one client may ask of what costs more than a hit; and guesses of what opens it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp import limits
from webapp.cache.connection import Connection
from webapp.limits import LIMITS, Limit, Limits, network
from webapp.secret import Secret
from webapp.views import guard

OTHER_KEY = "fwk_another-key-for-tests-1"
KEYS = f"tests:{API_KEY},others:{OTHER_KEY}"
HERE, THERE = "192.0.2.1", "192.0.2.2"
DETAIL = "/api/v3/repos/pallets/flask"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "limits") as made:
        yield made


@pytest.fixture
def forewarm(
    applications: Applications, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Forewarm:
    """Small limits, nothing asked yet."""
    applications.empty(standin)
    table = cast("dict[str, Limit]", LIMITS)
    monkeypatch.setitem(table, "api.repos", Limit("search", 2, 60))
    monkeypatch.setattr(limits, "GUESSES", Limit("guesses", 3, 300))
    monkeypatch.setattr(guard, "STRANGERS", Limit("strangers", 2, 60))
    return applications(ADMIN_PASSWORD=ADMIN_PASSWORD, API_KEYS=KEYS)


def ask(forewarm: Forewarm, path: str, credential: str = "", peer: str = HERE) -> TestResponse:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return forewarm.app.test_client().get(
        path,
        headers=headers,
        base_url="http://127.0.0.1:8000",
        environ_base={"REMOTE_ADDR": peer},
    )


def statuses(forewarm: Forewarm, path: str, *credentials: str, peer: str = HERE) -> list[int]:
    return [ask(forewarm, path, each, peer).status_code for each in credentials]


def test_what_is_limited_exists(forewarm: Forewarm) -> None:
    endpoints = {rule.endpoint for rule in forewarm.app.url_map.iter_rules()}
    assert set(LIMITS) <= endpoints


def test_a_search_too_many_is_told_when_to_come_back(forewarm: Forewarm) -> None:
    assert statuses(forewarm, "/api/repos", API_KEY, API_KEY) == [200, 200]
    answer = ask(forewarm, "/api/repos", API_KEY)
    assert answer.status_code == 429
    assert set(answer.get_json()) == {"message", "documentation_url", "status"}
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_another_client_and_another_view_are_not_limited_by_it(forewarm: Forewarm) -> None:
    statuses(forewarm, "/api/repos", *[API_KEY] * 3)
    assert statuses(forewarm, "/api/repos", OTHER_KEY, ADMIN_PASSWORD) == [200, 200]
    assert statuses(forewarm, "/api/orgs", API_KEY) == [200]


def test_after_wrong_passwords_the_right_one_is_no_answer_either(forewarm: Forewarm) -> None:
    assert statuses(forewarm, "/", "one", "two", "three") == [401, 401, 401]
    assert statuses(forewarm, "/", "four", ADMIN_PASSWORD) == [429, 429]
    assert statuses(forewarm, "/", ADMIN_PASSWORD, peer=THERE) == [200]


def test_an_old_password_sent_again_and_again_is_one_guess(forewarm: Forewarm) -> None:
    assert statuses(forewarm, "/", *["old"] * 9, ADMIN_PASSWORD) == [401] * 9 + [200]


def test_a_guessed_key_keeps_nobody_with_a_right_one_out(forewarm: Forewarm) -> None:
    wrong = [f"fwk_guessed-key-000000000{each}" for each in range(4)]
    assert statuses(forewarm, DETAIL, *wrong) == [401, 401, 401, 429]
    assert statuses(forewarm, DETAIL, API_KEY) == [200]
    assert statuses(forewarm, "/api/orgs", API_KEY) == [200]


def test_no_guess_lies_in_redis_as_it_was(forewarm: Forewarm) -> None:
    ask(forewarm, "/", "nearly the password")
    (held,) = forewarm.services.redis.smembers(f"fw:n:guesses:{HERE}")
    assert len(held) == 16
    assert b"password" not in held


def test_guesses_without_end_fill_no_memory(forewarm: Forewarm) -> None:
    statuses(forewarm, DETAIL, *[f"fwk_guessed-key-00000000{each}" for each in range(10, 40)])
    assert forewarm.services.redis.scard(f"fw:n:guesses:{HERE}") == limits.GUESSES.most + 1


def test_whoever_guesses_too_much_is_told_of_once(
    forewarm: Forewarm, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = [f"fwk_guessed-key-000000000{each}" for each in range(3)]
    statuses(forewarm, DETAIL, *wrong, *wrong)
    assert caplog.text.count("wrong passwords or keys") == 1


def test_strangers_spend_so_many_of_githubs_answers_and_any_number_of_hits(
    forewarm: Forewarm,
) -> None:
    asked = [f"/api/v3/repos/pallets/{name}" for name in ("flask", "click", "jinja")]
    assert [ask(forewarm, path).status_code for path in asked] == [200, 200, 429]
    assert statuses(forewarm, DETAIL, *[""] * 5) == [200] * 5
    assert ask(forewarm, asked[2], peer=THERE).status_code == 200


def test_no_shelf_of_a_strangers_is_limited_without_the_hit_path_either(
    forewarm: Forewarm, applications: Applications
) -> None:
    alone = applications(ADMIN_PASSWORD=ADMIN_PASSWORD, API_KEYS=KEYS, HITPATH="off")
    assert statuses(alone, DETAIL, *[""] * 9) == [200] * 9


def test_a_stranger_who_asked_too_much_has_the_old_answer_where_there_is_one(
    forewarm: Forewarm,
) -> None:
    ask(forewarm, DETAIL)
    ask(forewarm, "/api/v3/repos/pallets/click")
    forewarm.services.purger.purge(["repo:pallets/flask"], hard=False, cause="operator")
    answer = ask(forewarm, DETAIL)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "GRACE")
    forewarm.services.purger.purge(["repo:pallets/flask"], hard=True, cause="operator")
    assert ask(forewarm, DETAIL).status_code == 429


def test_this_machines_operator_is_not_limited(
    forewarm: Forewarm, applications: Applications
) -> None:
    asked = [ask(applications(), "/api/repos", peer="127.0.0.1") for _ in range(4)]
    assert {answer.status_code for answer in asked} == {200}


def test_without_redis_nothing_is_limited() -> None:
    nowhere = Limits(Connection(Secret("redis://127.0.0.1:1"), size=2))
    for _ in range(3):
        nowhere.take(Limit("searches", 0, 60), HERE)
        nowhere.note_guess(HERE, "one")
        nowhere.check_guesses(HERE)


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        (HERE, HERE),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", HERE),
        ("::ffff:c000:201", HERE),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_network_is_one_client_and_an_ipv4_address_however_written(
    address: str, stands_for: str
) -> None:
    assert network(address) == stands_for
