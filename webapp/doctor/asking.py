"""Questions to GitHub for a check: few, each with a short deadline, none cached or archived."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from requests.structures import CaseInsensitiveDict

from webapp.errors import GitHubUnavailable
from webapp.github.session import USER_AGENT, Ask, PlainSession, environment, is_whole
from webapp.secret import Secret

DEADLINE = 4.0  # seconds an answer


@dataclass(frozen=True, slots=True)
class Said:
    """GitHub's answer; `body` is None where it isn't JSON of a sensible size."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: Any
    began: float  # Unix seconds
    seconds: float

    @property
    def next_path(self) -> str:
        """Path and query of the next page; "" on the last."""
        for part in self.headers.get("Link", "").split(","):
            url, _, relation = part.partition(";")
            if 'rel="next"' in relation:
                parts = urlsplit(url.strip(" <>"))
                return f"{parts.path}?{parts.query}"
        return ""


def ask(api_url: str, path: str, token: Secret | None = None) -> Said:
    """GET `path` below GITHUB_API_URL. Raises GitHubUnavailable, whose text holds no URL."""
    request = Ask()
    request.prepare_method("GET")
    request.prepare_url(api_url + path, None)
    request.headers = CaseInsensitiveDict(
        {"User-Agent": USER_AGENT, "Accept": "application/vnd.github+json"}
    )
    if token is not None:
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
    began, clock = time.time(), time.perf_counter()
    request.deadline = time.monotonic() + DEADLINE
    with PlainSession() as session:
        response = session.send(request, **environment(session, api_url))
        seconds = time.perf_counter() - clock
        body = orjson.loads(response.content) if _holds_json(response) else None
        response.close()
    return Said(response.status_code, response.headers, body, began, seconds)


def pages(api_url: str, path: str, token: Secret, most: int) -> tuple[list[Any], bool] | None:
    """All items of a list of up to `most` pages, and whether that was all; None if refused."""
    items: list[Any] = []
    root = urlsplit(api_url).path
    for _ in range(most):
        said = ask(api_url, path, token)
        if said.status != 200 or not isinstance(said.body, list):
            return None
        items += said.body
        path = said.next_path.removeprefix(root)
        if not path:
            return items, True
    return items, False


def why(error: GitHubUnavailable) -> str:
    """For a finding: the error's own words, without the part that every one of them has."""
    return str(error).removeprefix("GitHub can't be reached: ")


def _holds_json(response: Any) -> bool:
    return is_whole(response) and bool(response.content)
