"""Installation tokens: minted once for all, renewed early, never seen, whatever breaks."""

from __future__ import annotations

import base64
import logging
import multiprocessing
import threading
import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest
import requests

from script.embedded import Valkey
from tests.serving import SECRET_KEY
from tests.standin.process import StandIn
from tests.webapp.github.app.installed import (
    LIFE,
    MINTING,
    Clock,
    Process,
    all_values,
    app_environ,
    minted,
    mortal,
    private_pem,
    processes,
    public_pem,
    shown,
    until,
)
from webapp.errors import GitHubUnavailable
from webapp.github.app.tokens import EARLY, JITTER, LEASE_MS, MARGIN, RENEW_AGAIN, AppTokens, Seal
from webapp.github.etags import expected
from webapp.secret import Secret

__all__ = ["mortal"]
JSON = "application/vnd.github+json"


@pytest.fixture
def installed(github: StandIn) -> int:
    """The App on initech."""
    github.app(public_pem())
    return github.install("initech")


@pytest.fixture
def two(github: StandIn, redis_url: str, installed: int) -> Iterator[list[Process]]:
    with processes(app_environ(github, redis_url)) as made:
        yield made


@pytest.fixture
def one(two: list[Process]) -> Process:
    return two[0]


def tokens_of(process: Process) -> AppTokens:
    assert process.credentials._app is not None
    return process.credentials._app.tokens


def key_of(process: Process, kind: str, installation: int) -> str:
    return tokens_of(process)._key(kind, installation)


def ask(github: StandIn, token: str, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Authorization"] = f"Bearer {token}"
    return requests.get(f"{github.url}/repos/initech/payroll", headers=named, timeout=5)


def at_once(process: Process, count: int) -> list[str]:
    """So many threads ask for a token; what each was given, or how it failed."""
    got: list[str] = []
    barrier = threading.Barrier(count)

    def work() -> None:
        barrier.wait()
        try:
            got.append(shown(process.get()))
        except GitHubUnavailable as error:
            got.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def _in_a_process(environ: dict[str, str], barrier: Barrier, got: Queue[str]) -> None:
    process = Process(environ, Clock())
    barrier.wait(30)
    got.put(process.get().fingerprint)


def in_processes(environ: dict[str, str], count: int) -> list[str]:
    """Fingerprints of what real processes were given that asked at the same time."""
    context = multiprocessing.get_context("spawn")
    barrier, got = context.Barrier(count), context.Queue()
    started = [
        context.Process(target=_in_a_process, args=(environ, barrier, got)) for _ in range(count)
    ]
    for each in started:
        each.start()
    fingerprints = [got.get(timeout=30) for _ in started]
    for each in started:
        each.join(10)
    got.close()
    return fingerprints


# Minted once


def test_a_token_is_minted_once_for_all_processes(
    github: StandIn, redis_url: str, installed: int
) -> None:
    github.latency(200, f"{MINTING}*")

    fingerprints = in_processes(app_environ(github, redis_url), 4)

    assert (len(set(fingerprints)), minted(github)) == (1, 1)


def test_a_token_is_minted_once_for_all_threads(one: Process, github: StandIn) -> None:
    github.latency(50, f"{MINTING}*")

    got = at_once(one, 16)

    assert (len(set(got)), minted(github)) == (1, 1)


def test_who_waits_for_a_mint_that_fails_fails_with_it(one: Process, github: StandIn) -> None:
    github.fault("status", f"{MINTING}*", status=500, delay_ms=100)

    got = at_once(one, 8)

    assert (set(got), minted(github)) == ({"GitHub answered 500"}, 1)


def test_the_lease_of_a_killed_minter_ends_by_itself(
    one: Process, github: StandIn, installed: int
) -> None:
    one.redis.set(key_of(one, "mint", installed), "who was killed", px=300)
    began = time.monotonic()
    one.get()

    assert minted(github) == 1
    assert 0.2 < time.monotonic() - began < LEASE_MS / 1000


def test_the_lease_is_given_back(one: Process, installed: int) -> None:
    one.get()

    assert one.redis.get(key_of(one, "mint", installed)) is None


def test_the_lease_of_another_is_not_given_back(one: Process, installed: int) -> None:
    key = key_of(one, "mint", installed)
    one.redis.set(key, "another", px=5_000)
    tokens_of(one)._release(key, "ours")

    assert one.redis.get(key) == b"another"


@pytest.mark.parametrize("form", ["short", "long"])
def test_both_forms_of_token_are_shared(two: list[Process], github: StandIn, form: str) -> None:
    github.app(public_pem(), token_form=form)
    first, second = (shown(process.get()) for process in two)

    assert (len(first), first.count(".")) == {"short": (40, 0), "long": (520, 2)}[form]
    assert (second, ask(github, second).status_code) == (first, 200)


# Renewed early


def test_a_token_is_held_for_most_of_its_hour(one: Process, github: StandIn) -> None:
    first = shown(one.get())
    one.pass_time(github, LIFE - EARLY - 10)

    assert (shown(one.get()), minted(github)) == (first, 1)


def test_a_token_that_still_works_is_renewed_behind_the_request(
    one: Process, github: StandIn
) -> None:
    first = shown(one.get())
    one.pass_time(github, LIFE - EARLY * (1 - JITTER) + 1)
    github.fault("delay", f"{MINTING}*", delay_ms=300)

    began = time.monotonic()
    at_first = shown(one.get())
    waited = time.monotonic() - began

    assert at_first == first
    assert waited < 0.25
    until(lambda: shown(one.get()) != first)
    assert minted(github) == 2


def test_one_process_renews_for_all(two: list[Process], github: StandIn) -> None:
    first = {shown(process.get()) for process in two}
    two[0].pass_time(github, LIFE - EARLY * (1 - JITTER) + 1)
    github.latency(50, f"{MINTING}*")
    for process in (*two, *two):
        process.get()
    until(lambda: not {shown(process.get()) for process in two} & first)

    assert len({shown(process.get()) for process in two}) == 1
    assert minted(github) == 2


def test_processes_do_not_renew_at_the_same_second() -> None:
    tokens = AppTokens.__new__(AppTokens)
    times = []
    for jitter in (0.0, 0.5, 1.0):
        tokens._jitter = lambda jitter=jitter: jitter  # type: ignore[misc]
        times.append(tokens._timed(Secret("a"), 0.0, LIFE, instead=False).renew_at)

    assert times == [LIFE - EARLY, LIFE - EARLY * (1 - JITTER / 2), LIFE - EARLY * (1 - JITTER)]


def test_a_token_that_is_over_is_waited_for(one: Process, github: StandIn) -> None:
    first = shown(one.get())
    one.pass_time(github, LIFE - MARGIN + 1)

    second = shown(one.get())

    assert second != first
    assert ask(github, second).status_code == 200


def test_a_renewal_that_fails_leaves_the_old_token(
    one: Process, github: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    first = shown(one.get())
    one.pass_time(github, LIFE - EARLY * (1 - JITTER) + 1)
    github.fault("status", f"{MINTING}*", status=500)
    with caplog.at_level(logging.WARNING):
        one.get()
        until(lambda: "is not renewed" in caplog.text)
        until(lambda: not tokens_of(one)._renewing)
        one.pass_time(github, RENEW_AGAIN - 5)  # long after who failed with it would ask anew
        again = [shown(one.get()) for _ in range(20)]
        until(lambda: not tokens_of(one)._renewing)

    assert set(again) == {first}
    assert minted(github) == 2
    assert first not in caplog.text


def test_a_renewal_that_failed_is_tried_again(one: Process, github: StandIn) -> None:
    first = shown(one.get())
    one.pass_time(github, LIFE - EARLY * (1 - JITTER) + 1)
    github.fault("status", f"{MINTING}*", status=500, count=1)
    one.get()
    until(lambda: minted(github) == 2 and not tokens_of(one)._renewing)
    one.pass_time(github, RENEW_AGAIN + 1)
    one.get()

    until(lambda: shown(one.get()) != first)


# Two clocks


def test_a_token_that_ends_by_githubs_clock_alone_is_replaced(
    one: Process, github: StandIn
) -> None:
    credential = one.get()
    github.advance(LIFE + 100)
    assert ask(github, shown(credential)).status_code == 401

    instead = one.credentials.refused(credential)

    assert instead is not None
    assert ask(github, shown(instead)).status_code == 200


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_wrong_by_hours_mints_all_the_same(
    one: Process, github: StandIn, hours: int
) -> None:
    one.clock.moved = hours * 3_600
    first = shown(one.get())
    one.pass_time(github, LIFE - EARLY - 10)

    assert (shown(one.get()), ask(github, first).status_code) == (first, 200)


def test_a_clock_is_corrected_once(one: Process, github: StandIn) -> None:
    one.clock.moved = 3_600
    for _ in range(2):
        one.get()
        one.pass_time(github, LIFE)

    # What the App asks at first is refused for its time, and asked again.
    refused = [seen for seen in github.requests() if seen.status == 401]
    assert len(refused) == 1


# Never seen


def test_nothing_secret_is_in_redis(two: list[Process], redis_url: str) -> None:
    # Each process's: where they can't read each other's, the last one's is what is kept.
    tokens = [shown(process.get()) for process in two]
    held = all_values(redis_url)

    pem = "".join(private_pem().splitlines()[1:-1])
    secrets = [SECRET_KEY.encode(), pem[40:80].encode(), base64.b64decode(pem)]
    for token in tokens:
        secrets += [token[4:24].encode(), base64.b64encode(token.encode())[4:30]]
    assert b":token:" in held
    assert not [secret for secret in secrets if secret in held]


def test_nothing_secret_is_shown(
    one: Process, github: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        credential = one.get()
        again = one.credentials.refused(credential)
        assert again is not None
        one.credentials.refused(again)
        github.fault("status", f"{MINTING}*", status=500)
        one.pass_time(github, LIFE)
        with pytest.raises(GitHubUnavailable) as failed:
            one.get()
    tokens = tokens_of(one)
    seen = f"{credential!r} {again!r} {tokens._held!r} {tokens._api!r} {vars(tokens._api)!r}"
    seen += f"{caplog.text} {failed.value!r} {failed.getrepr(showlocals=True)}"

    jwt = "eyJ"  # how each begins
    secrets = [shown(credential), shown(again), private_pem().splitlines()[5], SECRET_KEY, jwt]
    assert not [secret for secret in secrets if secret in seen]


def test_a_new_secret_key_makes_the_old_token_unreadable(
    two: list[Process], github: StandIn, redis_url: str
) -> None:
    first = shown(two[0].get())
    environ = app_environ(github, redis_url) | {"SECRET_KEY": "another secret key for tests"}
    with processes(environ, 1) as (rotated,):
        second = shown(rotated.get())

    assert (first != second, minted(github)) == (True, 2)
    assert ask(github, second).status_code == 200


def test_a_token_is_sealed_to_its_place() -> None:
    seal = Seal(Secret(SECRET_KEY))
    sealed = seal.close(b"token", "fw:app:1:token:1")

    assert seal.open(sealed, "fw:app:1:token:1") == b"token"
    assert seal.open(sealed, "fw:app:1:token:2") is None


def test_the_same_token_is_never_sealed_alike() -> None:
    seal = Seal(Secret(SECRET_KEY))

    assert seal.close(b"token", "place") != seal.close(b"token", "place")


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 200])
def test_what_can_not_be_read_is_minted_anew(
    one: Process, github: StandIn, installed: int, damaged: bytes
) -> None:
    one.redis.set(key_of(one, "token", installed), damaged)
    token = shown(one.get())

    assert ask(github, token).status_code == 200


# What breaks


def test_without_redis_each_process_mints_its_own(
    two: list[Process], github: StandIn, mortal: Valkey
) -> None:
    mortal.kill()
    tokens = [shown(process.get()) for process in (*two, *two)]

    assert (len(set(tokens)), minted(github)) == (2, 2)


def test_without_redis_threads_share_one(one: Process, github: StandIn, mortal: Valkey) -> None:
    mortal.kill()
    github.latency(50, f"{MINTING}*")
    got = at_once(one, 8)

    assert (len(set(got)), minted(github)) == (1, 1)


def test_a_token_outlives_redis(one: Process, github: StandIn, mortal: Valkey) -> None:
    first = shown(one.get())
    mortal.kill()

    assert (shown(one.get()), minted(github)) == (first, 1)


def test_a_mint_ends_by_the_deadline(one: Process, github: StandIn) -> None:
    github.fault("black_hole", f"{MINTING}*")
    began = time.monotonic()
    with pytest.raises(GitHubUnavailable):
        one.credentials.candidates("service", "initech", time.monotonic() + 0.5)

    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "body", ["{}", "[]", "null", '{"token": 1, "expires_at": "soon"}', '{"token": "ghs_a"}']
)
def test_a_token_that_can_not_be_read_is_no_token(one: Process, github: StandIn, body: str) -> None:
    github.fault("status", f"{MINTING}*", status=201, body=body)

    with pytest.raises(GitHubUnavailable):
        one.get()


# ETags


def test_the_next_hours_token_revalidates_at_no_point(one: Process, github: StandIn) -> None:
    first = one.get()
    body = ask(github, shown(first), Accept=JSON).content
    one.pass_time(github, LIFE)
    second = one.get()
    github.forget()

    etag = expected(body, JSON, second.authorization())
    answer = ask(github, shown(second), Accept=JSON, If_None_Match=etag)

    assert second.fingerprint != first.fingerprint
    assert (answer.status_code, github.points()) == (304, 0)
