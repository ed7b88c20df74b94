"""The ETag formula: against the stand-in's real ETags, and what becomes of it once it fails."""

from __future__ import annotations

import threading

import pytest
import requests

from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.process import StandIn
from webapp.github.etags import FAILURES, RECOVERY, SEEN, Formula, expected, same

FLASK = "/repos/pallets/flask"
JSON = "application/vnd.github+json"
BODY = b'{"id": 1}'


def bearer(token: str | None) -> str | None:
    return None if token is None else f"Bearer {token}"


def ask(
    github: StandIn,
    token: str | None,
    *,
    accept: str = JSON,
    encoding: str = "gzip",
    etag: str = "",
) -> requests.Response:
    headers = {
        "User-Agent": "tests",
        "Accept": accept,
        "Accept-Encoding": encoding,
        "Authorization": bearer(token),
        "If-None-Match": etag or None,
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    with requests.Session() as session:
        session.trust_env = False
        return session.get(github.url + FLASK, headers=sent, timeout=10)


def check(formula: Formula, seen: str, *, token: str = "one") -> None:
    formula.check(seen, BODY, JSON, bearer(token))


def right(token: str = "one") -> str:
    return expected(BODY, JSON, bearer(token))


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("accept", [JSON, "application/json", "*/*", "text/html, */*;q=0.1"])
@pytest.mark.parametrize("token", [SERVICE_TOKEN, SERVICE_TOKEN_2, ALICE_TOKEN, None])
def test_the_formula_gives_the_etag_that_github_gives(
    github: StandIn, token: str | None, accept: str, encoding: str
) -> None:
    answer = ask(github, token, accept=accept, encoding=encoding)

    assert answer.headers["ETag"].startswith("W/") == (encoding == "gzip")
    assert same(answer.headers["ETag"], expected(answer.content, accept, bearer(token)))


def test_a_rotated_token_revalidates_at_no_point(github: StandIn) -> None:
    body = ask(github, SERVICE_TOKEN).content
    github.forget()

    answer = ask(github, SERVICE_TOKEN_2, etag=expected(body, JSON, bearer(SERVICE_TOKEN_2)))

    assert (answer.status_code, github.points()) == (304, 0)


def test_a_changed_body_is_not_confirmed_to_a_rotated_token(github: StandIn) -> None:
    body = ask(github, SERVICE_TOKEN).content
    github.change_repo("pallets/flask", stars=1)

    answer = ask(github, SERVICE_TOKEN_2, etag=expected(body, JSON, bearer(SERVICE_TOKEN_2)))

    assert answer.status_code == 200


def test_a_token_that_sees_other_permissions_is_answered_in_full(github: StandIn) -> None:
    body = ask(github, SERVICE_TOKEN).content

    answer = ask(github, ALICE_TOKEN, etag=expected(body, JSON, bearer(ALICE_TOKEN)))

    assert (answer.status_code, answer.content) == (200, ask(github, ALICE_TOKEN).content)


def test_a_formula_is_trusted_at_first() -> None:
    assert Formula().holds


def test_what_held_and_what_failed_is_counted() -> None:
    formula = Formula()
    for seen in (right(), right().removeprefix("W/"), '"another"'):
        check(formula, seen)

    assert (formula.held, formula.failed) == (2, 1)


def test_an_answer_without_an_etag_says_nothing() -> None:
    formula = Formula()
    check(formula, "")

    assert (formula.held, formula.failed) == (0, 0)


def test_fewer_failures_than_three_are_forgiven() -> None:
    formula = Formula()
    for _ in range(FAILURES - 1):
        check(formula, '"odd"')

    assert formula.holds


def test_three_failures_among_the_last_twenty_end_the_trust() -> None:
    formula = Formula()
    for _ in range(FAILURES):
        check(formula, '"odd"')
        check(formula, right())

    assert not formula.holds


def test_failures_that_are_long_past_do_not_count() -> None:
    formula = Formula()
    for _ in range(FAILURES * 3):
        check(formula, '"odd"')
        for _ in range(SEEN // 2):
            check(formula, right())

    assert formula.holds


def test_trust_returns_after_the_formula_held_in_a_row() -> None:
    formula = Formula()
    for _ in range(SEEN):
        check(formula, '"odd"')
    for _ in range(RECOVERY - 1):
        check(formula, right())
    before = formula.holds

    check(formula, right())

    assert (before, formula.holds) == (False, True)


def test_a_failure_in_between_starts_the_row_anew() -> None:
    formula = Formula()
    for _ in range(FAILURES):
        check(formula, '"odd"')
    for _ in range(RECOVERY - 1):
        check(formula, right())
    check(formula, '"odd"')
    check(formula, right())

    assert not formula.holds


def test_trust_regained_is_not_lost_to_the_old_failures() -> None:
    formula = Formula()
    for _ in range(FAILURES):
        check(formula, '"odd"')
    for _ in range(RECOVERY + 1):
        check(formula, right())

    assert formula.holds


def asked_with(
    formula: Formula, *, etag: str = 'W/"held"', held_by: str = "f1", now: str = "f1"
) -> str:
    return formula.validator(
        etag, held_by, now, body=BODY, accept=JSON, authorization=bearer("one")
    )


def test_the_same_credential_asks_with_what_it_was_given() -> None:
    assert asked_with(Formula()) == 'W/"held"'


def test_another_credential_asks_with_what_it_would_have_been_given() -> None:
    assert asked_with(Formula(), now="f2") == right()


def test_a_row_from_nobody_knows_whom_is_asked_for_by_the_formula() -> None:
    assert asked_with(Formula(), held_by="") == right()


def test_no_etag_is_computed_for_what_github_gave_none() -> None:
    assert not asked_with(Formula(), etag="", now="f2")


def test_counts_of_many_threads_add_up() -> None:
    formula = Formula()

    def work() -> None:
        for _ in range(500):
            check(formula, right())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert formula.held == 4_000


def distrusted(github: StandIn) -> Formula:
    """A formula that has met a GitHub of another."""
    github.switch(formula="opaque")
    formula = Formula()
    for token in (SERVICE_TOKEN, SERVICE_TOKEN_2, ALICE_TOKEN):
        answer = ask(github, token)
        formula.check(answer.headers["ETag"], answer.content, JSON, bearer(token))
    return formula


def test_another_formula_at_github_is_noticed(github: StandIn) -> None:
    formula = distrusted(github)

    assert (formula.holds, formula.failed) == (False, 3)


def test_under_another_formula_another_credential_fetches_in_full(github: StandIn) -> None:
    assert not asked_with(distrusted(github), now="f2")


def test_under_another_formula_the_same_credential_still_revalidates_free(github: StandIn) -> None:
    formula = distrusted(github)
    given = ask(github, ALICE_TOKEN).headers["ETag"]
    github.forget()

    answer = ask(github, ALICE_TOKEN, etag=asked_with(formula, etag=given))

    assert (answer.status_code, github.points()) == (304, 0)


def test_a_wrong_guess_is_answered_in_full(github: StandIn) -> None:
    body = ask(github, SERVICE_TOKEN).content
    github.switch(formula="opaque")

    answer = ask(github, SERVICE_TOKEN_2, etag=expected(body, JSON, bearer(SERVICE_TOKEN_2)))

    assert (answer.status_code, answer.content) == (200, body)


def test_the_formula_is_trusted_again_when_github_returns_to_it(github: StandIn) -> None:
    formula = distrusted(github)
    github.switch(formula="github")
    for _ in range(RECOVERY):
        answer = ask(github, ALICE_TOKEN)
        formula.check(answer.headers["ETag"], answer.content, JSON, bearer(ALICE_TOKEN))

    assert formula.holds
