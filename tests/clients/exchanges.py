"""What a real client asked and got, so that a test can say: all of it stayed inside the mirror."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.serving import Server
from tests.standin.process import StandIn
from webapp.github.session import USER_AGENT


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it went on the wire, and its answer; header names in lower case."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def outcome(self) -> str:
        """X-Cache."""
        return self.headers.get("x-cache", "")


class Exchanges(list[Exchange]):
    """In the order in which they were asked."""

    @property
    def outcomes(self) -> list[str]:
        """X-Cache of each."""
        return [each.outcome for each in self]

    def below(self, prefix: str) -> Exchanges:
        """Those whose URL starts so."""
        return Exchanges(each for each in self if each.url.startswith(prefix))

    def assert_inside(self, server: Server, github: StandIn) -> None:
        """Every URL is the mirror's, no answer names GitHub's API, GitHub met Forewarm only."""
        assert self, "nothing was asked"
        assert [each.url for each in self if not _is_below(each.url, server.api)] == []
        assert [each.url for each in self if github.url in each.body] == []
        assert [each.url for each in self if _mentions(each.headers.values(), github.url)] == []
        assert {seen.headers.get("user-agent") for seen in github.requests()} <= {USER_AGENT}


def _is_below(url: str, base: str) -> bool:
    return url == base or url.startswith((f"{base}/", f"{base}?"))


def _mentions(values: Iterable[str], text: str) -> bool:
    return any(text in value for value in values)
