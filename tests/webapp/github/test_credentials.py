"""Tokens: who is asked with, who is set aside, what of them can be seen."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from script.embedded import Valkey
from tests.serving import SECRET_KEY
from tests.standin.accounts import ALICE_TOKEN, PUBLIC_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.process import StandIn
from tests.webapp.github.app.installed import (
    Process,
    all_values,
    environ_of,
    mortal,
    processes,
    shown,
    until,
)
from webapp.doctor.finding import fingerprint as of_doctor
from webapp.github.credentials import ANONYMOUS, Credential
from webapp.github.set_aside import PERIOD
from webapp.secret import Secret

__all__ = ["mortal"]
TOKENS = (SERVICE_TOKEN, SERVICE_TOKEN_2, ALICE_TOKEN)


@pytest.fixture
def two(github: StandIn, redis_url: str) -> Iterator[list[Process]]:
    """Two processes with three tokens and a public one."""
    environ = environ_of(
        github, redis_url, GITHUB_TOKENS=",".join(TOKENS), GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN
    )
    with processes(environ) as made:
        yield made


@pytest.fixture
def one(two: list[Process]) -> Process:
    return two[0]


def tokens(process: Process) -> list[str]:
    return [shown(each) for each in process.credentials.candidates("service", "initech")]


def refuse(process: Process, *values: str) -> None:
    """GitHub answers 401 to these."""
    for credential in every(process):
        if shown(credential) in values:
            process.credentials.refused(credential)


def every(process: Process) -> list[Credential]:
    return [process.credentials._own(Secret(value)) for value in TOKENS]


def test_all_tokens_are_candidates_in_the_order_of_the_setting(one: Process) -> None:
    assert tokens(one) == list(TOKENS)


def test_a_refused_token_is_set_aside(one: Process) -> None:
    refuse(one, SERVICE_TOKEN)

    assert tokens(one) == [SERVICE_TOKEN_2, ALICE_TOKEN]


def test_a_refused_token_is_set_aside_for_every_process(two: list[Process]) -> None:
    refuse(two[0], SERVICE_TOKEN)

    assert tokens(two[1]) == [SERVICE_TOKEN_2, ALICE_TOKEN]


def test_a_token_comes_back_after_its_time(two: list[Process]) -> None:
    refuse(two[0], SERVICE_TOKEN)
    two[0].clock.moved = PERIOD + 1

    assert [tokens(process) for process in two] == [list(TOKENS)] * 2


def test_a_token_that_works_again_comes_back_for_every_process(two: list[Process]) -> None:
    refuse(two[0], SERVICE_TOKEN)
    tokens(two[1])
    two[1].credentials.worked(every(two[1])[0])

    assert [tokens(process) for process in two] == [list(TOKENS)] * 2


def test_where_all_are_set_aside_the_one_refused_longest_ago_is_tried(one: Process) -> None:
    for value in (ALICE_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2):
        refuse(one, value)
        one.clock.moved += 1

    assert tokens(one) == [ALICE_TOKEN]


def test_one_that_is_refused_once_more_makes_way_for_the_next(one: Process) -> None:
    for value in (ALICE_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2, ALICE_TOKEN):
        refuse(one, value)
        one.clock.moved += 1

    assert tokens(one) == [SERVICE_TOKEN]


def test_a_single_token_is_tried_again(github: StandIn, redis_url: str) -> None:
    with processes(environ_of(github, redis_url, GITHUB_TOKEN=SERVICE_TOKEN), 1) as (process,):
        process.credentials.refused(process.get())

        assert tokens(process) == [SERVICE_TOKEN]


def test_there_is_nothing_to_ask_with_instead_of_a_token(one: Process) -> None:
    assert one.credentials.refused(one.get()) is None


def test_who_is_set_aside_can_be_read_by_every_process(two: list[Process]) -> None:
    refuse(two[0], SERVICE_TOKEN)
    two[0].clock.moved = 1
    refuse(two[0], ALICE_TOKEN)

    listed = two[1].credentials.set_aside()

    assert [each.id for each in listed] == [every(two[0])[2].id, every(two[0])[0].id]
    assert [round(each.until - each.refused_at) for each in listed] == [PERIOD, PERIOD]


def test_without_redis_a_token_is_set_aside_in_its_process(
    two: list[Process], mortal: Valkey
) -> None:
    mortal.kill()
    refuse(two[0], SERVICE_TOKEN)

    assert [len(tokens(process)) for process in two] == [2, 3]


def test_what_was_met_without_redis_is_told_when_it_is_back(
    two: list[Process], mortal: Valkey
) -> None:
    tokens(two[0])
    mortal.kill()
    refuse(two[0], SERVICE_TOKEN)
    mortal.start()
    until(lambda: not two[0].redis.breaker.open)
    tokens(two[0])

    assert tokens(two[1]) == [SERVICE_TOKEN_2, ALICE_TOKEN]


def test_a_refusal_is_logged_once_for_all_processes(
    two: list[Process], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for process in (*two, *two):
            refuse(process, SERVICE_TOKEN)

    told = [each for each in caplog.records if each.name == "webapp.github.credentials"]
    assert [record.levelname for record in told] == ["WARNING"]
    assert every(two[0])[0].id in caplog.text


def test_a_token_still_refused_after_its_time_is_logged_again(
    one: Process, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        refuse(one, SERVICE_TOKEN)
        one.clock.moved = PERIOD + 1
        refuse(one, SERVICE_TOKEN)

    assert len(caplog.records) == 2


def test_nothing_of_a_token_is_seen(
    one: Process, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        refuse(one, *TOKENS)
    seen = f"{every(one)!r} {every(one)[0]!s} {one.credentials.set_aside()} {caplog.text}"
    seen += all_values(redis_url).decode("latin-1")

    assert not [value for value in (*TOKENS, SECRET_KEY) if value in seen or value[8:20] in seen]


def test_a_fingerprint_is_the_doctors(one: Process) -> None:
    token = Secret(SERVICE_TOKEN)

    assert one.get().fingerprint.startswith(of_doctor(token, Secret(SECRET_KEY)))


def test_a_fingerprint_needs_the_secret_key(github: StandIn, redis_url: str) -> None:
    ids = set()
    for key in (SECRET_KEY, "another secret key for tests"):
        environ = environ_of(github, redis_url, GITHUB_TOKEN=SERVICE_TOKEN, SECRET_KEY=key)
        with processes(environ, 1) as (process,):
            ids.add(process.get().id)

    assert len(ids) == 2


def test_the_public_is_asked_for_with_its_own_token(one: Process) -> None:
    assert shown(one.get(kind="public")) == PUBLIC_TOKEN


def test_the_public_falls_back_on_nobody_when_its_token_is_refused(one: Process) -> None:
    one.credentials.refused(one.get(kind="public"))

    assert one.get(kind="public") == ANONYMOUS


@pytest.mark.parametrize("kind", ["service", "public"])
def test_without_tokens_github_is_asked_anonymously(
    github: StandIn, redis_url: str, kind: str
) -> None:
    with processes(environ_of(github, redis_url), 1) as (process,):
        credential = process.get(kind=kind)

    assert (credential.kind, credential.authorization()) == ("anonymous", None)


def test_a_callers_token_is_never_set_aside(one: Process) -> None:
    credential = one.credentials.caller(Secret(ALICE_TOKEN))
    one.credentials.refused(credential)

    assert (credential.kind, one.credentials.set_aside()) == ("caller", [])


def test_the_token_scope_has_no_credential_of_ours(one: Process) -> None:
    with pytest.raises(ValueError, match="caller"):
        one.credentials.candidates("token", "initech")
