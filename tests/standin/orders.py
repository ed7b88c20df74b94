"""The control API's orders as typed methods, for any running stand-in.

`process.StandIn` is one that was started here; `Orders(url)` speaks to one that runs already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests


class StandInError(RuntimeError):
    """The stand-in did not start, or refused an order."""


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request that reached the stand-in. `token` is a name; `at` seconds since the epoch."""

    seq: int
    at: float
    method: str
    target: str
    path: str
    token: str
    account: str
    resource: str
    status: int
    points: int
    conditional: bool
    faults: list[str]
    headers: dict[str, str]


class Orders:
    """Orders to the stand-in whose API root is `url`: what GITHUB_API_URL wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._control = "/".join(url.split("/", 3)[:3]) + "/_control"
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Give up the connection; the stand-in runs on."""
        self._session.close()

    def order(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Any order of the control API; StandInError with its reason where it is refused."""
        answer = self._session.request(method, self._control + path, json=body, timeout=30)
        if answer.status_code != 200:
            raise StandInError(f"{method} {path}: {answer.json().get('error', answer.text)}")
        return answer.json()

    # What was asked

    def reset(self) -> None:
        """Back to the seed: data, tokens, limits, faults, switches, hooks, clock, request log."""
        self.order("POST", "/reset")

    def forget(self) -> None:
        """Clear the request log."""
        self.order("DELETE", "/requests")

    def _shown(self, path_prefix: str | None, since: int, limit: int) -> dict[str, Any]:
        query = f"?since={since}&limit={limit}"
        if path_prefix is not None:
            query += f"&path_prefix={quote(path_prefix, safe='/')}"
        shown: dict[str, Any] = self.order("GET", f"/requests{query}")
        return shown

    def requests(self, path_prefix: str | None = None, since: int = 0) -> list[SeenRequest]:
        """The requests since the log was cleared (or after number `since`), oldest first."""
        shown = self._shown(path_prefix, since, 1_000_000)
        return [SeenRequest(**row) for row in shown["requests"]]

    def count(self, path_prefix: str | None = None) -> int:
        """How many requests, under a prefix of path and query."""
        shown = self._shown(path_prefix, 0, 0)
        return int(shown["count" if path_prefix is None else "matching"])

    def points(self) -> int:
        """Points of the primary limits spent since the log was cleared."""
        return int(self._shown(None, 0, 0)["points"])

    def totals(self) -> dict[str, dict[str, int]]:
        """Counts by `path`, `token`, `status`; `points_by_token`."""
        totals: dict[str, dict[str, int]] = self._shown(None, 0, 0)["totals"]
        return totals

    # Data

    def create_repo(self, full_name: str, **fields: Any) -> int:
        """A new repository; its id."""
        made = self.order("POST", "/repos", {"full_name": full_name, **fields})
        return int(made["id"])

    def change_repo(self, full_name: str, **fields: Any) -> None:
        """Set fields (names of model.Repo or of GitHub's JSON); `webhook=False`: silently."""
        self.order("PATCH", "/repos", {"full_name": full_name, **fields})

    def delete_repo(self, full_name: str) -> None:
        self.order("DELETE", "/repos", {"full_name": full_name})

    def rename_repo(self, full_name: str, name: str) -> None:
        """`name` without owner; the old name redirects from now on."""
        self.order("POST", "/repos/rename", {"full_name": full_name, "name": name})

    def transfer_repo(self, full_name: str, owner: str) -> None:
        self.order("POST", "/repos/transfer", {"full_name": full_name, "owner": owner})

    def push(self, full_name: str) -> None:
        """A commit on the default branch."""
        self.order("POST", "/repos/push", {"full_name": full_name})

    def star(self, full_name: str, by: int = 1) -> None:
        self.order("POST", "/repos/star", {"full_name": full_name, "by": by})

    def release(self, full_name: str, tag: str, **fields: Any) -> int:
        """Publish a release; its id."""
        made = self.order("POST", "/repos/release", {"full_name": full_name, "tag": tag, **fields})
        return int(made["release_id"])

    def open_issue(self, full_name: str, *, pull: bool = False, title: str = "Odd") -> int:
        """Open an issue or a pull request; its number."""
        body = {"full_name": full_name, "pull": pull, "title": title}
        return int(self.order("POST", "/repos/issue", body)["number"])

    def create_org(self, login: str, repos: int = 0, **fields: Any) -> None:
        self.order("POST", "/orgs", {"login": login, "repos": repos, **fields})

    def change_org(self, login: str, **fields: Any) -> None:
        self.order("PATCH", "/orgs", {"login": login, **fields})

    def add_repos(self, login: str, count: int) -> None:
        """Many generated public repositories at once, without webhooks."""
        self.order("POST", "/orgs/repos", {"login": login, "count": count})

    # Tokens

    def add_token(self, name: str, **fields: Any) -> str:
        """A token, its account made where new: token, account, kind, scopes, sees, member_of,
        admin_of, expires_in (seconds). Returns the token.
        """
        return str(self.order("POST", "/tokens", {"name": name, **fields})["token"])

    def remove_token(self, name: str) -> None:
        """The token becomes Bad credentials."""
        self.order("DELETE", "/tokens", {"name": name})

    def grant(self, token_name: str, full_name: str) -> None:
        """Let the token's account see a private repository (`owner/*`: all of an owner's)."""
        self.order("POST", "/grant", {"token_name": token_name, "full_name": full_name})

    def revoke(self, token_name: str, full_name: str) -> None:
        self.order("POST", "/revoke", {"token_name": token_name, "full_name": full_name})

    # Webhooks and the App

    def hook(self, url: str, secret: str | None = None, **fields: Any) -> int:
        """Send every change to a URL: events, late_ms, twice, lose, shuffle, wrong_signature,
        form, ping (webhooks.Hook). Returns the hook's id.
        """
        return int(self.order("POST", "/hooks", {"url": url, "secret": secret, **fields})["id"])

    def change_hook(self, hook: int, **fields: Any) -> None:
        self.order("PATCH", "/hooks", {"id": hook, **fields})

    def send_event(self, event: str, payload: Mapping[str, Any]) -> list[str]:
        """Any event with any body to the hooks, signed. Returns the delivery ids (GUIDs)."""
        sent = self.order("POST", "/hooks/send", {"event": event, "payload": payload})
        return [str(guid) for guid in sent["delivered"]]

    def flush_hooks(self) -> None:
        """Send what `shuffle` still holds back."""
        self.order("POST", "/hooks/flush")

    def deliveries(self) -> list[dict[str, Any]]:
        """What was sent: id, guid, hook_id, event, action, status, status_code, redelivery, …"""
        rows: list[dict[str, Any]] = self.order("GET", "/deliveries")
        return rows

    def redeliver(self, delivery: int) -> None:
        self.order("POST", "/deliveries/redeliver", {"id": delivery})

    def app(self, public_key: str, token_form: str = "short") -> None:
        """The App's public key (PEM; its id is apps.APP_ID) and its tokens' form: short, long."""
        self.order("POST", "/app", {"public_key": public_key, "token_form": token_form})

    def install(self, owner: str, repos: list[str] | None = None) -> int:
        """Install the App on an owner: on all of its repositories, or on some (full names)."""
        body = {"owner": owner} | ({} if repos is None else {"repos": repos})
        return int(self.order("POST", "/installations", body)["id"])

    def suspend(self, installation: int, *, suspended: bool = True) -> None:
        self.order("PATCH", "/installations", {"id": installation, "suspended": suspended})

    def uninstall(self, installation: int) -> None:
        self.order("DELETE", "/installations", {"id": installation})

    # Behaviour

    def fault(self, kind: str, path: str = "*", **fields: Any) -> int:
        """Order a fault (kinds in faults.py): method, token, count, probability, status, body,
        delay_ms, retry_after. Returns its id.
        """
        return int(self.order("POST", "/faults", {"kind": kind, "path": path, **fields})["id"])

    def clear_faults(self) -> None:
        self.order("DELETE", "/faults")

    def latency(self, ms: float, path: str | None = None) -> None:
        """Wait before each answer, or before those whose path matches a glob."""
        self.order("POST", "/latency", {"ms": ms} | ({} if path is None else {"path": path}))

    def lag(self, ms: float) -> None:
        """Replica lag: so long after each change reads still give the old state."""
        self.order("POST", "/lag", {"ms": ms})

    def advance(self, seconds: float) -> None:
        """Move the stand-in's clock."""
        self.order("POST", "/clock", {"advance": seconds})

    def switch(self, **values: Any) -> None:
        """Set switches (switches.py): formula, etag_on_304, rate_headers, set_cookies."""
        self.order("POST", "/switches", values)

    def limits(self, **numbers: Any) -> None:
        """Set limits (limits.Numbers): primary, secondary, core, concurrency, status, …"""
        self.order("POST", "/limits", numbers)

    def use(self, account: str, used: int, resource: str = "core") -> None:
        """Set how many points of the running window an account has used."""
        self.order("POST", "/used", {"account": account, "used": used, "resource": resource})
