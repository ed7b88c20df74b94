"""What a worker does that calls GitHub: `dramatiq workers.main tests.workers.calling`.

Its second looks ask GitHub, and `chain` fails once and has children.
"""

from __future__ import annotations

import logging

import dramatiq

from tests.standin.accounts import BOB_TOKEN
from webapp.cache.keys import SERVICE, canonical_target
from webapp.github.asker import Asker
from webapp.github.limits import Lane
from webapp.signals import purged
from workers.main import broker, services

log = logging.getLogger("tests.calling")


def ask(path: str) -> None:
    """Through the archive, as jobs do."""
    target = canonical_target(path, "", "", "")
    services.client.get(target, Asker(SERVICE, lane=Lane.WEBHOOK, consumer="tests"), None).close()


def second_look(_: object, **what: object) -> None:
    """`purge_again` in this process."""
    ask(str(what["detail"]))


purged.connect(second_look, sender=services.purger)


@dramatiq.actor(queue_name="upkeep", broker=broker, min_backoff=50, max_backoff=50)
def chain(secret: str) -> None:
    """Fails at first, with a secret in its words; then two children, by both ways there are."""
    tries = broker.client.incr("tests:chain")
    log.warning("chain tries with %s and %s", secret, BOB_TOKEN)
    if tries == 1:
        raise ValueError(f"no luck with Bearer {secret} at https://me:{secret}@host/")
    child.send("by the broker")
    services.jobs.enqueue("child", "upkeep", "by the web's way", delay_ms=100)


@dramatiq.actor(queue_name="upkeep", broker=broker)
def child(name: str) -> None:
    """Asks GitHub."""
    ask("/orgs/pallets")
