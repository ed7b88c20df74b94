"""PUBLIC_URL: whether this service answers there, under the name that links in answers carry.

Never a FAIL: the service may not run yet, or its own address may lead out and not back in.
"""

from __future__ import annotations

import requests
from requests.exceptions import RequestException, SSLError

from webapp.doctor.finding import Finding, ok, warn
from webapp.settings import Settings

TIMEOUT = 3.0  # seconds to connect, and again for each answer
NAME = "PUBLIC_URL"
WRONG_HOST = 400  # what the guard answers to a Host that isn't ours


def check(settings: Settings) -> list[Finding]:
    """Ask /healthz, which takes any Host, then the first page, which takes ours alone."""
    url = settings.public_url
    if url is None:
        return [ok(NAME, "not set: links point to the loopback address that a client asked")]
    try:
        alive, page = _status(f"{url}/healthz"), _status(f"{url}/")
    except SSLError:
        return [warn(NAME, f"{url} has a certificate that isn't trusted here", "renew it")]
    except RequestException as error:
        return [
            warn(
                NAME,
                f"{url} can't be reached from here: {type(error).__name__}",
                "start the service; see DNS and the proxy in front of it",
            )
        ]
    return [judge(url, alive, page)]


def judge(url: str, alive: int, page: int) -> Finding:
    """Pure; both are HTTP statuses."""
    if alive != requests.codes.ok:
        return warn(
            NAME,
            f"{url}/healthz answers {alive}: something else is there",
            "set PUBLIC_URL to where clients find this service, or see the proxy in front of it",
        )
    if page == WRONG_HOST:
        return warn(
            NAME,
            f"{url} leads here, under another Host: clients are refused",
            "let the proxy pass the Host on, or set TRUSTED_PROXIES to how many there are",
        )
    return ok(NAME, f"this service answers at {url}")


def _status(url: str) -> int:
    response = requests.get(url, timeout=TIMEOUT, allow_redirects=False, stream=True)
    response.close()
    return response.status_code
