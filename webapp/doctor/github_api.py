"""GitHub's API root: reached, over TLS, in time, and with the same idea of what time it is."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from webapp.doctor.asking import Said, ask, why
from webapp.doctor.finding import Finding, fail, milliseconds, ok, present, warn
from webapp.errors import GitHubUnavailable
from webapp.hosts import is_loopback_host
from webapp.settings import Settings

SLOW = 1.0  # seconds
SKEW = 10.0  # seconds; reset times are GitHub's clock, and its Date has whole seconds only
SIGN = "X-GitHub-Request-Id"


def check(settings: Settings) -> list[Finding]:
    """Ask for the rate limit, which costs nothing, as nobody in particular."""
    try:
        said = ask(settings.github_api_url, "/rate_limit")
    except GitHubUnavailable as error:
        return [_unreached(settings, why(error)), _transport(settings)]
    return judge(said, settings)


def judge(said: Said, settings: Settings) -> list[Finding]:
    """Pure."""
    if said.body is None:
        return [
            fail(
                "API root",
                f"{settings.github_api_url} answers {said.status}, and not with JSON",
                "set GITHUB_API_URL to an API root: https://api.github.com, https://host/api/v3",
            ),
            _transport(settings),
        ]
    return present(_root(said, settings), _transport(settings), _clock(said))


def _unreached(settings: Settings, reason: str) -> Finding:
    cure = "see GITHUB_API_URL, the network, and HTTPS_PROXY if one is needed"
    if "SSL" in reason:
        cure = "set REQUESTS_CA_BUNDLE to the certificates that sign GITHUB_API_URL's"
    return fail("API root", f"{settings.github_api_url} can't be reached: {reason}", cure)


def _root(said: Said, settings: Settings) -> Finding:
    name, url = "API root", settings.github_api_url
    kind = "GitHub.com" if urlsplit(url).hostname == "api.github.com" else "a GitHub of your own"
    found = f"{url} ({'the stand-in' if settings.demo else kind}), {milliseconds(said.seconds)}"
    if SIGN not in said.headers:
        return warn(
            name,
            f"{found}: it doesn't sign its answers as GitHub does",
            "see that GITHUB_API_URL is an API root, and what stands between",
        )
    if said.seconds > SLOW:
        return warn(name, f"{found}: slow", "every miss waits this long; see the network between")
    return ok(name, found)


def _transport(settings: Settings) -> Finding:
    parts = urlsplit(settings.github_api_url)
    if parts.scheme == "https":
        return ok("TLS", "GITHUB_API_URL is https://")
    if is_loopback_host(parts.netloc):
        return ok("TLS", "none, and none needed: it is on this machine")
    return fail(
        "TLS",
        "GITHUB_API_URL is http://: tokens travel in the clear",
        "set GITHUB_API_URL to https://",
    )


def _clock(said: Said) -> Finding | None:
    try:
        theirs = parsedate_to_datetime(said.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return None
    ours = said.began + said.seconds / 2
    skew = ours - (theirs + 0.5)  # Date is cut to the second
    if abs(skew) <= SKEW:
        return ok("clock", "agrees with GitHub's")
    way = "ahead of" if skew > 0 else "behind"
    return warn(
        "clock",
        f"{abs(skew):.0f} s {way} GitHub's: limits are taken to reset at the wrong time",
        "keep this machine's time by NTP",
    )
