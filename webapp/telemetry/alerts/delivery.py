"""Takes messages from the outbox to their receivers: a webhook, a Slack-compatible URL, mail.

A receiver gets its messages in the order they were decided, each at least once: three quick tries,
then later ones, each later than the last, for a day. What will never be accepted (a 4xx, a refused
recipient) isn't tried again. A redirect is such a refusal: it is never followed. Errors tell their
kind alone, since their texts hold URLs, and those are capabilities.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import orjson
import requests

from webapp.db.alerts import (
    alert_outbox_claim,
    alert_outbox_done,
    alert_outbox_put_off,
)
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable, ForewarmError
from webapp.hosts import is_loopback_host
from webapp.secret import Secret
from webapp.settings import Settings
from webapp.telemetry.alerts.messages import Body, mail, slack

CONNECT_TIMEOUT, READ_TIMEOUT = 3.0, 7.0  # seconds
LEASE = timedelta(minutes=2)  # longer than any try takes
QUICK_TRIES = 3
WAITS = (2, 5, 60, 120, 300, 600)  # seconds after each failed try; then the last
RETRY_AFTER_MAX = 3600
NOTE_TRIES = 5
TRY_AGAIN = frozenset({408, 425, 429})  # of 4xx
USER_AGENT = "Forewarm/1 (+https://github.com/forewarm)"
SIGNATURE, DELIVERY = "X-Forewarm-Signature-256", "X-Forewarm-Delivery"

log = logging.getLogger(__name__)


class DeliveryFailed(ForewarmError):
    """A message wasn't accepted; `permanent`: it never will be. Says no URL."""

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


class Receiver(Protocol):
    """Who is told."""

    def send(self, body: Body, delivery: str) -> None:
        """One try. `delivery` is the same at each try of a message. Raises DeliveryFailed."""


class _Post(requests.Session):
    """Follows nothing, and adds no credentials of a .netrc."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: `requests` would else read a redirect's body, however long, and prepare the
        next request."""


class Webhook:
    """Alertmanager's shape, signed: hex HMAC-SHA256 of the body with the secret, after sha256=."""

    def __init__(self, url: Secret, secret: Secret | None) -> None:
        self._url = url
        self._secret = secret

    def send(self, body: Body, delivery: str) -> None:
        """Raises DeliveryFailed."""
        data = orjson.dumps(body)
        headers = {DELIVERY: delivery}
        if self._secret:
            digest = hmac.new(self._secret.reveal().encode(), data, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        _post(self._url, data, headers)


class Slack:
    """An incoming webhook of Slack, Mattermost, Rocket.Chat, …"""

    def __init__(self, url: Secret) -> None:
        self._url = url

    def send(self, body: Body, delivery: str) -> None:
        """Raises DeliveryFailed."""
        _post(self._url, orjson.dumps(slack(body)), {DELIVERY: delivery})


class Mail:
    """SMTP: smtps://, or smtp:// with STARTTLS where it is offered. A password is never sent in
    the clear, but to this machine itself. `?from=` names the sender."""

    def __init__(
        self, url: Secret, to: Sequence[str], tls: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        """`tls` makes the context that servers are verified with; the system's by default."""
        self._url = url
        self._to = tuple(to)
        self._tls = tls or ssl.create_default_context

    def send(self, body: Body, delivery: str) -> None:
        """Raises DeliveryFailed."""
        parts = urlsplit(self._url.reveal())
        sender = _sender(parts)
        message = mail(body, sender, self._to, f"<{delivery}@{sender.rpartition('@')[2]}>")
        message["Date"] = formatdate()
        try:
            server = self._connected(parts)
            try:
                refused = server.send_message(message, sender, self._to)
            finally:
                _part(server)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _smtp_failure("recipients refused", min(codes, default=550)) from None
        except smtplib.SMTPResponseException as error:
            raise _smtp_failure(type(error).__name__, error.smtp_code) from None
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise DeliveryFailed(type(error).__name__) from None
        if refused:
            log.error("alerts by mail: %d of the recipients are refused", len(refused))

    def _connected(self, parts: SplitResult) -> smtplib.SMTP:
        host = parts.hostname or ""
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, parts.port or 465, timeout=READ_TIMEOUT, context=self._tls()
            )
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=READ_TIMEOUT)
        try:
            self._introduced(server, parts)
        except BaseException:
            server.close()
            raise
        return server

    def _introduced(self, server: smtplib.SMTP, parts: SplitResult) -> None:
        private = parts.scheme == "smtps"
        server.ehlo_or_helo_if_needed()
        if not private and server.has_extn("starttls"):
            server.starttls(context=self._tls())
            server.ehlo()
            private = True
        if parts.username:
            if not private and not is_loopback_host(parts.hostname or ""):
                reason = "the mail server offers no TLS, and the password isn't sent without"
                raise DeliveryFailed(reason)
            server.login(unquote(parts.username), unquote(parts.password or ""))


def receivers_of(settings: Settings) -> dict[str, Receiver]:
    """Those that are set, by name."""
    found: dict[str, Receiver] = {}
    if settings.alert_webhook_url:
        found["webhook"] = Webhook(settings.alert_webhook_url, settings.alert_webhook_secret)
    if settings.alert_slack_url:
        found["slack"] = Slack(settings.alert_slack_url)
    if settings.alert_email_to and settings.smtp_url:
        found["email"] = Mail(settings.smtp_url, settings.alert_email_to)
    return found


@dataclass(frozen=True, slots=True)
class Outbox:
    """Delivers what waits. Any number of processes may: each message is claimed by one."""

    database: Database
    receivers: Mapping[str, Receiver]
    now: Callable[[], datetime]
    pause: Callable[[float], object]
    """Waits so many seconds between quick tries; True where one should stop."""

    def deliver(self) -> int:
        """Send what is due to all receivers; how many messages were sent. Raises
        DatabaseUnavailable."""
        return sum(self._drain(name, receiver) for name, receiver in self.receivers.items())

    def _drain(self, name: str, receiver: Receiver) -> int:
        sent = 0
        while True:
            now = self.now()
            with self.database.connection() as conn:
                message = alert_outbox_claim(conn, name, now=now, until=now + LEASE)
            if message is None:
                return sent
            try:
                receiver.send(message.body, f"forewarm-{message.id}")
            except DeliveryFailed as error:
                wait = self._failed(name, message.id, message.attempts, error)
                if wait is None:
                    continue
                if message.attempts >= QUICK_TRIES or wait > max(WAITS[: QUICK_TRIES - 1]):
                    return sent
                if self.pause(wait):
                    return sent
                continue
            self._note_sent(message.id)
            sent += 1

    def _note_sent(self, id_: int) -> None:
        """Insistently: else it would be sent again."""
        for attempt in range(1, NOTE_TRIES + 1):
            try:
                now = self.now()
                with self.database.connection() as conn:
                    alert_outbox_done(conn, id_, now=now, result="sent")
            except DatabaseUnavailable:
                if attempt == NOTE_TRIES:
                    raise
                self.pause(1.0)
            else:
                return

    def _failed(self, name: str, id_: int, attempts: int, error: DeliveryFailed) -> float | None:
        """Seconds until the next try; None for none."""
        now = self.now()
        with self.database.connection() as conn:
            if error.permanent:
                log.error("alerts by %s: refused for good: %s", name, error)
                alert_outbox_done(conn, id_, now=now, result="refused", error=str(error))
                return None
            wait = max(WAITS[min(attempts, len(WAITS)) - 1], error.retry_after)
            log.warning("alerts by %s: %s; try %d failed", name, error, attempts)
            again = now + timedelta(seconds=wait)
            alert_outbox_put_off(conn, id_, next_try_at=again, error=str(error))
            return wait


def _post(url: Secret, data: bytes, headers: Mapping[str, str]) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, **headers}
    timeout: Any = (CONNECT_TIMEOUT, READ_TIMEOUT)
    try:
        with (
            _Post() as session,
            session.post(
                url.reveal(),
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                stream=True,  # what it answers is its status
            ) as response,
        ):
            status = response.status_code
            after = response.headers.get("Retry-After", "")
    except (requests.RequestException, OSError) as error:
        raise DeliveryFailed(type(error).__name__) from None
    if 200 <= status < 300:
        return
    permanent = 300 <= status < 500 and status not in TRY_AGAIN
    wait = min(int(after), RETRY_AFTER_MAX) if after.isdecimal() else 0
    raise DeliveryFailed(f"HTTP {status}", permanent=permanent, retry_after=wait)


def _part(server: smtplib.SMTP) -> None:
    """However that goes: what was sent was sent."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _smtp_failure(what: str, code: int) -> DeliveryFailed:
    return DeliveryFailed(f"{what} ({code})", permanent=500 <= code < 600)


def _sender(parts: SplitResult) -> str:
    given = parse_qs(parts.query).get("from", [""])[0]
    user = unquote(parts.username or "")
    return given or (user if "@" in user else f"forewarm@{parts.hostname}")
