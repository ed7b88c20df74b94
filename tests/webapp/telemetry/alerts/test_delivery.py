"""Messages on their way: real HTTP and mail servers, a real PostgreSQL, a clock of the test's."""

from __future__ import annotations

import hashlib
import hmac
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from script.embedded import Postgres
from tests.webapp.telemetry.alerts.receiver import AlertReceiver
from tests.webapp.telemetry.alerts.runs import START
from tests.webapp.telemetry.alerts.smtp_server import Behaviour, SmtpServer, certified
from tests.webapp.telemetry.alerts.store import Clock, alert_database, emptied, outbox
from webapp.db.alerts import alert_outbox_add
from webapp.db.pool import Database
from webapp.secret import Secret
from webapp.settings import Settings
from webapp.telemetry.alerts import delivery as alert_delivery
from webapp.telemetry.alerts.delivery import (
    DeliveryFailed,
    Mail,
    Outbox,
    Receiver,
    Slack,
    Webhook,
    receivers_of,
)
from webapp.telemetry.alerts.messages import test_body as body_of_a_test

BODY = body_of_a_test("https://forewarm.example", START)
PASSWORD = "hunter2-of-the-mail-server"


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    with AlertReceiver() as running:
        yield running


def failure(send: Callable[[], object]) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        send()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


# Webhooks


def test_a_webhook_is_signed(receiver: AlertReceiver) -> None:
    Webhook(Secret(receiver.url), Secret("s3cret")).send(BODY, "forewarm-7")
    (post,) = receiver.posts
    expected = hmac.new(b"s3cret", post.body, hashlib.sha256).hexdigest()
    assert post.headers["x-forewarm-signature-256"] == f"sha256={expected}"
    assert post.headers["x-forewarm-delivery"] == "forewarm-7"
    assert post.headers["content-type"] == "application/json"
    assert post.json == BODY


def test_without_a_secret_a_webhook_is_not_signed(receiver: AlertReceiver) -> None:
    Webhook(Secret(receiver.url), None).send(BODY, "forewarm-7")
    assert "x-forewarm-signature-256" not in receiver.posts[0].headers


def test_slack_gets_its_own_shape(receiver: AlertReceiver) -> None:
    Slack(Secret(receiver.url)).send(BODY, "forewarm-7")
    assert set(receiver.posts[0].json) == {"text", "attachments"}


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
def test_what_will_never_be_accepted_is_permanent(receiver: AlertReceiver, status: int) -> None:
    receiver.status = status
    error = failure(lambda: Webhook(Secret(receiver.url), None).send(BODY, "1"))
    assert (str(error), error.permanent) == (f"HTTP {status}", True)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_be_accepted_later_is_not(receiver: AlertReceiver, status: int) -> None:
    receiver.status = status
    assert not failure(lambda: Webhook(Secret(receiver.url), None).send(BODY, "1")).permanent


@pytest.mark.parametrize(
    ("said", "seconds"), [("90", 90), ("999999", 3600), ("soon", 0), ("-5", 0)]
)
def test_a_receiver_may_say_when_to_come_back(
    receiver: AlertReceiver, said: str, seconds: float
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": said}
    error = failure(lambda: Webhook(Secret(receiver.url), None).send(BODY, "1"))
    assert error.retry_after == seconds


def test_a_redirect_is_never_followed(receiver: AlertReceiver) -> None:
    with AlertReceiver() as inside:
        receiver.status, receiver.headers = 302, {"Location": inside.url}
        failure(lambda: Webhook(Secret(receiver.url), Secret("s3cret")).send(BODY, "1"))
        assert (inside.posts, inside.followed) == ([], 0)


def test_credentials_of_a_netrc_are_not_sent(
    receiver: AlertReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    Webhook(Secret(receiver.url), None).send(BODY, "1")
    assert "authorization" not in receiver.posts[0].headers


def gone(receiver: AlertReceiver) -> str:
    with receiver:
        return receiver.url


@pytest.mark.parametrize("kind", [Slack, lambda url: Webhook(url, Secret("s3cret"))])
def test_a_receiver_that_is_away_is_not_named(kind: Callable[[Secret], Receiver]) -> None:
    url = gone(AlertReceiver())
    error = failure(lambda: kind(Secret(url)).send(BODY, "1"))
    assert (str(error), error.permanent) == ("ConnectionError", False)


def test_a_receiver_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_delivery, "READ_TIMEOUT", 0.05)
    with AlertReceiver() as receiver, receiver.came:  # it can't note what came
        error = failure(lambda: Webhook(Secret(receiver.url), None).send(BODY, "1"))
    assert (str(error), error.permanent) == ("ReadTimeout", False)


# Mail


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certified(tmp_path_factory.mktemp("smtp"))


def mail_to(url: str, tls: ssl.SSLContext | None = None) -> Mail:
    return Mail(Secret(url), ("a@example.com", "b@example.com"), (lambda: tls) if tls else None)


def test_mail_goes_to_everyone() -> None:
    with SmtpServer() as server:
        mail_to(f"smtp://127.0.0.1:{server.port}").send(BODY, "forewarm-7")
        mailed = server.next()
    assert mailed.to == ("a@example.com", "b@example.com")
    assert mailed.sender == "forewarm@127.0.0.1"
    assert mailed.message["Message-ID"] == "<forewarm-7@127.0.0.1>"
    assert mailed.message["Subject"] == "[Forewarm] warning: A test: nothing is wrong."
    assert "An operator asked" in mailed.message.get_content()
    assert not mailed.private


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("smtp://127.0.0.1:{}?from=me@example.com", "me@example.com"),
        ("smtp://you%40example.com:p@127.0.0.1:{}", "you@example.com"),
        ("smtp://you:p@127.0.0.1:{}", "forewarm@127.0.0.1"),
    ],
)
def test_mail_has_a_sender(url: str, sender: str) -> None:
    with SmtpServer() as server:
        mail_to(url.format(server.port)).send(BODY, "1")
        assert server.next().sender == sender


def test_mail_uses_starttls_where_it_is_offered(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    served, trusted = contexts
    with SmtpServer(Behaviour(tls=served, offers_starttls=True)) as server:
        mail_to(f"smtp://me:{PASSWORD}@127.0.0.1:{server.port}", trusted).send(BODY, "1")
        mailed = server.next()
    assert (mailed.private, mailed.login) == (True, f"me {PASSWORD}")


def test_mail_goes_by_tls_from_the_start(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    served, trusted = contexts
    with SmtpServer(Behaviour(tls=served), smtps=True) as server:
        mail_to(f"smtps://me:p%40ss@127.0.0.1:{server.port}", trusted).send(BODY, "1")
        assert server.next().login == "me p@ss"


@pytest.mark.parametrize("smtps", [True, False])
def test_a_mail_server_is_verified(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], smtps: bool
) -> None:
    served, _ = contexts
    with SmtpServer(Behaviour(tls=served, offers_starttls=True), smtps=smtps) as server:
        scheme = "smtps" if smtps else "smtp"
        url = f"{scheme}://me:{PASSWORD}@127.0.0.1:{server.port}"
        error = failure(lambda: mail_to(url).send(BODY, "1"))
        assert (str(error), error.permanent) == ("SSLCertVerificationError", False)
        assert "AUTH" not in server.commands


def test_a_password_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_delivery, "is_loopback_host", lambda host: False)
    with SmtpServer() as server:
        url = f"smtp://me:{PASSWORD}@127.0.0.1:{server.port}"
        error = failure(lambda: mail_to(url).send(BODY, "1"))
        assert "no TLS" in str(error)
        assert "AUTH" not in server.commands


@pytest.mark.parametrize(
    ("refuse", "text", "permanent"),
    [
        ({"CONNECT": "421 busy"}, "SMTPConnectError (421)", False),
        ({"AUTH": f"535 no such login {PASSWORD}"}, "SMTPAuthenticationError (535)", True),
        ({"MAIL": "550 not you"}, "SMTPSenderRefused (550)", True),
        ({"RCPT": "550 nobody here"}, "recipients refused (550)", True),
        ({"RCPT": "451 greylisted"}, "recipients refused (451)", False),
        ({"DATA": "554 spam"}, "SMTPDataError (554)", True),
        ({"DATA": "452 full"}, "SMTPDataError (452)", False),
    ],
)
def test_a_mail_servers_refusal_is_permanent_or_not(
    refuse: dict[str, str], text: str, permanent: bool
) -> None:
    with SmtpServer(Behaviour(refuse=refuse)) as server:
        url = f"smtp://me:{PASSWORD}@127.0.0.1:{server.port}"
        error = failure(lambda: mail_to(url).send(BODY, "1"))
    assert (str(error), error.permanent) == (text, permanent)


def test_one_refused_recipient_does_not_keep_mail_from_the_other() -> None:
    with SmtpServer(Behaviour(refuse={"a@example.com": "550 nobody"})) as server:
        mail_to(f"smtp://127.0.0.1:{server.port}").send(BODY, "1")
        assert server.next().to == ("b@example.com",)


def test_what_was_sent_was_sent_however_the_server_parts() -> None:
    with SmtpServer(Behaviour(refuse={"QUIT": "500 never"})) as server:
        mail_to(f"smtp://127.0.0.1:{server.port}").send(BODY, "1")
        assert server.next().message["Date"]


def test_a_mail_server_that_is_away_is_not_permanent() -> None:
    with SmtpServer() as server:
        port = server.port
    error = failure(lambda: mail_to(f"smtp://me:{PASSWORD}@127.0.0.1:{port}").send(BODY, "1"))
    assert (str(error), error.permanent) == ("ConnectionRefusedError", False)


def test_receivers_are_those_that_are_set() -> None:
    least = {
        "HOST": "127.0.0.1",
        "REDIS_URL": "redis://localhost",
        "DATABASE_URL": "postgresql://localhost/x",
    }
    assert receivers_of(Settings.from_env(least)) == {}
    every = {
        "ALERT_WEBHOOK_URL": "https://a.example",
        "ALERT_SLACK_URL": "https://b.example",
        "ALERT_EMAIL_TO": "a@example.com",
        "SMTP_URL": "smtp://localhost",
    }
    assert list(receivers_of(Settings.from_env(least | every))) == ["webhook", "slack", "email"]


# The outbox


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with alert_database(postgres, "alert_delivery") as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with emptied(url) as database:
        yield database


class Deliveries:
    """An outbox by a clock, which its pauses move."""

    def __init__(self, database: Database, **receivers: Receiver) -> None:
        self.clock = Clock()
        self.database = database
        self.pauses: list[float] = []
        self.outbox = Outbox(database, receivers, self.clock, self.pause)

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.clock.move(seconds=seconds)
        return False

    def add(self, *receivers: str, number: int = 0) -> None:
        with self.database.connection() as conn:
            body = {**BODY, "number": number}
            alert_outbox_add(conn, receivers or ("webhook",), body, now=self.clock.now)


def numbers(receiver: AlertReceiver) -> list[int]:
    return [post.json["number"] for post in receiver.posts]


@pytest.fixture
def deliveries(database: Database, receiver: AlertReceiver) -> Deliveries:
    return Deliveries(database, webhook=Webhook(Secret(receiver.url), None))


def test_what_waits_is_sent_once_and_in_order(
    deliveries: Deliveries, receiver: AlertReceiver
) -> None:
    for number in range(3):
        deliveries.add(number=number)
    assert deliveries.outbox.deliver() == 3
    assert deliveries.outbox.deliver() == 0
    assert numbers(receiver) == [0, 1, 2]


def test_a_failed_message_gets_three_quick_tries(
    deliveries: Deliveries, receiver: AlertReceiver
) -> None:
    receiver.status = 503
    deliveries.add()
    assert deliveries.outbox.deliver() == 0
    assert len(receiver.refused) == 3
    assert deliveries.pauses == [2, 5]


def test_then_later_ones_each_later_than_the_last(
    deliveries: Deliveries, receiver: AlertReceiver
) -> None:
    receiver.status = 503
    deliveries.add()
    deliveries.outbox.deliver()
    tried = []
    for minute in range(60):
        deliveries.clock.move(minutes=1)
        before = len(receiver.refused)
        deliveries.outbox.deliver()
        tried += [minute + 1] * (len(receiver.refused) - before)
    assert tried == [1, 3, 8, 18, 28, 38, 48, 58]


def test_what_a_receiver_says_of_when_is_kept_to(
    deliveries: Deliveries, receiver: AlertReceiver
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "90"}
    deliveries.add()
    deliveries.outbox.deliver()
    assert (len(receiver.refused), deliveries.pauses) == (1, [])
    receiver.status = 200
    deliveries.clock.move(seconds=89)
    assert deliveries.outbox.deliver() == 0
    deliveries.clock.move(seconds=1)
    assert deliveries.outbox.deliver() == 1


def test_a_permanent_refusal_makes_way_for_the_next(
    deliveries: Deliveries, receiver: AlertReceiver, url: str
) -> None:
    receiver.status = 404
    deliveries.add(number=1)
    deliveries.outbox.deliver()
    assert len(receiver.refused) == 1
    receiver.status = 200
    deliveries.add(number=2)
    deliveries.outbox.deliver()
    assert numbers(receiver) == [2]
    assert [(each["result"], each["error"]) for each in outbox(url)] == [
        ("refused", "HTTP 404"),
        ("sent", None),
    ]


def test_one_receiver_does_not_wait_for_another(
    database: Database, receiver: AlertReceiver
) -> None:
    with AlertReceiver(503) as broken:
        both = Deliveries(
            database,
            slack=Slack(Secret(broken.url)),
            webhook=Webhook(Secret(receiver.url), None),
        )
        both.add("slack", "webhook")
        assert both.outbox.deliver() == 1


def test_a_sender_that_dies_leaves_its_message_to_others(
    deliveries: Deliveries, receiver: AlertReceiver
) -> None:
    class Dies:
        def send(self, body: object, delivery: str) -> None:
            raise KeyboardInterrupt

    deliveries.add()
    dying = Outbox(deliveries.database, {"webhook": Dies()}, deliveries.clock, deliveries.pause)
    with pytest.raises(KeyboardInterrupt):
        dying.deliver()
    assert deliveries.outbox.deliver() == 0
    deliveries.clock.move(seconds=alert_delivery.LEASE / timedelta(seconds=1))
    assert deliveries.outbox.deliver() == 1


def test_eight_senders_send_each_message_once(
    deliveries: Deliveries, receiver: AlertReceiver, url: str
) -> None:
    for number in range(20):
        deliveries.add(number=number)
    second = Database(Secret(url), size=4)
    senders = [
        Outbox(database, deliveries.outbox.receivers, deliveries.clock, deliveries.pause)
        for database in (deliveries.database, second) * 4
    ]
    sent: list[int] = []
    threads = [
        threading.Thread(target=lambda each: sent.append(each.deliver()), args=(each,))
        for each in senders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    rest = deliveries.outbox.deliver()
    assert numbers(receiver) == list(range(20))
    assert sum(sent) + rest == 20


def test_nothing_of_a_receiver_is_told_in_logs_or_tables(
    deliveries: Deliveries, receiver: AlertReceiver, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (503, 404):
        receiver.status = status
        deliveries.add()
        deliveries.clock.move(hours=1)
        deliveries.outbox.deliver()
    away = Outbox(
        deliveries.database,
        {
            "email": mail_to(f"smtp://me:{PASSWORD}@127.0.0.1:1"),
            "slack": Slack(Secret(gone(AlertReceiver()))),
        },
        deliveries.clock,
        deliveries.pause,
    )
    deliveries.add("email", "slack")
    away.deliver()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("webapp.")]
    said = " ".join(ours) + str([(each["error"], each["body"]) for each in outbox(url)])
    assert len(ours) >= 8
    for secret in ("secret-path-of-the-hook", "127.0.0.1", PASSWORD):
        assert secret not in said
