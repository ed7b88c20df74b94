"""One repository and what hangs below it."""

from __future__ import annotations

from tests.standin.call import Answer, Call
from tests.standin.model import Repo
from tests.standin.shapes import parts as shapes
from tests.standin.shapes.errors import Refusal
from tests.standin.shapes.repos import full_repo, minimal_repo


def _below(repo: Repo, part: str) -> str:
    return f"/repositories/{repo.id}/{part}"


def repository(call: Call) -> Answer:
    repo = call.repo()
    parent = None
    if repo.fork and repo.parent_id is not None:
        origin = call.world.by_id(repo.parent_id)
        if origin is not None:
            parent = minimal_repo(call.site, origin, call.owner_of(origin))
    body = full_repo(call.site, repo, call.owner_of(repo), call.permissions(repo), parent)
    return Answer(body, modified=repo.updated_at)


def languages(call: Call) -> Answer:
    return Answer(call.repo().languages)


def topics(call: Call) -> Answer:
    return Answer({"names": list(call.repo().topics)})


def contributors(call: Call) -> Answer:
    """204 without a body where there are none yet."""
    repo = call.repo()
    found = call.parts(repo).contributors
    if not found:
        return Answer(status=204)
    path = _below(repo, "contributors")
    return call.page(found, path, lambda one: shapes.contributor(call.site, one))


def tags(call: Call) -> Answer:
    repo = call.repo()
    return call.page(
        call.parts(repo).tags, _below(repo, "tags"), lambda t: shapes.tag(call.site, repo, *t)
    )


def branches(call: Call) -> Answer:
    repo = call.repo()
    return call.page(
        call.parts(repo).branches,
        _below(repo, "branches"),
        lambda b: shapes.branch(call.site, repo, *b),
    )


def releases(call: Call) -> Answer:
    repo = call.repo()
    return call.page(
        call.parts(repo).releases,
        _below(repo, "releases"),
        lambda one: shapes.release(call.site, repo, one),
    )


def latest_release(call: Call) -> Answer:
    repo = call.repo()
    for one in call.parts(repo).releases:
        if not one.draft and not one.prerelease:
            return Answer(shapes.release(call.site, repo, one), modified=one.published_at)
    raise call.not_found()


def release(call: Call) -> Answer:
    """By id or by tag."""
    repo = call.repo()
    for one in call.parts(repo).releases:
        if call.params.get("tag") == one.tag or call.params.get("release_id") == str(one.id):
            return Answer(shapes.release(call.site, repo, one), modified=one.published_at)
    raise call.not_found()


def license_file(call: Call) -> Answer:
    repo = call.repo()
    if repo.license is None:
        raise call.not_found()
    return Answer(shapes.license_file(call.site, repo), modified=repo.created_at)


def readme(call: Call) -> Answer:
    repo = call.repo()
    return file_answer(call, repo, "README.md", call.parts(repo).readme)


def file_answer(call: Call, repo: Repo, path: str, text: str) -> Answer:
    """A file as JSON, or as it is where the raw media type is asked for."""
    if repo.empty:
        raise call.not_found()
    accept = call.request.headers.get("accept", "")
    if "raw" in accept:
        kind = "application/vnd.github.raw+json; charset=utf-8"
        return Answer(text.encode(), modified=repo.pushed_at, content_type=kind)
    if "html" in accept:
        raise Refusal(415, "Unsupported 'Accept' header: the stand-in renders no HTML", call.docs)
    return Answer(shapes.file(call.site, repo, path, text), modified=repo.pushed_at)
