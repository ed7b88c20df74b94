"""Well-known test accounts and their FAKE tokens. None of these was ever a real secret.

Limits belong to an account and are shared by all of its tokens, as on GitHub. What a private
repository's access is stands on the account too: two tokens of one account see the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["classic", "fine_grained", "installation"]

SERVICE_TOKEN = "ghp_" + "FakeStandInService".ljust(36, "0")
SERVICE_TOKEN_2 = "ghp_" + "FakeStandInServiceSecond".ljust(36, "0")
ALICE_TOKEN = "ghp_" + "FakeStandInAlice".ljust(36, "0")
BOB_TOKEN = "ghp_" + "FakeStandInBob".ljust(36, "0")
PUBLIC_TOKEN = "ghp_" + "FakeStandInPublic".ljust(36, "0")
FINE_GRAINED_TOKEN = "github_pat_" + "FakeStandInCarol".ljust(22, "0") + "_" + "F" * 59

CLASSIC_SCOPES = ("admin:org_hook", "read:org", "repo", "user")


@dataclass(slots=True)
class Account:
    """Who asks. `sees` holds lower-case full names of private repositories, or `owner/*`."""

    name: str
    id: int
    kind: Literal["user", "installation", "anonymous"] = "user"
    sees: set[str] = field(default_factory=set)
    member_of: set[str] = field(default_factory=set)
    admin_of: set[str] = field(default_factory=set)
    core_limit: int = 5000
    installation: int | None = None

    def may_see(self, owner: str, full_name: str) -> bool:
        """Whether a private repository is visible; both names in lower case."""
        return full_name in self.sees or f"{owner}/*" in self.sees or "*" in self.sees


@dataclass(slots=True)
class Token:
    """One credential of an account; `name` stands for it wherever it would be shown."""

    name: str
    value: str
    account: str
    kind: Kind = "classic"
    scopes: tuple[str, ...] = CLASSIC_SCOPES
    expires_at: float | None = None
    revoked: bool = False


def well_known_accounts() -> list[Account]:
    """Fresh copies: tests grant and revoke on them."""
    return [
        Account(
            "forewarm-bot",
            9_000_001,
            sees={"initech/payroll", "initech/shared", "initech/tps-reports", "pallets/*", "psf/*"},
            member_of={"initech", "pallets", "psf"},
            admin_of={"initech", "pallets", "psf"},
        ),
        Account(
            "alice",
            9_000_002,
            sees={"initech/alice-only", "initech/shared"},
            member_of={"initech", "pallets"},
        ),
        Account(
            "bob",
            9_000_003,
            sees={"initech/bob-only", "initech/shared"},
            member_of={"initech"},
        ),
        Account("carol", 9_000_004, sees={"initech/shared"}, member_of={"initech"}),
        Account("passer-by", 9_000_005),
    ]


def well_known_tokens() -> list[Token]:
    """The tokens above by the names that the control API and the request log use."""
    return [
        Token("service", SERVICE_TOKEN, "forewarm-bot"),
        Token("service-2", SERVICE_TOKEN_2, "forewarm-bot"),
        Token("alice", ALICE_TOKEN, "alice"),
        Token("bob", BOB_TOKEN, "bob"),
        Token("public", PUBLIC_TOKEN, "passer-by", scopes=("public_repo",)),
        Token("fine-grained", FINE_GRAINED_TOKEN, "carol", "fine_grained", scopes=()),
    ]
