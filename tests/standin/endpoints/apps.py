"""What an App may ask with its JWT, and what its installations' tokens may."""

from __future__ import annotations

from tests.standin.apps import APP_ID, APP_SLUG, EVENTS, PERMISSIONS, Installation
from tests.standin.call import Answer, Call
from tests.standin.clock import iso
from tests.standin.generator import EPOCH, YEAR
from tests.standin.landmarks import PRIVATE_ORG
from tests.standin.model import Owner, Repo
from tests.standin.paging import integer
from tests.standin.shapes.errors import Refusal, forbidden
from tests.standin.shapes.owners import simple_owner
from tests.standin.shapes.repos import READER_PERMISSIONS, minimal_repo
from tests.standin.shapes.site import HTML, Json, node_id
from tests.standin.webhooks import item


def _as_app(call: Call) -> None:
    if call.caller.app_id is None:
        raise Refusal(401, "A JSON web token could not be decoded", call.docs)


def _shape(call: Call, one: Installation) -> Json:
    owner = call.world.owner(one.owner)
    if owner is None:
        raise call.not_found()
    url = f"{call.site.api}/app/installations/{one.id}"
    kind = "organizations" if owner.kind == "Organization" else "settings"
    return {
        "id": one.id,
        "client_id": "Iv1.fake0standin0app",
        "account": simple_owner(call.site, owner),
        "repository_selection": one.selection,
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{call.site.api}/installation/repositories",
        "html_url": f"{HTML}/{kind}/{owner.login}/settings/installations/{one.id}",
        "app_id": APP_ID,
        "app_slug": APP_SLUG,
        "target_id": owner.id,
        "target_type": owner.kind,
        "permissions": one.permissions,
        "events": list(EVENTS),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": None if one.suspended_at is None else iso(one.suspended_at),
    }


def app(call: Call) -> Answer:
    _as_app(call)
    owner = call.owner(PRIVATE_ORG)
    return Answer(
        {
            "id": APP_ID,
            "slug": APP_SLUG,
            "node_id": node_id("A", APP_ID),
            "client_id": "Iv1.fake0standin0app",
            "owner": simple_owner(call.site, owner),
            "name": "Forewarm test App",
            "description": "Fake",
            "external_url": "https://forewarm.example",
            "html_url": f"{HTML}/apps/{APP_SLUG}",
            "created_at": iso(EPOCH - YEAR),
            "updated_at": iso(EPOCH - YEAR),
            "permissions": PERMISSIONS,
            "events": list(EVENTS),
            "installations_count": len(call.github.apps.installations),
        }
    )


def installations(call: Call) -> Answer:
    _as_app(call)
    found = list(call.github.apps.installations.values())
    return call.page(found, "/app/installations", lambda one: _shape(call, one))


def _named(call: Call) -> Installation:
    found = call.github.apps.installations.get(integer(call.params["installation"], 0))
    if found is None:
        raise call.not_found()
    return found


def installation(call: Call) -> Answer:
    """By id, or by the owner or repository that it is on."""
    _as_app(call)
    params = call.params
    if "installation" in params:
        return Answer(_shape(call, _named(call)))
    login = params.get("org") or params.get("user")
    if login is None:
        repo = call.world.find(params["owner"], params["repo"])
        login = repo.owner if isinstance(repo, Repo) else None
    found = call.github.apps.of_owner(login) if login else None
    if found is None:
        raise call.not_found()
    return Answer(_shape(call, found))


def create_token(call: Call) -> Answer:
    """201 with a token; 404 where uninstalled, 403 where suspended."""
    _as_app(call)
    found, body = _named(call), call.json()
    if found.suspended_at is not None:
        raise Refusal(403, "This installation has been suspended", call.docs)
    repos = _chosen(call, found, body.get("repositories"))
    names = None if repos is None else tuple(sorted(r.full_name.lower() for r in repos))
    token = call.github.apps.mint(found, call.github.credentials, names)
    assert token.expires_at is not None
    answer: Json = {
        "token": token.value,
        "expires_at": iso(token.expires_at),
        "permissions": body.get("permissions", found.permissions),
        "repository_selection": found.selection if repos is None else "selected",
    }
    if repos is not None:
        answer["repositories"] = [_repo(call, repo) for repo in repos]
    return Answer(answer, 201)


def _chosen(call: Call, one: Installation, names: list[str] | None) -> list[Repo] | None:
    """The repositories that a token is to be limited to; 422 where one isn't there."""
    if names is None:
        return None
    by_name = {repo.name.lower(): repo for repo in call.world.repos_of(one.owner)}
    try:
        return [by_name[str(name).lower()] for name in names]
    except (KeyError, TypeError):
        message = "There is at least one repository that does not exist or is not accessible"
        raise Refusal(422, message, call.docs) from None


def _repo(call: Call, repo: Repo) -> Json:
    return minimal_repo(call.site, repo, call.owner_of(repo), dict(READER_PERMISSIONS))


def revoke_token(call: Call) -> Answer:
    if call.caller.kind != "installation" or call.caller.token is None:
        raise forbidden(call.caller.kind, call.docs)
    call.github.credentials.remove(call.caller.token.name)
    return Answer(status=204)


def installation_repos(call: Call) -> Answer:
    """A wrapped collection of what this installation token may see."""
    account = call.caller.account
    if call.caller.kind != "installation":
        message = "You must authenticate with an installation access token in order to list "
        raise Refusal(403, f"{message}repositories for an installation.", call.docs)
    owner = call.github.apps.installations[account.installation or 0].owner
    repos = [
        repo
        for repo in call.world.repos_of(owner)
        if account.may_see(owner, repo.full_name.lower())
    ]
    answer = call.page(repos, "/installation/repositories", lambda repo: _repo(call, repo))
    answer.data = {
        "total_count": len(repos),
        "repository_selection": "all" if f"{owner}/*" in account.sees else "selected",
        "repositories": answer.data,
    }
    return answer


def deliveries(call: Call) -> Answer:
    """Newest first. The real one pages by cursor; `per_page` is all that is needed here."""
    _as_app(call)
    found = list(call.github.webhooks.deliveries)[::-1]
    answer = call.page(found, "/app/hook/deliveries", lambda one: item(one, iso(one.at)))
    answer.volatile = True
    return answer


def redeliver(call: Call) -> Answer:
    _as_app(call)
    if not call.github.webhooks.redeliver(integer(call.params["delivery"], 0)):
        raise call.not_found()
    return Answer({}, 202)


def org_hooks(call: Call) -> Answer:
    """For administrators only; others are told nothing, fine-grained tokens that they may not."""
    owner = _administered(call)
    url = f"{call.site.api}/orgs/{owner.login}/hooks"
    rows = [
        {
            "type": "Organization",
            "id": hook.id,
            "url": f"{url}/{hook.id}",
            "ping_url": f"{url}/{hook.id}/pings",
            "deliveries_url": f"{url}/{hook.id}/deliveries",
            "name": "web",
            "events": list(hook.events),
            "active": hook.active,
            "config": {
                "url": hook.url,
                "content_type": "form" if hook.form else "json",
                "insecure_ssl": "0",
                "secret": "********",
            },
            "updated_at": iso(EPOCH),
            "created_at": iso(EPOCH),
        }
        for hook in call.github.webhooks.hooks.values()
    ]
    return Answer(rows, volatile=True)


def _administered(call: Call) -> Owner:
    owner = call.organization()
    if call.caller.kind in ("fine_grained", "installation"):
        raise forbidden(call.caller.kind, call.docs)
    if not call.administers(owner.login):
        raise call.not_found()
    return owner


def hook_deliveries(call: Call) -> Answer:
    """As `deliveries`, of one hook."""
    owner = _administered(call)
    hook = integer(call.params["hook"], 0)
    if hook not in call.github.webhooks.hooks:
        raise call.not_found()
    found = [one for one in list(call.github.webhooks.deliveries)[::-1] if one.hook_id == hook]
    path = f"/organizations/{owner.id}/hooks/{hook}/deliveries"
    answer = call.page(found, path, lambda one: item(one, iso(one.at)))
    answer.volatile = True
    return answer


def hook_redeliver(call: Call) -> Answer:
    _administered(call)
    if not call.github.webhooks.redeliver(integer(call.params["delivery"], 0)):
        raise call.not_found()
    return Answer({}, 202)
