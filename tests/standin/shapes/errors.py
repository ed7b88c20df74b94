"""Bodies of refusals, word for word what clients match on."""

from __future__ import annotations

from tests.standin.shapes.site import Json

DOCS = "https://docs.github.com/rest"
LIMIT_DOCS = f"{DOCS}/using-the-rest-api/rate-limits-for-the-rest-api"


class Refusal(Exception):
    """An answer that is no success, raised by whatever finds out first."""

    def __init__(
        self,
        status: int,
        message: str,
        docs: str = DOCS,
        headers: dict[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body: Json = {"message": message, **more, "documentation_url": docs}
        if status not in (301, 302, 307):
            self.body["status"] = str(status)


def not_found(docs: str = DOCS) -> Refusal:
    return Refusal(404, "Not Found", docs)


def forbidden(token_kind: str, docs: str = DOCS) -> Refusal:
    """The third meaning of 403: this credential may not do that, ever."""
    what = "integration" if token_kind == "installation" else "personal access token"
    return Refusal(403, f"Resource not accessible by {what}", docs)


def moved(url: str, docs: str = DOCS) -> Refusal:
    refusal = Refusal(301, "Moved Permanently", docs, {"Location": url}, url=url)
    refusal.body = {"message": "Moved Permanently", "url": url, "documentation_url": docs}
    return refusal


def blocked(at: str) -> Refusal:
    reason = {"reason": "dmca", "created_at": at, "html_url": "https://github.com/github/dmca"}
    return Refusal(451, "Repository access blocked", DOCS, block=reason)
