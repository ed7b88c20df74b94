"""Hooks of an organisation or a repository: what they were sent, and having it sent again.

Only administrators may: a token that isn't one's gets 404 or 403 here. Nothing of it is archived.
A GitHub App asks as itself instead (app_api.py).
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from webapp.cache.keys import SERVICE, canonical_target
from webapp.errors import CredentialRefused, GitHubUnavailable, OutOfBudget
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.client import Client
from webapp.github.hook_deliveries import HookDelivery, read
from webapp.github.limits import Lane
from webapp.github.links import page_query

ASKER = Asker(SERVICE, lane=Lane.WEBHOOK, consumer="redelivery")
PAGE = "per_page=100"


class Hook:
    """An organisation's or a repository's: `/orgs/<org>/hooks/<id>`, `/repos/<full name>/…`."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path

    def deliveries(self, page: str = "") -> tuple[list[HookDelivery], str]:
        """See Sender."""
        answer = _ask(self._client, "GET", f"{self._path}/deliveries", page or PAGE)
        return read(_rows(answer)), page_query(answer.headers.get("Link", ""), "next")

    def redeliver(self, delivery: int) -> bool:
        """See Sender."""
        path = f"{self._path}/deliveries/{delivery}/attempts"
        try:
            return _ask(self._client, "POST", path).status == 202
        except CredentialRefused:
            return False


def hooks_to(client: Client, base: str, receiver: str) -> list[str]:
    """The paths of the hooks of `/orgs/<org>` or `/repos/<full name>` that send to a URL, [] also
    where we may not know. Raises GitHubUnavailable, OutOfBudget."""
    try:
        rows = _rows(_ask(client, "GET", f"{base}/hooks", PAGE))
    except CredentialRefused:
        return []
    return [
        f"{base}/hooks/{int(row['id'])}"
        for row in rows
        if str(row.get("config", {}).get("url", "")).rstrip("/") == receiver
    ]


def _ask(client: Client, method: str, path: str, query: str = "") -> Answer:
    answer = client.write(method, canonical_target(path, query, "", ""), ASKER, {}, b"")
    if answer.limited:
        raise OutOfBudget(time.time() + answer.retry_after, "limit")
    if 300 <= answer.status < 500:
        # Also one that moved, is too old to be sent again, or is no more: the others have theirs.
        answer.close()
        raise CredentialRefused("forbidden", f"GitHub answered {answer.status} to {path}")
    if answer.status >= 300:
        answer.close()
        raise GitHubUnavailable(f"GitHub answered {answer.status} to {path}", answer.status)
    return answer


def _rows(answer: Answer) -> list[dict[str, Any]]:
    try:
        rows = orjson.loads(answer.body or b"")
    except orjson.JSONDecodeError:
        rows = None
    answer.close()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise GitHubUnavailable("GitHub's list can't be read", answer.status)
    return rows
