"""What happened, as blinker signals. Telemetry listens; nothing on a request's path calls it.

Senders pass keyword arguments only, named in the comment beside each signal; values are plain
(strings, numbers), never a token, a body or a request object.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

# resource, outcome, path, key, scope (its kind), shelf, cause, seconds, and asked: what would warm
# it (demand.asked_text), '' for nothing that could be
served = _signals.signal("served")
# resource, lane, scope (its kind; '' where nothing is read), path, status, seconds, revalidated
upstream_called = _signals.signal("upstream-called")
# path; before each upstream_called, in the same thread
upstream_calling = _signals.signal("upstream-calling")
# tags, hard, cause, detail
purged = _signals.signal("purged")
# job, queue, actor, result (done, retried, dead, put_off, skipped), seconds, attempt,
# start_delay (seconds since it was ready; None for one that was skipped)
job_ran = _signals.signal("job-ran")
# event, action, result (accepted, duplicate, ignored, refused), reason, owner, repo, lag in seconds
# or None; a refused one's event is '': anybody may have sent it
webhook_received = _signals.signal("webhook-received")
# query, seconds
query_ran = _signals.signal("query-ran")
