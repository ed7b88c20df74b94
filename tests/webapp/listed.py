"""An owner's repositories as the stand-in lists them to the service, without a trace in its log."""

from __future__ import annotations

import requests

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn


def names_of(github: StandIn, owner: str) -> list[str]:
    """`owner/name` of each, by name."""
    names: list[str] = []
    headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
    url = f"{github.url}/orgs/{owner}/repos?per_page=100&sort=full_name"
    while url:
        answer = requests.get(url, headers=headers, timeout=10)
        names += [row["full_name"] for row in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
    github.forget()
    return names
