"""What every answer tells a browser, as data: nothing of ours runs, is framed or is read elsewhere.

    any answer           nosniff and transport(); a hit before Flask has them too (hitpath.py)
    any but the mirror's ELSEWHERE; kept by nobody, unless it says how long
    the mirror's own     no page of ours: what isn't JSON may do nothing in our origin
    a page               PAGE; the dashboard's own may run /static's script

GitHub's own rendered pages that pass through the mirror are pages of nobody's: they are a page's
worth of what strangers wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Flask, Response, request

from webapp.cache.reply import BODYLESS
from webapp.hitpath import PREFIX
from webapp.settings import Settings

ANY: Mapping[str, str] = {"X-Content-Type-Options": "nosniff"}
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ELSEWHERE: Mapping[str, str] = {
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PAGE: Mapping[str, str] = {
    **ELSEWHERE,
    "Content-Security-Policy": _PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
}
DASHBOARD_POLICY = f"{_PAGE_POLICY}; script-src 'self'; connect-src 'self'"
HSTS = {"Strict-Transport-Security": "max-age=31536000"}
KEPT_BY_NOBODY = "no-store"


def install(app: Flask, settings: Settings) -> None:
    """Put them on whatever leaves the application."""
    everywhere = {**ANY, **transport(settings.public_url or "")}

    def protected(response: Response) -> Response:
        mirrored = request.path.startswith((f"{PREFIX}/", "/api/graphql")) or request.path == PREFIX
        is_json = (response.mimetype or "").endswith("json")
        response.headers.update(everywhere)
        if response.mimetype == "text/html":
            response.headers.update(PAGE)
            if request.blueprint == "dashboard":
                response.headers["Content-Security-Policy"] = DASHBOARD_POLICY
        elif not mirrored:
            response.headers.update(ELSEWHERE)
        elif not is_json and response.status_code not in BODYLESS:  # a 304 stands for what is held
            response.headers["Content-Security-Policy"] = f"{NOTHING}; sandbox"
        if not mirrored:
            response.headers.setdefault("Cache-Control", KEPT_BY_NOBODY)
        return response

    app.after_request(protected)


def transport(public_url: str) -> Mapping[str, str]:
    """HTTPS from now on, where the whole host name is ours: a browser heeds it for every port."""
    parts = urlsplit(public_url)
    return HSTS if parts.scheme == "https" and parts.port in {None, 443} else {}
