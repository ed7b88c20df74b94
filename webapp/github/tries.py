"""How often a call is tried, and how long between: urllib3's Retry decides, the deadline ends it.

Three tries, the waits growing exponentially with jitter, for connection errors, 500, 502, 503 and
504. Never for another status, a timeout, or a write. Retry-After is not slept on: urllib3 would,
for hours (why.md); a limit is the budget's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import requests
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import RequestHistory, Retry

RETRIED_STATUSES = frozenset({500, 502, 503, 504})
POLICY = Retry(
    total=2,
    allowed_methods=frozenset({"GET"}),
    status_forcelist=RETRIED_STATUSES,
    backoff_factor=0.1,  # 0.2 s, then 0.4 s
    backoff_jitter=0.1,
    respect_retry_after_header=False,
    # urllib3 waits only from the second failure on; with one in its past it waits from the first.
    history=(RequestHistory(None, None, None, None, None),),
)

Once = Callable[[float], requests.Response]
"""Send once, in at most so many seconds."""


class Tries:
    """Time is injected: `clock` is monotonic, `sleep` waits so many seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        policy: Retry = POLICY,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._policy = policy

    def send(self, method: str, once: Once, deadline: float) -> requests.Response:
        """The first answer that isn't tried again, or the last; raises what the last try raised."""
        policy = self._policy
        while True:
            response, error = None, None
            try:
                response = once(max(0.001, deadline - self._clock()))
            except requests.exceptions.Timeout:
                raise  # the deadline's share of this try is gone
            except requests.exceptions.ConnectionError as raised:
                error = raised
            if response is not None and not policy.is_retry(method, response.status_code):
                return response
            following = _following(policy) if method in (policy.allowed_methods or ()) else None
            pause = following.get_backoff_time() if following else 0.0
            if following is None or self._clock() + pause >= deadline:
                if error:
                    raise error
                assert response is not None
                return response
            if response is not None:
                response.close()
            self._sleep(pause)
            policy = following


def _following(policy: Retry) -> Retry | None:
    try:
        return policy.increment()
    except MaxRetryError:
        return None
