"""Up to 100 repositories a GraphQL query, for the catalog; what it costs is known before.

    names ─ by credential (an App's installations see their own) ─ by hundreds ─ one query each
      NOT_FOUND for an alias      -> missing, once every token of ours says so
      no answer, or one of parts  -> asked again in halves, twice at most
      no budget, no token         -> failed: the caller may have another way (REST)

Up to PARALLEL queries of one batch fly at once; all end within its deadline. What a name couldn't
be asked for is told with the reason, never as missing. The mirror's bodies never come from here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from webapp.errors import CredentialRefused, ForewarmError, GitHubUnavailable, OutOfBudget
from webapp.github import graphql
from webapp.github.aliases import MOST, Json, cost, document, told
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.client import Client
from webapp.github.credentials import Credential, Credentials
from webapp.github.session import DEADLINE

PARALLEL = 4  # queries at once, all batches of a process together
HALVINGS = 2
WORTHWHILE = 1.0  # seconds that must be left for asking again
UNASKED = "GitHub's GraphQL API can't be asked without a token"


@dataclass(frozen=True, slots=True)
class Found:
    """A repository by REST's names; `asked_at` is when its query began, in Unix seconds."""

    repository: Json
    asked_at: float

    @property
    def full_name(self) -> str:
        """As it is called now."""
        return str(self.repository["full_name"])


@dataclass(slots=True)
class Batch:
    """What became of each name, as it was asked for."""

    found: dict[str, Found] = field(default_factory=dict)
    missing: dict[str, float] = field(default_factory=dict)
    """With when it was asked for, in Unix seconds."""
    failed: dict[str, ForewarmError] = field(default_factory=dict)
    calls: int = 0

    def fail(self, names: Iterable[str], error: ForewarmError) -> None:
        """These couldn't be asked for."""
        self.failed |= dict.fromkeys(names, error)

    def knows(self, name: str) -> bool:
        """Whether anything became of it, if only a failure."""
        return name in self.found or name in self.missing or name in self.failed

    def only(self, names: Iterable[str]) -> Batch:
        """What became of these."""
        wanted = frozenset(names)
        return Batch(
            {name: each for name, each in self.found.items() if name in wanted},
            {name: each for name, each in self.missing.items() if name in wanted},
            {name: each for name, each in self.failed.items() if name in wanted},
            self.calls,
        )

    def add(self, other: Batch) -> None:
        """Take another's names in."""
        self.found |= other.found
        self.missing |= other.missing
        self.failed |= other.failed
        self.calls += other.calls


class Batches:
    """One per process."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials
        self._helpers = ThreadPoolExecutor(PARALLEL, thread_name_prefix="batch")

    def close(self) -> None:
        """End the threads; queries under way are left to their deadlines."""
        self._helpers.shutdown(wait=False, cancel_futures=True)

    def fetch(self, names: Sequence[str], asker: Asker, seconds: float = DEADLINE) -> Batch:
        """Ask for distinct `owner/name`s with the service's eyes. Raises nothing of GitHub's."""
        deadline = time.monotonic() + seconds
        whole = Batch()
        try:
            parts = self._parts(names, deadline)
        except (GitHubUnavailable, CredentialRefused) as error:
            return Batch(failed=dict.fromkeys(names, error))
        asked = {name for part in parts for name in part}
        whole.fail([name for name in names if name not in asked], GitHubUnavailable(UNASKED))

        def ask(part: Sequence[str]) -> Batch:
            return _Part(self._client, self._credentials, asker, deadline).ask(part)

        # The first is asked in the caller's own thread: most batches need no other.
        others = {self._helpers.submit(ask, part): part for part in parts[1:]}
        if parts:
            whole.add(ask(parts[0]))
        _collect(whole, others, deadline)
        return whole

    def _parts(self, names: Sequence[str], deadline: float) -> list[Sequence[str]]:
        owners = {_owner(name) for name in names}
        groups = self._credentials.by_sight(owners, deadline)
        seen = ([name for name in names if _owner(name) in group] for group in groups)
        return [
            group[start : start + MOST] for group in seen for start in range(0, len(group), MOST)
        ]


def _collect(whole: Batch, others: dict[Future[Batch], Sequence[str]], deadline: float) -> None:
    wait(others, timeout=max(0.0, deadline - time.monotonic()))
    for future, part in others.items():
        if future.done():
            whole.add(future.result())
        else:
            future.cancel()
            whole.fail(part, GitHubUnavailable("GitHub didn't answer in time"))


class _Part:
    """At most MOST names that are seen with one credential."""

    def __init__(
        self, client: Client, credentials: Credentials, asker: Asker, deadline: float
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._asker = asker
        self._deadline = deadline
        self._batch = Batch()

    def ask(self, names: Sequence[str]) -> Batch:
        """Ask each credential for what those before it don't see.

        Tokens of unequal sight are a mistake that doctor shows; but a repository that one of them
        doesn't see isn't missing.
        """
        batch, left = self._batch, names
        try:
            owner = _owner(names[0])
            found = self._credentials.candidates("service", owner, self._deadline)
            candidates = [each for each in found if each.token]
            while left and candidates:
                used = self._halving(left, candidates, HALVINGS)
                candidates = [each for each in candidates if each.id not in used]
                left = [name for name in left if name in batch.missing]
        except (GitHubUnavailable, CredentialRefused, OutOfBudget) as error:
            for name in left:
                batch.missing.pop(name, None)
            batch.fail([name for name in left if name not in batch.found], error)
        return batch

    def _halving(
        self, names: Sequence[str], candidates: Sequence[Credential], halvings: int
    ) -> set[str]:
        """The ids of the credentials that were asked with."""
        again, used = self._once(names, candidates, halvings)
        if not again:
            return used
        if not self._worthwhile(names, halvings):
            self._batch.fail(again, GitHubUnavailable("GitHub's answer is incomplete", 200))
            return used
        middle = (len(again) + 1) // 2
        for half in filter(None, (again[:middle], again[middle:])):
            used |= self._halving(half, candidates, halvings - 1)
        return used

    def _once(
        self, names: Sequence[str], candidates: Sequence[Credential], halvings: int
    ) -> tuple[Sequence[str], set[str]]:
        """One query; the names to ask for again, and the credential's id."""
        self._batch.calls += 1
        points = cost(len(names))
        try:
            answer, used = self._client.query(
                document(names), self._asker, candidates, points, self._deadline
            )
        except GitHubUnavailable:
            if not self._worthwhile(names, halvings):
                raise
            return names, set()
        return _settled(self._batch, answer, names), {used.id}

    def _worthwhile(self, names: Sequence[str], halvings: int) -> bool:
        time_left = self._deadline - time.monotonic()
        return halvings > 0 and len(names) > 1 and time_left > WORTHWHILE


def _settled(batch: Batch, answer: Answer, names: Sequence[str]) -> Sequence[str]:
    """Note what an answer says; the names to ask for again."""
    body = answer.body or b""
    if answer.limited or (answer.status == 200 and graphql.limited(body)):
        raise OutOfBudget(answer.asked_at + answer.retry_after, "graphql")
    if answer.status != 200:
        raise CredentialRefused("forbidden", f"GitHub's GraphQL API answered {answer.status}")
    said = told(body, names)
    if said is None:
        return names
    for name, repository in said.found.items():
        batch.found[name] = Found(repository, answer.asked_at)
        batch.missing.pop(name, None)
    batch.missing |= dict.fromkeys(said.missing, answer.asked_at)
    return said.failed


def _owner(full_name: str) -> str:
    return full_name.partition("/")[0].lower()
