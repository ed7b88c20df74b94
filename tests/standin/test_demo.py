"""Demo data and traffic."""

from __future__ import annotations

from tests.standin import demo
from tests.standin.clock import Clock
from tests.standin.github import GitHub
from tests.standin.shapes.repos import LICENSES
from tests.standin.shapes.site import Site
from tests.standin.traffic import WEIGHTS, Traffic
from tests.standin.world import Size, World

SITE = Site("http://127.0.0.1:1")


def test_there_are_well_known_organisations_by_hand() -> None:
    found = demo.load(1, everything=True)

    owners = {owner.login for owner, _ in found}
    assert {"pallets", "psf", "redis", "django", "python", "numpy", "elastic"} <= owners
    assert sum(owner.kind == "Organization" for owner, _ in found) >= 15
    assert sum(len(repos) for _, repos in found) >= 120


def test_no_id_is_used_twice() -> None:
    world = World(Size(orgs=60, repos=2_000, demo=True), Clock())
    repos = list(world.all_repos())

    assert len({repo.id for repo in repos}) == len(repos) == 2_000
    owners = world.owners()
    assert len({owner.id for owner in owners}) == len(owners)


def test_every_licence_is_known() -> None:
    used = {repo.license for _, repos in demo.load(1, everything=True) for repo in repos}

    assert used - {None} <= set(LICENSES)


def test_nothing_was_pushed_before_it_was_created() -> None:
    for _, repos in demo.load(1, everything=True):
        for repo in repos:
            assert repo.created_at < repo.pushed_at
            assert repo.created_at < repo.updated_at


def test_pallets_has_more_than_a_page_in_every_mode() -> None:
    for everything in (True, False):
        world = World(Size(demo=everything), Clock())
        assert len(world.repos_of("pallets")) > 30
        assert world.owner("psf") is not None


def test_small_sizes_keep_the_landmarks() -> None:
    world = World(Size(orgs=0, repos=0), Clock())

    assert len(world.repos_of("initech")) == 12


def test_traffic_is_seeded_and_moves_figures() -> None:
    runs = []
    for _ in range(2):
        github = GitHub(Size(), SITE)
        traffic = Traffic(github, 5)
        runs.append([traffic.step() for _ in range(300)])
        assert github.world.version >= 250

    assert runs[0] == runs[1]
    assert {what.split()[0] for what in runs[0]} >= set(WEIGHTS)
