"""githubkit, unchanged but for `base_url`: its generated models judge what Forewarm serves.

It sends `Cache-Control: no-cache` with each request, for its own cache's sake; ours ignores that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from githubkit import BaseAuthStrategy, GitHub, TokenAuthStrategy, UnauthAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import RateLimitExceeded, RequestFailed
from githubkit_schemas.latest.models import FullRepository, PublicUser

from tests.clients.exchanges import Exchange, Exchanges
from tests.serving import API_KEY, Server, serve
from tests.standin.landmarks import FORKED_REPO, HUGE_REPO, OLD_NAME, RENAMED_REPO
from tests.standin.process import StandIn

ORG, OWNER, REPO = {"org": "pallets"}, "pallets", "flask"
FLASK = {"owner": OWNER, "repo": REPO}
WALK: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("orgs", "get", ORG),
    ("repos", "list_for_org", ORG),
    ("repos", "get", FLASK),
    ("repos", "list_languages", FLASK),
    ("repos", "get_all_topics", FLASK),
    ("repos", "list_contributors", FLASK),
    ("repos", "list_releases", FLASK),
    ("repos", "get_latest_release", FLASK),
    ("repos", "list_tags", FLASK),
    ("repos", "list_branches", FLASK),
    ("licenses", "get_for_repo", FLASK),
    ("repos", "get_readme", FLASK),
    ("users", "get_by_username", {"username": "mitsuhiko"}),
)
"""Part of the client, its method, arguments; the asynchronous method's name has a prefix."""

Kit = GitHub[BaseAuthStrategy]
KitFactory = Callable[..., Kit]


@pytest.fixture
def kit_factory(exchanges: Exchanges) -> Iterator[KitFactory]:
    """Makes githubkit clients of a server, recorded: `kit_factory(server, token, http_cache=…)`."""
    strategies: list[MemCacheStrategy] = []

    def record(answer: httpx.Response) -> None:
        request = answer.request
        exchanges.append(
            Exchange(
                request.method,
                str(request.url),
                answer.status_code,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.text,
            )
        )

    def keep(answer: httpx.Response) -> None:
        answer.read()
        record(answer)

    async def keep_async(answer: httpx.Response) -> None:
        await answer.aread()
        record(answer)

    def make(
        server: Server, token: str = API_KEY, *, http_cache: bool = True, auto_retry: bool = True
    ) -> Kit:
        strategies.append(MemCacheStrategy())
        auth: BaseAuthStrategy = TokenAuthStrategy(token) if token else UnauthAuthStrategy()
        return GitHub(
            auth,
            base_url=server.api,
            http_cache=http_cache,
            auto_retry=auto_retry,
            cache_strategy=strategies[-1],
            event_hooks={"response": [keep]},
            async_event_hooks={"response": [keep_async]},
        )

    yield make
    for each in strategies:
        each.cleanup()
        asyncio.run(each.acleanup())


@pytest.fixture
def kit(mirror: Server, kit_factory: KitFactory) -> Kit:
    """A client with an API key and githubkit's own settings."""
    return kit_factory(mirror)


def walk(client: Kit) -> list[Any]:
    """What each call of WALK parses to; a body that isn't GitHub's shape raises."""
    return [
        getattr(getattr(client.rest, part), name)(**arguments).parsed_data
        for part, name, arguments in WALK
    ]


async def walk_async(client: Kit) -> list[Any]:
    """The same, asynchronously, over one connection pool."""
    async with client:
        return [
            (await getattr(getattr(client.rest, part), f"async_{name}")(**arguments)).parsed_data
            for part, name, arguments in WALK
        ]


def walk_in_a_loop(client: Kit) -> list[Any]:
    return asyncio.run(walk_async(client))


@pytest.mark.parametrize("take", [walk, walk_in_a_loop], ids=["sync", "async"])
@pytest.mark.parametrize("http_cache", [True, False], ids=["own-cache", "no-cache-of-its-own"])
def test_a_second_walk_is_all_hits_and_asks_github_nothing(
    mirror: Server,
    kit_factory: KitFactory,
    github: StandIn,
    exchanges: Exchanges,
    take: Callable[[Kit], list[Any]],
    http_cache: bool,
) -> None:
    client = kit_factory(mirror, http_cache=http_cache)
    first = take(client)
    assert set(exchanges.outcomes) == {"MISS"}
    exchanges.assert_inside(mirror, github)
    github.forget()
    exchanges.clear()
    assert take(client) == first
    assert exchanges.outcomes == ["HIT"] * len(WALK)
    assert github.count() == 0


def test_its_own_cache_is_told_304_by_a_hit(kit: Kit) -> None:
    kit.rest.repos.get(OWNER, REPO)
    second = kit.rest.repos.get(OWNER, REPO)
    assert second.headers["X-Cache"] == "HIT"
    assert second.raw_response.extensions["hishel_revalidated"] is True


def test_without_auth_it_reads_what_the_setting_allows(
    mirror: Server, kit_factory: KitFactory
) -> None:
    client = kit_factory(mirror, token="")
    assert client.rest.repos.get(OWNER, REPO).parsed_data.name == REPO


def test_pages_are_followed_inside_the_mirror(
    mirror: Server, kit: Kit, github: StandIn, exchanges: Exchanges
) -> None:
    found = list(kit.rest.paginate(kit.rest.repos.list_for_org, org=OWNER, per_page=7))
    assert len({each.id for each in found}) == 40
    assert len(exchanges) == 6
    exchanges.assert_inside(mirror, github)


def test_pages_are_followed_asynchronously_inside_the_mirror(
    mirror: Server, kit: Kit, github: StandIn, exchanges: Exchanges
) -> None:
    async def names() -> set[str]:
        pages = kit.rest.paginate(kit.rest.repos.async_list_for_org, org=OWNER, per_page=7)
        async with kit:
            return {each.full_name async for each in pages}

    assert len(asyncio.run(names())) == 40
    exchanges.assert_inside(mirror, github)


def test_links_inside_a_body_lead_back_into_the_mirror(
    mirror: Server, kit: Kit, github: StandIn, exchanges: Exchanges
) -> None:
    owner, name = FORKED_REPO.split("/")
    fork = kit.rest.repos.get(owner, name).parsed_data
    assert fork.parent
    parent = kit.request("GET", fork.parent.url, response_model=FullRepository).parsed_data
    assert parent.full_name == f"{OWNER}/{REPO}"
    account = kit.request("GET", parent.owner.url, response_model=PublicUser).parsed_data
    assert account.login == OWNER
    assert kit.request("GET", parent.languages_url).json()["Python"] > 0
    exchanges.assert_inside(mirror, github)


def test_a_renamed_repository_is_followed_inside_the_mirror(
    mirror: Server, kit: Kit, github: StandIn, exchanges: Exchanges
) -> None:
    owner, name = OLD_NAME.split("/")
    assert kit.rest.repos.get(owner, name).parsed_data.full_name == RENAMED_REPO
    assert [each.status for each in exchanges] == [301, 200]
    exchanges.assert_inside(mirror, github)


def test_a_body_too_big_to_keep_has_its_links_inside_the_mirror(
    mirror: Server, kit: Kit, github: StandIn, exchanges: Exchanges
) -> None:
    owner, name = HUGE_REPO.split("/")
    tree = kit.rest.git.get_tree(owner, name, "main", recursive="1")
    assert tree.headers["X-Cache"] == "BYPASS"
    assert len(tree.parsed_data.tree) > 10_000
    exchanges.assert_inside(mirror, github)


def test_the_next_read_after_a_write_shows_the_change(
    mirror: Server, kit: Kit, kit_factory: KitFactory, github: StandIn
) -> None:
    github.create_org("authors")
    github.create_repo("authors/novel", description="A draft")
    own = github.add_token("author", account="author", admin_of=["authors"])
    writer = kit_factory(mirror, own)
    for client in (kit, writer):
        assert client.rest.repos.get("authors", "novel").parsed_data.description == "A draft"
    writer.rest.repos.update("authors", "novel", description="A second draft")
    for client in (kit, writer):
        assert client.rest.repos.get("authors", "novel").parsed_data.description == "A second draft"


@pytest.mark.parametrize(
    ("token", "name", "status"),
    [(API_KEY, "no-such-repository", 404), ("fwk_a-key-that-nobody-gave-out", REPO, 401)],
)
def test_a_refusal_is_the_failure_that_its_users_expect(
    mirror: Server, kit_factory: KitFactory, token: str, name: str, status: int
) -> None:
    client = kit_factory(mirror, token)
    with pytest.raises(RequestFailed) as failed:
        client.rest.repos.get(OWNER, name)
    assert failed.value.response.status_code == status
    assert {"message", "documentation_url", "status"} <= set(failed.value.response.json())


def test_a_spent_budget_is_a_rate_limit(
    environ: dict[str, str], kit_factory: KitFactory, github: StandIn, tmp_path: Path
) -> None:
    github.use("forewarm-bot", 5_000)
    with serve(environ, tmp_path / "server.log") as server:
        client = kit_factory(server, auto_retry=False)
        with pytest.raises(RateLimitExceeded) as limited:
            client.rest.repos.get(OWNER, REPO)
    assert limited.value.response.headers["X-Cache"] == "ERROR"
    assert limited.value.retry_after.total_seconds() > 0


def test_its_no_cache_revalidates_where_that_is_set(
    environ: dict[str, str], kit_factory: KitFactory, github: StandIn, tmp_path: Path
) -> None:
    with serve({**environ, "HONOUR_NO_CACHE": "true"}, tmp_path / "server.log") as server:
        client = kit_factory(server, http_cache=False)
        first = client.rest.repos.get(OWNER, REPO)
        points = github.points()
        second = client.rest.repos.get(OWNER, REPO)
    assert [first.headers["X-Cache"], second.headers["X-Cache"]] == ["MISS", "REVALIDATED"]
    assert second.parsed_data == first.parsed_data
    assert github.points() == points
