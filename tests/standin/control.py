"""The control API, /_control/…: change data, order faults, read what was asked.

JSON in and out; only loopback peers; never counted, never faulted, never slowed. A wrong order gets
400 with its reason, so that a test with a typing error fails at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson

from tests.standin.accounts import CLASSIC_SCOPES, Account, Token
from tests.standin.faults import Fault
from tests.standin.github import GitHub
from tests.standin.integrations import Integrations
from tests.standin.message import Reply, Request
from tests.standin.switches import Switches
from tests.standin.world import Unknown

PREFIX = "/_control"
LOOPBACK = ("127.", "::1", "::ffff:127.")
Order = dict[str, Any]


class Control:
    """Carries out orders on one GitHub; `_orders` is the table of them."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._orders: dict[tuple[str, str], Callable[[Order], Any]] = {
            ("GET", ""): self._status,
            ("POST", "/reset"): self._reset,
            ("GET", "/requests"): self._requests,
            ("DELETE", "/requests"): self._forget,
            ("POST", "/faults"): self._add_fault,
            ("GET", "/faults"): lambda order: [asdict(f) for f in github.faults.standing],
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/latency"): self._latency,
            ("POST", "/clock"): self._clock,
            ("POST", "/switches"): self._switch,
            ("POST", "/limits"): self._limits,
            ("POST", "/used"): self._used,
            ("POST", "/lag"): self._lag,
            ("POST", "/tokens"): self._add_token,
            ("DELETE", "/tokens"): self._remove_token,
            ("POST", "/grant"): self._grant,
            ("POST", "/revoke"): self._revoke,
        }
        self._orders |= github.changes.orders | Integrations(github).orders

    def handle(self, request: Request) -> Reply:
        """One order."""
        if not request.peer.startswith(LOOPBACK):
            return _reply(403, {"error": "control is for loopback peers"})
        run = self._orders.get((request.method, request.path[len(PREFIX) :].rstrip("/")))
        if run is None:
            return _reply(404, {"error": f"no such order: {request.method} {request.path}"})
        try:
            order: Order = dict(request.query)
            if request.body:
                order |= orjson.loads(request.body)
            return _reply(200, run(order))
        except (Unknown, KeyError) as error:
            return _reply(400, {"error": f"unknown or missing: {error}"})
        except (ValueError, TypeError) as error:
            return _reply(400, {"error": str(error)})

    # Orders

    def _status(self, order: Order) -> Order:
        github = self._github
        return {
            "api": github.site.api,
            "size": asdict(github.world.size),
            "repos": github.world.repo_count,
            "owners": [owner.login for owner in github.world.owners()],
            "tokens": sorted(github.credentials.by_name),
            "limits": asdict(github.limits.numbers),
            "switches": asdict(github.switches),
            "orders": sorted(f"{method} {PREFIX}{path}" for method, path in self._orders),
        }

    def _reset(self, order: Order) -> None:
        self._github.reset()

    def _requests(self, order: Order) -> Order:
        since, limit = int(order.get("since", 0)), int(order.get("limit", 10_000))
        return self._github.log.shown(since, str(order.get("path_prefix", "")), limit)

    def _forget(self, order: Order) -> None:
        self._github.log.clear()

    def _add_fault(self, order: Order) -> Order:
        return asdict(self._github.faults.add(Fault.ordered(order)))

    def _clear_faults(self, order: Order) -> None:
        if "id" in order:
            self._github.faults.remove(int(order["id"]))
        else:
            self._github.faults.clear()

    def _latency(self, order: Order) -> None:
        switches, latency = self._github.switches, float(order["ms"])
        if "path" in order:
            switches.latency_by_path[order["path"]] = latency
        else:
            switches.latency_ms = latency
            switches.latency_by_path.clear()

    def _clock(self, order: Order) -> Order:
        clock = self._github.clock
        if "advance" in order:
            clock.offset += float(order["advance"])
        else:
            clock.offset = float(order["offset"])
        self._github.world.touch()
        return {"offset": clock.offset, "now": clock.now()}

    def _switch(self, order: Order) -> Order:
        switches = self._github.switches
        for name, value in order.items():
            if name not in Switches.__dataclass_fields__:
                raise ValueError(f"no such switch: {name}")
            setattr(switches, name, tuple(value) if isinstance(value, list) else value)
        return asdict(switches)

    def _limits(self, order: Order) -> Order:
        limits = self._github.limits
        limits.numbers = limits.numbers.changed(order)
        return asdict(limits.numbers)

    def _used(self, order: Order) -> None:
        credentials = self._github.credentials
        name = order["account"]
        account = (
            credentials.anonymous.account if name == "anonymous" else credentials.account(name)
        )
        self._github.limits.set_used(account, order.get("resource", "core"), int(order["used"]))

    def _lag(self, order: Order) -> None:
        replica = self._github.world.replica
        replica.seconds = float(order["ms"]) / 1000
        if replica.seconds <= 0:
            replica.forget()
        self._github.world.touch()

    def _add_token(self, order: Order) -> Order:
        credentials = self._github.credentials
        lifetime = order.get("expires_in")
        name = str(order["name"])
        fallback = "github_pat_" if order.get("kind") == "fine_grained" else "ghp_"
        stem = "FakeStandIn" + "".join(c for c in name.title() if c.isalnum())
        token = Token(
            name=name,
            value=order.get("token") or fallback + stem.ljust(36, "0"),
            account=str(order.get("account", name)),
            kind=order.get("kind", "classic"),
            scopes=tuple(order.get("scopes", CLASSIC_SCOPES)),
            expires_at=None if lifetime is None else self._github.clock.now() + float(lifetime),
        )
        credentials.add(token)
        account = credentials.accounts[token.account]
        account.sees |= {full_name.lower() for full_name in order.get("sees", ())}
        account.member_of |= {login.lower() for login in order.get("member_of", ())}
        account.admin_of |= {login.lower() for login in order.get("admin_of", ())}
        self._github.world.touch()
        return {"name": name, "token": token.value, "account": token.account}

    def _remove_token(self, order: Order) -> None:
        self._github.credentials.remove(order["name"])

    def _account(self, order: Order) -> Account:
        return self._github.credentials.account(order["token_name"])

    def _grant(self, order: Order) -> None:
        self._account(order).sees.add(order["full_name"].lower())
        self._github.world.touch()

    def _revoke(self, order: Order) -> None:
        """Access to one repository; every way in is closed, an `owner/*` included."""
        account, name = self._account(order), order["full_name"].lower()
        owner = name.partition("/")[0]
        wide = f"{owner}/*"
        if wide in account.sees and name != wide:
            account.sees |= {r.full_name.lower() for r in self._github.world.repos_of(owner)}
        account.sees -= {name, wide}
        self._github.world.touch()


def _reply(status: int, data: Any) -> Reply:
    body = orjson.dumps({} if data is None else data)
    return Reply(status, [("Content-Type", "application/json")], body)
