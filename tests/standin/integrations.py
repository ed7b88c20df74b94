"""Orders of the control API for what stands outside of the data: webhooks and the App."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from tests.standin.apps import Installation
from tests.standin.clock import iso
from tests.standin.shapes.owners import simple_owner
from tests.standin.webhooks import Hook
from tests.standin.world import Unknown

if TYPE_CHECKING:
    from tests.standin.github import GitHub

Order = dict[str, Any]
HOOK_FIELDS = frozenset(f.name for f in fields(Hook)) - {"id", "held"}


class Integrations:
    """Hooks, deliveries, installations."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self.orders: dict[tuple[str, str], Callable[[Order], Any]] = {
            ("POST", "/hooks"): self.hook,
            ("PATCH", "/hooks"): self.change_hook,
            ("GET", "/hooks"): self.hooks,
            ("DELETE", "/hooks"): self.remove_hooks,
            ("POST", "/hooks/send"): self.send,
            ("POST", "/hooks/flush"): lambda order: github.webhooks.flush(),
            ("GET", "/deliveries"): self.deliveries,
            ("POST", "/deliveries/redeliver"): self.redeliver,
            ("POST", "/app"): self.app,
            ("POST", "/installations"): self.install,
            ("PATCH", "/installations"): self.suspend,
            ("DELETE", "/installations"): self.uninstall,
        }

    def hook(self, order: Order) -> Order:
        """`url`, `secret`, `events`, and how deliveries go wrong (fields of webhooks.Hook)."""
        hook = self._github.webhooks.register(Hook(**_hook_values(order)))
        if order.get("ping"):
            self._github.webhooks.send(
                "ping", {"zen": "Keep it logically awesome.", "hook_id": hook.id, "hook": {}}
            )
        return {"id": hook.id}

    def change_hook(self, order: Order) -> None:
        """`id` and fields to set."""
        hook = self._github.webhooks.hooks[int(order["id"])]
        for name, value in _hook_values(order).items():
            setattr(hook, name, value)

    def hooks(self, order: Order) -> list[Order]:
        rows = [asdict(hook) for hook in self._github.webhooks.hooks.values()]
        for row in rows:
            del row["held"]
            row["secret"] = "(hidden)" if row["secret"] else None
        return rows

    def remove_hooks(self, order: Order) -> None:
        """The one with `id`, or all."""
        if "id" in order:
            del self._github.webhooks.hooks[int(order["id"])]
        else:
            self._github.webhooks.hooks.clear()

    def send(self, order: Order) -> Order:
        """`event` and any `payload`, signed and sent as every other delivery."""
        body = order.get("payload", {})
        return {"delivered": self._github.webhooks.send(str(order["event"]), body)}

    def deliveries(self, order: Order) -> list[Order]:
        """What was sent, oldest first, without bodies."""
        rows = [asdict(delivery) for delivery in self._github.webhooks.deliveries]
        for row in rows:
            row["bytes"] = len(row.pop("body"))
        return rows

    def redeliver(self, order: Order) -> None:
        """`id`, of a delivery."""
        if not self._github.webhooks.redeliver(int(order["id"])):
            raise Unknown(f"delivery {order['id']}")

    def app(self, order: Order) -> None:
        """`public_key` (PEM), `token_form` (short, long)."""
        apps = self._github.apps
        if "public_key" in order:
            apps.public_key = str(order["public_key"])
        if "token_form" in order:
            if order["token_form"] not in ("short", "long"):
                raise ValueError("token_form is short or long")
            apps.token_form = order["token_form"]

    def install(self, order: Order) -> Order:
        """`owner`, perhaps `repos` (full names): the App is installed there."""
        if self._github.world.owner(order["owner"]) is None:
            raise Unknown(order["owner"])
        repos = order.get("repos")
        chosen = None if repos is None else tuple(name.lower() for name in repos)
        one = self._github.apps.install(order["owner"], chosen)
        self._tell(one, "created")
        return {"id": one.id, "owner": one.owner}

    def suspend(self, order: Order) -> None:
        """`id`, `suspended`: true or false."""
        one = self._github.apps.installations[int(order["id"])]
        one.suspended_at = self._github.clock.now() if order["suspended"] else None
        self._github.world.touch()
        self._tell(one, "suspend" if order["suspended"] else "unsuspend")

    def uninstall(self, order: Order) -> None:
        """`id`: gone, with all of its tokens."""
        one = self._github.apps.installations.pop(int(order["id"]))
        credentials = self._github.credentials
        for token in list(credentials.by_name.values()):
            if credentials.accounts[token.account].installation == one.id:
                credentials.remove(token.name)
        self._tell(one, "deleted")

    def _tell(self, one: Installation, action: str) -> None:
        github = self._github
        owner = github.world.owner(one.owner)
        assert owner is not None
        account = simple_owner(github.site, owner)
        rows = [
            {"id": repo.id, "name": repo.name, "full_name": repo.full_name, "private": repo.private}
            for repo in github.world.repos_of(one.owner)
            if one.repos is None or repo.full_name.lower() in one.repos
        ]
        installation = {
            "id": one.id,
            "account": account,
            "repository_selection": one.selection,
            "created_at": iso(one.created_at),
        }
        body = {"action": action, "installation": installation, "repositories": rows}
        github.webhooks.send("installation", body | {"sender": account})


def _hook_values(order: Order) -> Order:
    values = {name: value for name, value in order.items() if name in HOOK_FIELDS}
    unknown = set(order) - HOOK_FIELDS - {"id", "ping"}
    if unknown:
        raise ValueError(f"a hook has no field {', '.join(sorted(unknown))}")
    if "events" in values:
        values["events"] = tuple(values["events"])
    return values
