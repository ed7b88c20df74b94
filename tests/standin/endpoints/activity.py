"""Issues, pull requests, commits, events, and a repository's files."""

from __future__ import annotations

import gzip
from urllib.parse import quote

from tests.standin.call import Answer, Call
from tests.standin.endpoints.repositories import file_answer
from tests.standin.generator import sha
from tests.standin.model import Event, Repo
from tests.standin.shapes import activity as shapes
from tests.standin.shapes.errors import Refusal
from tests.standin.shapes.parts import file, repo_url
from tests.standin.shapes.repos import LICENSES
from tests.standin.shapes.site import Json

POLL_INTERVAL = {"X-Poll-Interval": "60"}


def _below(repo: Repo, part: str) -> str:
    return f"/repositories/{repo.id}/{part}"


def _state(call: Call) -> tuple[str, ...]:
    state = call.query.get("state", "open")
    return ("open", "closed") if state == "all" else (state,)


def issues(call: Call) -> Answer:
    """Open ones by default; pull requests are among them, as on GitHub."""
    repo, states = call.repo(), _state(call)
    found = [one for one in call.parts(repo).issues if one.state in states]
    return call.page(found, _below(repo, "issues"), lambda one: shapes.issue(call.site, repo, one))


def issue(call: Call) -> Answer:
    repo = call.repo()
    for one in call.parts(repo).issues:
        if str(one.number) == call.params["number"]:
            return Answer(shapes.issue(call.site, repo, one), modified=one.updated_at)
    raise call.not_found()


def pulls(call: Call) -> Answer:
    repo, states = call.repo(), _state(call)
    owner = call.owner_of(repo)
    found = [one for one in call.parts(repo).issues if one.pull and one.state in states]
    return call.page(
        found, _below(repo, "pulls"), lambda one: shapes.pull(call.site, repo, owner, one)
    )


def pull(call: Call) -> Answer:
    repo = call.repo()
    for one in call.parts(repo).issues:
        if one.pull and str(one.number) == call.params["number"]:
            simple = shapes.pull(call.site, repo, call.owner_of(repo), one)
            return Answer(shapes.full_pull(simple), modified=one.updated_at)
    raise call.not_found()


def commits(call: Call) -> Answer:
    """409 where there is no commit yet."""
    repo = call.repo()
    found = call.parts(repo).commits
    if not found:
        raise Refusal(409, "Git Repository is empty.", call.docs)
    return call.page(
        found, _below(repo, "commits"), lambda one: shapes.commit(call.site, repo, one)
    )


def commit(call: Call) -> Answer:
    repo, ref = call.repo(), call.params["ref"]
    parts = call.parts(repo)
    tip = dict(parts.branches).get(ref, ref)
    for one in parts.commits:
        if one.sha == tip:
            counts = {"total": 15, "additions": 12, "deletions": 3}
            body = shapes.commit(call.site, repo, one) | {"stats": counts, "files": []}
            return Answer(body, modified=one.at)
    raise Refusal(422, f"No commit found for SHA: {ref}", call.docs)


def _feed(call: Call, events: list[Event], path: str) -> Answer:
    """Newest first, private ones only for those who see the repository, 300 at most."""
    account = call.caller.account
    visible = [
        one
        for one in events
        if one.public or account.may_see(one.owner.lower(), one.repo_name.lower())
    ][:300]
    answer = call.page(visible, path, lambda one: shapes.event(call.site, call.world.owner, one))
    answer.headers |= POLL_INTERVAL
    answer.modified = visible[0].at if visible else None
    return answer


def repo_events(call: Call) -> Answer:
    repo = call.repo()
    return _feed(call, call.github.feeds.of_repo(repo), _below(repo, "events"))


def org_events(call: Call) -> Answer:
    owner = call.organization()
    events = call.github.feeds.of_owner(owner.login)
    return _feed(call, events, f"/organizations/{owner.id}/events")


def user_events(call: Call) -> Answer:
    owner = call.user()
    events = call.github.feeds.of_owner(owner.login)
    return _feed(call, events, f"/user/{owner.id}/events")


def _files(call: Call, repo: Repo) -> dict[str, str]:
    """The same few files in each repository."""
    if repo.empty:
        return {}
    texts = {
        "README.md": call.parts(repo).readme,
        "docs/index.md": f"# {repo.name}\n\nThe documentation.\n",
        "src/main.txt": f"{repo.full_name}\n" * 40,
    }
    if repo.license:
        texts["LICENSE"] = f"{LICENSES[repo.license][1]}\n"
    return texts


def contents(call: Call) -> Answer:
    """A file, or a directory's list."""
    repo = call.repo()
    path = call.params.get("path", "").strip("/")
    files = _files(call, repo)
    if path in files:
        return file_answer(call, repo, path, files[path])
    prefix = f"{path}/" if path else ""
    names = sorted({name[len(prefix) :].split("/")[0] for name in files if name.startswith(prefix)})
    if not names:
        raise call.not_found()
    return Answer([_entry(call, repo, prefix + name, files) for name in names])


def _entry(call: Call, repo: Repo, path: str, files: dict[str, str]) -> Json:
    row = file(call.site, repo, path, files.get(path, ""))
    del row["content"], row["encoding"]
    if path not in files:
        tree = f"{repo_url(call.site, repo)}/git/trees/{row['sha']}"
        row |= {"type": "dir", "size": 0, "download_url": None, "git_url": tree}
        row["_links"] = row["_links"] | {"git": tree}
    return row


def tree(call: Call) -> Answer:
    repo = call.repo()
    if repo.empty:
        raise Refusal(409, "Git Repository is empty.", call.docs)
    return Answer(shapes.tree(call.site, repo, call.params["tree"], sorted(_files(call, repo))))


def tarball(call: Call) -> Answer:
    """302 to where archives are; the stand-in keeps them below its own root."""
    repo = call.repo()
    ref = call.params.get("ref") or f"refs/heads/{repo.default_branch}"
    location = f"{call.site.api}/_codeload/{repo.full_name}/legacy.tar.gz/{quote(ref)}"
    return Answer(status=302, headers={"Location": location})


def codeload(call: Call) -> Answer:
    """An archive: bytes that are no JSON and have no ETag formula of interest."""
    repo = call.repo()
    noise = "".join(sha(repo.id, n) for n in range(3_000)).encode()
    name = f"attachment; filename={repo.owner}-{repo.name}.tar.gz"
    return Answer(
        gzip.compress(noise, compresslevel=1, mtime=0),
        headers={"Content-Disposition": name},
        content_type="application/x-gzip",
    )
