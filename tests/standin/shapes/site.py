"""Where URLs inside bodies point to: the API root is the stand-in's own, html is github.com."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
HTML = "https://github.com"


@dataclass(frozen=True, slots=True)
class Site:
    """`api` has no trailing slash."""

    api: str

    @property
    def graphql_path(self) -> str:
        """GHES: strip /v3, append /graphql; github.com: append it."""
        return urlsplit(self.api).path.removesuffix("/v3") + "/graphql"


def node_id(kind: str, number: int) -> str:
    """A global node id in the newer form: a type prefix and an opaque tail."""
    return f"{kind}_{base64.urlsafe_b64encode(b'fake:%d' % number).decode().rstrip('=')}"
