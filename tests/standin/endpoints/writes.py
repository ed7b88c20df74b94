"""Requests that change something. Each goes the same way as the control API's orders."""

from __future__ import annotations

import re
from typing import Any

from tests.standin.call import Answer, Call
from tests.standin.endpoints import activity
from tests.standin.model import Owner, Repo
from tests.standin.shapes import activity as shapes
from tests.standin.shapes.errors import Refusal, forbidden
from tests.standin.shapes.parts import release as release_shape
from tests.standin.shapes.repos import full_repo, minimal_repo
from tests.standin.world import Unknown

# What bodies may hold and of which type; GitHub ignores fields that it doesn't know.
TEXT, SWITCH = (str, type(None)), (bool,)
FIELDS: dict[str, tuple[type, ...]] = {
    "description": TEXT,
    "homepage": TEXT,
    "private": SWITCH,
    "archived": SWITCH,
    "default_branch": (str,),
    "has_issues": SWITCH,
    "has_projects": SWITCH,
    "has_wiki": SWITCH,
    "has_discussions": SWITCH,
    "is_template": SWITCH,
}
OTHERS: dict[str, tuple[type, ...]] = {
    "name": TEXT,
    "visibility": (str,),
    "names": (list,),
    "title": TEXT,
    "body": TEXT,
    "state": (str,),
    "tag_name": TEXT,
    "prerelease": SWITCH,
    "draft": SWITCH,
    "new_owner": (str,),
}


def _body(call: Call) -> dict[str, Any]:
    """The body, its known fields of the right type; else 422."""
    body = call.json()
    for name, types in (FIELDS | OTHERS).items():
        if name in body and not isinstance(body[name], types):
            message = f"Invalid request.\n\nFor 'properties/{name}', that is of a wrong type."
            raise Refusal(422, message, call.docs)
    return body


def _edited(body: dict[str, Any]) -> dict[str, Any]:
    values = {name: body[name] for name in FIELDS if name in body}
    if "visibility" in body:
        values["private"] = body["visibility"] != "public"
    return values


def _repo_answer(call: Call, repo: Repo, status: int = 200) -> Answer:
    body = full_repo(call.site, repo, call.owner_of(repo), call.permissions(repo))
    return Answer(body, status)


def _administered(call: Call) -> Repo:
    repo = call.writable()
    if not call.administers(repo.owner):
        raise forbidden(call.caller.kind, call.docs)
    return repo


def update_repo(call: Call) -> Answer:
    repo, body = call.writable(), _body(call)
    order: dict[str, Any] = {"sender": call.sender}
    name = _legal(body.get("name") or repo.name)
    if name != repo.name:
        try:
            call.github.changes.rename(order | {"full_name": repo.full_name, "name": name})
        except ValueError as error:
            raise _taken(call, str(error)) from None
    values = _edited(body)
    if values:
        call.github.changes.change(order | {"full_name": repo.full_name} | values)
    return _repo_answer(call, repo)


def _legal(name: str) -> str:
    """GitHub puts a dash for every character that a name may not have."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:100]


def _taken(call: Call, reason: str) -> Refusal:
    error = {"resource": "Repository", "code": "custom", "field": "name", "message": reason}
    return Refusal(422, "Repository creation failed.", call.docs, errors=[error])


def delete_repo(call: Call) -> Answer:
    repo = _administered(call)
    call.github.changes.delete({"full_name": repo.full_name, "sender": call.sender})
    return Answer(status=204)


def replace_topics(call: Call) -> Answer:
    repo, names = call.writable(), _body(call).get("names")
    if names is None or not all(isinstance(name, str) for name in names):
        raise Refusal(422, 'Invalid request.\n\n"names" wasn\'t supplied.', call.docs)
    order = {"full_name": repo.full_name, "topics": names, "sender": call.sender}
    call.github.changes.change(order)
    return Answer({"names": list(repo.topics)})


def _create(call: Call, owner: Owner) -> Answer:
    body = _body(call)
    if not body.get("name"):
        error = {"resource": "Repository", "code": "missing_field", "field": "name"}
        raise Refusal(422, "Validation Failed", call.docs, errors=[error])
    full_name = f"{owner.login}/{_legal(body['name'])}"
    order = {"full_name": full_name, "empty": True, "sender": call.sender, **_edited(body)}
    try:
        call.github.changes.create(order)
    except ValueError as error:
        raise _taken(call, str(error)) from None
    repo = call.world.truth(full_name)
    if repo.private:
        call.caller.account.sees.add(full_name.lower())
    answer = _repo_answer(call, repo, 201)
    answer.headers["Location"] = f"{call.site.api}/repos/{full_name}"
    return answer


def create_org_repo(call: Call) -> Answer:
    owner = call.organization()
    call.authenticated()
    if not call.administers(owner.login):
        raise forbidden(call.caller.kind, call.docs)
    return _create(call, owner)


def create_own_repo(call: Call) -> Answer:
    call.authenticated()
    account = call.caller.account
    owner = call.world.owner(account.name)
    if owner is None:
        owner = call.world.create_owner(account.name, "User", id=account.id)
    return _create(call, owner)


def create_issue(call: Call) -> Answer:
    repo, body = call.repo(), _body(call)
    call.authenticated()
    if repo.archived:
        raise Refusal(403, "Repository was archived so is read-only.", call.docs)
    if not body.get("title"):
        error = {"resource": "Issue", "code": "missing_field", "field": "title"}
        raise Refusal(422, "Validation Failed", call.docs, errors=[error])
    order = {"full_name": repo.full_name, "sender": call.sender, "title": body["title"]}
    call.github.changes.issue(order | {"body": body.get("body") or ""})
    one = call.parts(repo).issues[0]
    return Answer(shapes.issue(call.site, repo, one), 201)


def update_issue(call: Call) -> Answer:
    """Title, body, and closing or reopening."""
    repo, body = call.writable(), _body(call)
    number = call.params["number"]
    if not any(str(one.number) == number for one in call.parts(repo).issues):
        raise call.not_found()
    values = {name: body[name] for name in ("title", "body", "state") if name in body}
    order = {"full_name": repo.full_name, "sender": call.sender, "number": int(number)}
    call.github.changes.edit_issue(order | values)
    return activity.issue(call)


def create_release(call: Call) -> Answer:
    repo, body = call.writable(), _body(call)
    tag = body.get("tag_name")
    if not tag:
        error = {"resource": "Release", "code": "missing_field", "field": "tag_name"}
        raise Refusal(422, "Validation Failed", call.docs, errors=[error])
    known = ("name", "body", "prerelease", "draft")
    order: dict[str, Any] = {name: body[name] for name in known if name in body}
    order |= {"full_name": repo.full_name, "tag": tag, "sender": call.sender}
    call.github.changes.release(order)
    return Answer(release_shape(call.site, repo, call.parts(repo).releases[0]), 201)


def transfer(call: Call) -> Answer:
    """202: GitHub goes on behind the scenes; here it is done at once."""
    repo, body = _administered(call), _body(call)
    try:
        order = {"full_name": repo.full_name, "owner": body.get("new_owner", "")}
        call.github.changes.transfer(order | {"sender": call.sender})
    except (Unknown, ValueError):
        raise Refusal(422, "Validation Failed", call.docs) from None
    return Answer(minimal_repo(call.site, repo, call.owner_of(repo)), 202)


def _star(call: Call, by: int) -> Answer:
    call.authenticated()
    repo = call.repo()
    pair = (call.sender, repo.id)
    if (pair in call.github.starred) != (by > 0):
        call.github.starred ^= {pair}
        call.github.changes.star({"full_name": repo.full_name, "by": by, "sender": call.sender})
    return Answer(status=204)


def star(call: Call) -> Answer:
    """Starring twice is one star."""
    return _star(call, 1)


def unstar(call: Call) -> Answer:
    return _star(call, -1)


def is_starred(call: Call) -> Answer:
    call.authenticated()
    if (call.sender, call.repo().id) not in call.github.starred:
        raise call.not_found()
    return Answer(status=204)
