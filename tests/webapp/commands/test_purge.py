"""`flask purge`: tags and paths, softly or hard; what is no tag is refused in one line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications

DETAIL = "/repos/pallets/flask"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "purge_command") as started:
        yield started


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    applications.empty(github)
    return applications()


def outcome(forewarm: Forewarm) -> str:
    return forewarm.get(DETAIL).headers["X-Cache"]


@pytest.mark.parametrize(
    ("arguments", "tags", "next_read"),
    [
        (["repo:Pallets/Flask"], "repo:pallets/flask", "REVALIDATED"),
        ([DETAIL, "/orgs/pallets"], "repo:pallets/flask org:pallets", "REVALIDATED"),
        (["--hard", "owner:pallets"], "owner:pallets", "MISS"),
    ],
)
def test_what_is_named_is_purged(
    forewarm: Forewarm, arguments: list[str], tags: str, next_read: str
) -> None:
    outcome(forewarm)
    result = forewarm.app.test_cli_runner().invoke(args=["purge", *arguments])
    assert (result.exit_code, result.output) == (0, f"purged {tags.count(':')}: {tags}\n")
    assert outcome(forewarm) == next_read


@pytest.mark.parametrize("name", ["flask", "repo:flask", "/search/repositories", "fw:e:1"])
def test_what_names_no_tag_is_wrong_usage(forewarm: Forewarm, name: str) -> None:
    outcome(forewarm)
    result = forewarm.app.test_cli_runner().invoke(args=["purge", name])
    assert result.exit_code == 2
    assert outcome(forewarm) == "HIT"
