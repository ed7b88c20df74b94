"""What the timetable names, a worker has; and what the web enqueues by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.workers.processes import ROOT
from webapp import purging
from webapp.changes import invalidation, webhooks
from webapp.warming import runs
from workers.timetable import TIMETABLE

PROGRAM = """
import json
from workers.main import broker
print(json.dumps({name: actor.queue_name for name, actor in broker.actors.items()}))
"""


def test_every_job_that_is_enqueued_by_name_is_there_in_its_queue(redis_url: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOST": "127.0.0.1",
        "REDIS_URL": redis_url,
        "DATABASE_URL": "postgresql://localhost/unused",
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    declared = json.loads(ran.stdout.splitlines()[-1])
    named = {each.actor: each.queue for each in TIMETABLE}
    named |= {
        runs.WARM_RUN: runs.QUEUE,
        purging.AGAIN: purging.QUEUE,
        webhooks.LOOK: webhooks.QUEUE,
        invalidation.PURGE_LISTS: invalidation.QUEUE,
    }
    assert {name: declared.get(name) for name in named} == named
