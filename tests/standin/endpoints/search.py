"""/search/repositories: words and the common qualifiers, in a wrapped collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.standin.call import Answer, Call
from tests.standin.model import Repo
from tests.standin.paging import Page
from tests.standin.shapes.errors import Refusal
from tests.standin.shapes.repos import search_result

MOST_RESULTS = 1000
# qualifier -> whether a repository has it; values are in lower case
QUALIFIERS: dict[str, Callable[[Repo, str], bool]] = {
    "user": lambda repo, value: repo.owner.lower() == value,
    "org": lambda repo, value: repo.owner.lower() == value,
    "repo": lambda repo, value: repo.full_name.lower() == value,
    "language": lambda repo, value: (repo.language or "").lower() == value.strip('"'),
    "topic": lambda repo, value: value in repo.topics,
    "license": lambda repo, value: repo.license == value,
    "archived": lambda repo, value: repo.archived == (value == "true"),
    "is": lambda repo, value: value in (repo.visibility, "archived" if repo.archived else ""),
    "stars": lambda repo, value: _within(repo.stars, value),
    "forks": lambda repo, value: _within(repo.forks, value),
}
SORTS: dict[str, Callable[[Repo], Any]] = {
    "stars": lambda repo: repo.stars,
    "forks": lambda repo: repo.forks,
    "updated": lambda repo: repo.updated_at,
}


def _within(number: int, value: str) -> bool:
    """`>n >=n <n <=n n..m n`; a value that is no number matches nothing."""
    try:
        low, dots, high = value.partition("..")
        if dots:
            return int(low) <= number <= int(high)
        if value.startswith((">=", "<=")):
            bound = int(value[2:])
            return number >= bound if value[0] == ">" else number <= bound
        if value.startswith((">", "<")):
            bound = int(value[1:])
            return number > bound if value[0] == ">" else number < bound
        return number == int(value)
    except ValueError:
        return False


def _matches(repo: Repo, words: list[str]) -> bool:
    text = f"{repo.name} {repo.description or ''} {' '.join(repo.topics)}".lower()
    for word in words:
        name, colon, value = word.partition(":")
        if colon and name in QUALIFIERS:
            if not QUALIFIERS[name](repo, value):
                return False
        elif word not in text:
            return False
    return True


def repositories(call: Call) -> Answer:
    query = call.query
    words = query.get("q", "").lower().split()
    if not words:
        error = {"resource": "Search", "field": "q", "code": "missing"}
        raise Refusal(422, "Validation Failed", call.docs, errors=[error])
    found = [
        repo
        for repo in call.world.all_repos()
        if not repo.blocked and call.sees(repo) and _matches(repo, words)
    ]
    sort = SORTS.get(query.get("sort", ""), SORTS["stars"])
    found.sort(key=sort, reverse=query.get("order", "desc") == "desc")
    page = Page.asked(query)
    reachable = found[:MOST_RESULTS]
    link = page.link(len(reachable), f"{call.site.api}/search/repositories", query)
    items = [
        search_result(call.site, repo, call.owner_of(repo), 1.0) for repo in page.of(reachable)
    ]
    body = {"total_count": len(found), "incomplete_results": False, "items": items}
    return Answer(body, headers={} if link is None else {"Link": link})
