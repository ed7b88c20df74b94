"""Worker and scheduler: when each last showed itself."""

from __future__ import annotations

import time

from webapp.doctor.finding import Finding, ok, warn
from webapp.errors import BrokerUnavailable
from webapp.jobs import HEARTBEAT_EXPIRY, Jobs
from webapp.settings import Settings

TIMEOUT = 2.0  # seconds


def check(settings: Settings) -> list[Finding]:
    """Read both heartbeats from the broker."""
    jobs = Jobs(settings.broker_url, timeout=TIMEOUT)
    try:
        beats = jobs.heartbeats()
    except BrokerUnavailable:
        return [warn("jobs", "unknown, as the broker can't be reached", "see the broker above")]
    finally:
        jobs.close()
    now = time.time()
    return [judge("worker", beats.worker, now), judge("scheduler", beats.scheduler, now)]


def judge(name: str, beat: float | None, now: float) -> Finding:
    """Pure; `beat` and `now` are Unix seconds."""
    if beat is None:
        return warn(
            name,
            f"hasn't shown itself for {HEARTBEAT_EXPIRY} s: is none running?",
            f"start the Procfile's {name}",
        )
    return ok(name, f"showed itself {max(0.0, now - beat):.0f} s ago")
