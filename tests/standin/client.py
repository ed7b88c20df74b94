"""A plain HTTP client for these tests: any token, no redirects followed, nothing cached."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import requests

from tests.standin.accounts import SERVICE_TOKEN

AGENT = "stand-in tests"


class Client:
    """`token=None` asks anonymously."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = SERVICE_TOKEN,
        json: Any = None,
        timeout: float = 10,
        **headers: str,
    ) -> requests.Response:
        """One request; header names are given with underscores."""
        sent = {"User-Agent": AGENT}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self._session.request(
            method,
            path if path.startswith("http") else self._url + path,
            headers=sent,
            json=json,
            timeout=timeout,
            allow_redirects=False,
        )

    def get(
        self, path: str, *, token: str | None = SERVICE_TOKEN, **more: Any
    ) -> requests.Response:
        return self.ask("GET", path, token=token, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()
