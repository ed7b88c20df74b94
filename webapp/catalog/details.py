"""Repositories one by one, over the mirror's own ladder: where GraphQL can't be asked, or fails.

What the mirror holds fresh is given as it is; a 304 costs no point; GitHub's refusals become what
a batch says of a name. A rename is followed by the id that GitHub's redirect names.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from webapp.cache.keys import canonical_target
from webapp.errors import CredentialRefused, ForewarmError, GitHubUnavailable, RequestRefused
from webapp.fetching import Wish
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.batch import Batch, Found
from webapp.github.session import DEADLINE
from webapp.serve import Directives, Ladder, Served

PARALLEL = 4  # at once, all requests of a process together
REDIRECTS = 3
MOMENT = 1.0  # seconds: nobody has been waited for yet
MISSING = frozenset({403, 404, 410, 451})
"""A 403 only where it is no limit: we may not see it."""
_BY_ID = re.compile(r"/repositories/(\d{1,20})$")


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    body: bytes
    asked_at: float
    location: str


class Details:
    """One per process."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._threads = ThreadPoolExecutor(PARALLEL, thread_name_prefix="detail")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def fetch(self, names: Sequence[str], asker: Asker, base_url: str, deadline: float) -> Batch:
        """As a batch, until `deadline` (time.monotonic()). Raises nothing of GitHub's."""
        if len(names) == 1 and deadline - time.monotonic() > DEADLINE - MOMENT:
            return self._one(names[0], asker, base_url)  # which has a deadline of its own
        futures = {self._threads.submit(self._one, name, asker, base_url): name for name in names}
        wait(futures, timeout=max(0.0, deadline - time.monotonic()))
        whole = Batch()
        for future, name in futures.items():
            if future.done():
                whole.add(future.result())
            else:
                future.cancel()
                whole.fail([name], GitHubUnavailable("GitHub didn't answer in time"))
        return whole

    def _one(self, name: str, asker: Asker, base_url: str) -> Batch:
        batch, path = Batch(), f"/repos/{name}"
        try:
            for _ in range(REDIRECTS):
                said = self._said(path, asker, base_url)
                moved = _BY_ID.search(said.location) if 300 < said.status < 400 else None
                if moved is None:
                    break
                path = f"/repositories/{moved[1]}"
            _settle(batch, name, said)
        except ForewarmError as error:
            batch.fail([name], error)
        return batch

    def _said(self, path: str, asker: Asker, base_url: str) -> _Said:
        target = canonical_target(path, "", "", "")
        served = self._ladder.serve(Wish.of(target, asker, base_url), Directives())
        return _of_answer(served.answer) if served.answer else _of_entry(served)


def _of_entry(served: Served) -> _Said:
    entry = served.entry
    assert entry is not None
    location = entry.headers.get("Location", "")
    return _Said(entry.status, entry.identity(), entry.stored_at, location)


def _of_answer(answer: Answer) -> _Said:
    answer.close()
    if answer.limited:
        told = orjson.loads(answer.body or b"{}").get("message", "API rate limit exceeded")
        kept = {name: value for name, value in answer.headers.items() if _of_limit(name)}
        headers = {name.replace("-", "_"): value for name, value in kept.items()}
        raise RequestRefused(HTTPStatus.FORBIDDEN, told, **headers)
    location = answer.headers.get("Location", "")
    return _Said(answer.status, answer.body or b"", answer.asked_at, location)


def _of_limit(header: str) -> bool:
    return header.lower() == "retry-after" or header.lower().startswith("x-ratelimit-")


def _settle(batch: Batch, name: str, said: _Said) -> None:
    if said.status in MISSING:
        batch.missing[name] = said.asked_at
        return
    if said.status == HTTPStatus.UNAUTHORIZED:
        raise CredentialRefused("forbidden", "GitHub refuses the service's credentials (401)")
    try:
        repository = orjson.loads(said.body)
    except orjson.JSONDecodeError:
        repository = None
    if said.status != HTTPStatus.OK or not isinstance(repository, dict):
        raise GitHubUnavailable(f"GitHub answered {said.status}", said.status)
    if "full_name" not in repository:
        raise GitHubUnavailable("GitHub's answer is no repository", said.status)
    batch.found[name] = Found(repository, said.asked_at)
