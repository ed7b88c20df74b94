"""What a webhook was sent, as its sender's side tells it: rows read, and who may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from webapp.errors import GitHubUnavailable


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """One sending of one event, again or for the first time; `guid` is what all sendings of an
    event share, `at` Unix seconds."""

    id: int
    guid: str
    at: float
    arrived: bool


class Sender(Protocol):
    """A webhook, as its sender's side knows it. Both raise CredentialRefused, GitHubUnavailable and
    OutOfBudget."""

    def deliveries(self, page: str = "") -> tuple[list[HookDelivery], str]:
        """A page of what was sent, the last first, and the next page's name, '' for none."""

    def redeliver(self, delivery: int) -> bool:
        """Have one sent again; False where GitHub doesn't know it (any more)."""


def read(rows: list[dict[str, Any]]) -> list[HookDelivery]:
    """GitHub's rows of deliveries. Raises GitHubUnavailable for what is none."""
    try:
        return [
            HookDelivery(
                id=int(row["id"]),
                guid=str(row["guid"]),
                at=datetime.fromisoformat(row["delivered_at"]).timestamp(),
                arrived=row["status"] == "OK" or 200 <= int(row["status_code"] or 0) < 300,
            )
            for row in rows
        ]
    except (KeyError, TypeError, ValueError):
        raise GitHubUnavailable("GitHub told a delivery that can't be read", 200) from None
