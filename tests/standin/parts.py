"""What hangs below a repository, made when first asked for: contributors, releases, issues."""

from __future__ import annotations

from random import Random

from tests.standin.generator import EPOCH, sha, source
from tests.standin.model import Commit, Contributor, Issue, Parts, Release, Repo

MOST_ISSUES = 500
PEOPLE = (
    "ada-k", "benno", "chidi-o", "dmitri-v", "elena-m", "farid", "greta-s", "hiro-t", "ines-c",
    "jonas-w", "kavya-r", "liam-b", "mina-p", "noor-h", "oskar-l", "priya-n", "quentin-d",
    "rosa-f", "samir-a", "tove-e", "uma-j", "viktor-g", "wen-z", "xenia-q", "yusuf-i",
)  # fmt: skip
TITLES = (
    "Crash when the input is empty", "Document the timeout", "Drop support for old versions",
    "Error message names the wrong option", "Faster start", "Memory grows under load",
    "Type hints for the public API", "Wrong result on Windows", "Retry after a broken pipe",
    "Allow a custom encoder",
)  # fmt: skip
LABELS = ("bug", "docs", "enhancement", "good first issue", "performance", "question")
MESSAGES = ("Fix a race", "Update pins", "Explain the limits", "Simplify", "Release", "Add tests")


def person_id(login: str) -> int:
    """A user id for a generated contributor."""
    return 30_000_000 + int(sha(login)[:6], 16)


def parts_of(seed: int, repo: Repo) -> Parts:
    """The parts of a repository, kept on it from then on."""
    if repo.parts is None:
        repo.parts = Parts() if repo.empty else _make(seed, repo)
    return repo.parts


def _make(seed: int, repo: Repo) -> Parts:
    random = source(seed, repo.id, "parts")
    count = 3 + min(60, int(repo.stars**0.5) // 2)
    commits = _commits(random, repo)
    versions = [f"{n // 4 + 1}.{n % 4}.0" for n in range(2 + min(28, repo.stars // 400))]
    tags = tuple((tag, sha(repo.id, "tag", tag)) for tag in reversed(versions))
    branches = ((repo.default_branch, commits[0].sha), ("stable", commits[-1].sha))
    return Parts(
        contributors=_contributors(random, count),
        tags=tags,
        branches=branches + tuple((f"{tag}.x", tip) for tag, tip in tags[:3]),
        releases=_releases(random, repo, [tag for tag, _ in tags]),
        issues=_issues(random, repo),
        commits=commits,
        readme=f"# {repo.name}\n\n{repo.description or ''}\n\nSee the documentation.\n",
    )


def _contributors(random: Random, count: int) -> tuple[Contributor, ...]:
    found, left = [], 40 * count
    for place in range(count):
        round_, index = divmod(place, len(PEOPLE))
        login = PEOPLE[index] + (f"-{round_ + 1}" if round_ else "")
        left = max(1, int(left * random.uniform(0.6, 0.95)))
        found.append(Contributor(login, person_id(login), left))
    return tuple(found)


def _commits(random: Random, repo: Repo) -> tuple[Commit, ...]:
    found, at = [], repo.pushed_at
    names = [sha(repo.id, "commit", place) for place in range(41)]
    for place in range(40):
        found.append(
            Commit(
                sha=names[place],
                tree=sha(repo.id, "tree", place),
                parent=names[place + 1] if place < 39 else None,
                message=random.choice(MESSAGES),
                author=random.choice(PEOPLE),
                at=at,
            )
        )
        at -= random.uniform(600, 400_000)
    return tuple(found)


def _releases(random: Random, repo: Repo, tags: list[str]) -> tuple[Release, ...]:
    found, at = [], repo.pushed_at - random.uniform(0, 20) * 86_400
    for place, tag in enumerate(tags):
        found.append(
            Release(
                id=repo.id * 100 + place,
                tag=tag,
                name=tag,
                body=f"Changes of {tag}: fixes and small additions.",
                author=random.choice(PEOPLE),
                created_at=at,
                published_at=at + 60,
                assets=1 + place % 2,
            )
        )
        at -= random.uniform(20, 120) * 86_400
    return tuple(found)


def _issues(random: Random, repo: Repo) -> tuple[Issue, ...]:
    """The open issues and pull requests, newest first; every fourth is a pull request."""
    count = min(repo.open_issues, MOST_ISSUES)
    found, number, at = [], 2 * count + 10, min(EPOCH, repo.updated_at)
    for place in range(count):
        at -= random.uniform(3_600, 500_000)
        found.append(
            Issue(
                id=repo.id * 1_000 + number,
                number=number,
                title=random.choice(TITLES),
                body="Steps to reproduce, what was expected, what happened.",
                author=random.choice(PEOPLE),
                labels=tuple(sorted(random.sample(LABELS, random.randrange(0, 3)))),
                comments=random.randrange(0, 14),
                created_at=at,
                updated_at=min(EPOCH, at + random.uniform(0, 300_000)),
                pull=place % 4 == 3,
            )
        )
        number -= 1 + random.randrange(0, 2)
    return tuple(found)
