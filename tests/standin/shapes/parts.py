"""What hangs below a repository: contributors, tags, branches, releases, licence, files, topics."""

from __future__ import annotations

import base64

from tests.standin.clock import iso
from tests.standin.generator import sha
from tests.standin.model import Contributor, Release, Repo
from tests.standin.parts import person_id
from tests.standin.shapes.owners import simple_user
from tests.standin.shapes.repos import LICENSES, license_simple
from tests.standin.shapes.site import HTML, Json, Site, node_id


def repo_url(site: Site, repo: Repo) -> str:
    return f"{site.api}/repos/{repo.full_name}"


def contributor(site: Site, one: Contributor) -> Json:
    return simple_user(site, one.login, one.id) | {"contributions": one.contributions}


def tag(site: Site, repo: Repo, name: str, commit: str) -> Json:
    url = repo_url(site, repo)
    return {
        "name": name,
        "zipball_url": f"{url}/zipball/refs/tags/{name}",
        "tarball_url": f"{url}/tarball/refs/tags/{name}",
        "commit": {"sha": commit, "url": f"{url}/commits/{commit}"},
        "node_id": node_id("REF", int(commit[:8], 16)),
    }


def branch(site: Site, repo: Repo, name: str, commit: str) -> Json:
    return {
        "name": name,
        "commit": {"sha": commit, "url": f"{repo_url(site, repo)}/commits/{commit}"},
        "protected": name == repo.default_branch,
    }


def release(site: Site, repo: Repo, one: Release) -> Json:
    url = repo_url(site, repo)
    html = f"{HTML}/{repo.full_name}/releases"
    own = f"{url}/releases/{one.id}"
    return {
        "url": own,
        "assets_url": f"{own}/assets",
        "upload_url": (
            f"https://uploads.github.com/repos/{repo.full_name}/releases/{one.id}"
            "/assets{?name,label}"
        ),
        "html_url": f"{html}/tag/{one.tag}",
        "id": one.id,
        "author": simple_user(site, one.author, person_id(one.author)),
        "node_id": node_id("RE", one.id),
        "tag_name": one.tag,
        "target_commitish": repo.default_branch,
        "name": one.name,
        "draft": one.draft,
        "immutable": False,
        "prerelease": one.prerelease,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.published_at),
        "published_at": None if one.draft else iso(one.published_at),
        "assets": [_asset(site, repo, one, place) for place in range(one.assets)],
        "tarball_url": f"{url}/tarball/{one.tag}",
        "zipball_url": f"{url}/zipball/{one.tag}",
        "body": one.body,
    }


def _asset(site: Site, repo: Repo, one: Release, place: int) -> Json:
    name = f"{repo.name}-{one.tag}" + (".tar.gz", ".whl")[place % 2]
    asset_id = one.id * 10 + place
    return {
        "url": f"{repo_url(site, repo)}/releases/assets/{asset_id}",
        "id": asset_id,
        "node_id": node_id("RA", asset_id),
        "name": name,
        "label": "",
        "uploader": simple_user(site, one.author, person_id(one.author)),
        "content_type": "application/octet-stream",
        "state": "uploaded",
        "size": 4096 + asset_id % 900_000,
        "digest": f"sha256:{sha(asset_id)}{sha(asset_id, 2)[:24]}",
        "download_count": asset_id % 7_000,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "browser_download_url": f"{HTML}/{repo.full_name}/releases/download/{one.tag}/{name}",
    }


def file(site: Site, repo: Repo, path: str, text: str) -> Json:
    """A file's content, as /contents and /readme give it."""
    ref = repo.default_branch
    raw = text.encode()
    url = f"{repo_url(site, repo)}/contents/{path}?ref={ref}"
    git = f"{repo_url(site, repo)}/git/blobs/{sha(repo.id, path)}"
    html = f"{HTML}/{repo.full_name}/blob/{ref}/{path}"
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha(repo.id, path),
        "size": len(raw),
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": f"https://raw.githubusercontent.com/{repo.full_name}/{ref}/{path}",
        "type": "file",
        "content": base64.encodebytes(raw).decode(),
        "encoding": "base64",
        "_links": {"self": url, "git": git, "html": html},
    }


def license_file(site: Site, repo: Repo) -> Json:
    key = repo.license or "other"
    text = f"{LICENSES[key][1]}\n\nCopyright the authors of {repo.name}.\n"
    return file(site, repo, "LICENSE", text) | {"license": license_simple(site, key)}
