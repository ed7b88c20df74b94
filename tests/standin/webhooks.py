"""Webhooks: every change becomes signed deliveries to the registered hooks, well-behaved or not.

Sent from a few threads, so that a slow receiver never holds the stand-in up. As GitHub: 10 s for
the receiver, never sent again by itself, the same delivery id when asked to send again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import queue
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
import requests

from tests.standin.payloads import COMPANIONS, payload
from tests.standin.shapes.site import Json
from tests.standin.world import Change

if TYPE_CHECKING:
    from tests.standin.github import GitHub

TIMEOUT = 10.0
SENDERS = 4
KEPT = 2_000


@dataclass(slots=True)
class Hook:
    """One receiver and how its deliveries go wrong. Times in milliseconds, counts per hook."""

    url: str
    secret: str | None = None
    events: tuple[str, ...] = ("*",)
    active: bool = True
    late_ms: float = 0.0
    twice: bool = False
    lose: int = 0  # the next so many are lost; -1: all
    shuffle: int = 0  # hold back so many, then send them in reverse
    wrong_signature: bool = False
    form: bool = False  # application/x-www-form-urlencoded, as older hooks are set up
    id: int = 0
    held: list[Delivery] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of one event. `status_code` 0: not sent yet, lost, or no answer."""

    id: int
    guid: str
    hook_id: int
    event: str
    action: str | None
    repository_id: int | None
    installation_id: int | None
    body: bytes
    at: float
    redelivery: bool = False
    status_code: int = 0
    status: str = "pending"
    duration: float = 0.0


Work = tuple[Hook, tuple[Delivery, ...], asyncio.AbstractEventLoop]


class Webhooks:
    """Hooks, what was sent to them, and the threads that send."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._queue: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.reset()

    def reset(self) -> None:
        """No hooks. What is under way is still sent; its outcome is forgotten."""
        self.hooks: dict[int, Hook] = {}
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._next_hook = 1
        self._next_delivery = 1

    def register(self, hook: Hook) -> Hook:
        hook.id = self._next_hook
        self._next_hook += 1
        self.hooks[hook.id] = hook
        return hook

    def happened(self, change: Change) -> None:
        """A listener of the world."""
        if change.silent or not self.hooks:
            return
        self._emit(change)
        companion = COMPANIONS.get((change.event, change.action))
        if companion is not None:
            self._emit(replace(change, event=companion[0], action=companion[1]))

    def _emit(self, change: Change) -> None:
        installation = self._github.apps.installation_id(change.repo.owner)
        body = payload(self._github, change, installation)
        self.send(change.event, body, repository_id=change.repo.id)

    def send(self, event: str, body: Json, *, repository_id: int | None = None) -> list[str]:
        """Any event with any body to every hook that wants it; the delivery ids."""
        raw = orjson.dumps(body)
        installation = body.get("installation")
        guids = []
        for hook in list(self.hooks.values()):
            if not hook.active or not {"*", event} & set(hook.events):
                continue
            delivery = Delivery(
                id=self._next_delivery,
                guid=str(uuid.uuid4()),
                hook_id=hook.id,
                event=event,
                action=body.get("action"),
                repository_id=repository_id,
                installation_id=installation["id"] if installation else None,
                body=raw,
                at=self._github.clock.now(),
            )
            self._next_delivery += 1
            self.deliveries.append(delivery)
            guids.append(delivery.guid)
            self._go(hook, delivery)
        return guids

    def redeliver(self, delivery_id: int) -> bool:
        """Send one again under its old id; False where it isn't known."""
        old = next((one for one in self.deliveries if one.id == delivery_id), None)
        hook = self.hooks.get(old.hook_id) if old else None
        if old is None or hook is None:
            return False
        now = self._github.clock.now()
        again = replace(old, id=self._next_delivery, at=now, redelivery=True, status="pending")
        self._next_delivery += 1
        self.deliveries.append(again)
        self._post(hook, again)
        return True

    def _go(self, hook: Hook, delivery: Delivery) -> None:
        if hook.lose != 0:
            hook.lose -= hook.lose > 0
            self._note(replace(delivery, status="timed out"))
            return
        if hook.shuffle > 1:
            hook.held.append(delivery)
            if len(hook.held) < hook.shuffle:
                return
            held, hook.held = hook.held[::-1], []
            self._later(hook, *held)
            return
        self._later(hook, delivery)

    def _later(self, hook: Hook, *deliveries: Delivery) -> None:
        if hook.late_ms > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(hook.late_ms / 1000, self._post, hook, *deliveries)
        else:
            self._post(hook, *deliveries)

    def flush(self) -> None:
        """Send what `shuffle` still holds back, in reverse."""
        for hook in self.hooks.values():
            held, hook.held = hook.held[::-1], []
            self._post(hook, *held)

    def _post(self, hook: Hook, *deliveries: Delivery) -> None:
        """Hand over to the senders; several go one after the other, in this order."""
        if not self._threads:
            for number in range(SENDERS):
                thread = threading.Thread(
                    target=self._work, name=f"webhook-sender-{number}", daemon=True
                )
                thread.start()
                self._threads.append(thread)
        work = (hook, deliveries, asyncio.get_running_loop())
        for _ in range(2 if hook.twice else 1):
            self._queue.put(work)

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while True:
                hook, deliveries, loop = self._queue.get()
                for delivery in deliveries:
                    outcome = _deliver(session, hook, delivery)
                    try:
                        loop.call_soon_threadsafe(self._note, outcome)
                    except RuntimeError:  # The loop has ended: nobody wants to know any more.
                        return

    def _note(self, outcome: Delivery) -> None:
        for place, one in enumerate(self.deliveries):
            if one.id == outcome.id:
                self.deliveries[place] = outcome
                return


def signature(secret: str, body: bytes) -> str:
    """X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def request_of(hook: Hook, delivery: Delivery) -> tuple[dict[str, str], bytes]:
    """Headers and body of a delivery; the signature covers the body as sent."""
    body, kind = delivery.body, "application/json"
    if hook.form:
        body = urlencode({"payload": delivery.body.decode()}).encode()
        kind = "application/x-www-form-urlencoded"
    headers = {
        "Accept": "*/*",
        "Content-Type": kind,
        "User-Agent": "GitHub-Hookshot/5ca1ab1e",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-Type": "organization",
        "X-GitHub-Hook-Installation-Target-ID": "8100000",
    }
    if hook.secret is not None:
        secret = hook.secret + "x" * hook.wrong_signature
        headers["X-Hub-Signature-256"] = signature(secret, body)
        sha1 = hmac.new(secret.encode(), body, "sha1").hexdigest()
        headers["X-Hub-Signature"] = f"sha1={sha1}"
    return headers, body


def _deliver(session: requests.Session, hook: Hook, delivery: Delivery) -> Delivery:
    headers, body = request_of(hook, delivery)
    began = time.monotonic()
    try:
        answer = session.post(hook.url, data=body, headers=headers, timeout=TIMEOUT)
        code, status = answer.status_code, answer.reason or ""
    except requests.RequestException as error:
        code, status = 0, "timed out" if isinstance(error, requests.Timeout) else "failed"
    took = round(time.monotonic() - began, 3)
    return replace(
        delivery, status_code=code, status="OK" if 200 <= code < 300 else status, duration=took
    )


def item(delivery: Delivery, iso_at: str) -> dict[str, Any]:
    """A row of /app/hook/deliveries."""
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": iso_at,
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "repository_id": delivery.repository_id,
        "throttled_at": None,
    }
