"""One tree of errors. What a client sees of each is decided in views/responses.py alone."""

from __future__ import annotations


class ForewarmError(Exception):
    """Anything that Forewarm itself raises on purpose."""


class SettingsError(ForewarmError):
    """An environment variable can't be parsed; str() is the one line that stops the start."""

    def __init__(self, variable: str, held: str, wants: str) -> None:
        """`held` describes the value and never is a secret; `wants` says what would do."""
        super().__init__(f"{variable} {held}; {wants}")
        self.variable = variable


class StoreUnavailable(ForewarmError):
    """Redis can't be reached, is too slow, or refuses writes."""


class DatabaseUnavailable(ForewarmError):
    """PostgreSQL can't be reached, or has no connection free in time."""


class RowsRefused(ForewarmError):
    """PostgreSQL doesn't take these rows: a value out of its column's range or rule."""


class BrokerUnavailable(ForewarmError):
    """The job queue can't be reached."""


class GitHubUnavailable(ForewarmError):
    """GitHub can't be reached: connect error, timeout, 5xx, or a broken answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        """`status` is what GitHub answered, 0 where it answered nothing."""
        super().__init__(message)
        self.status = status


class CredentialRefused(ForewarmError):
    """GitHub doesn't accept what we would ask with; asking again doesn't help, an operator does."""

    def __init__(self, reason: str, message: str) -> None:
        """`reason`: `unknown App`, `suspended`, `removed`, `not installed` or `forbidden`."""
        super().__init__(message)
        self.reason = reason


class OutOfBudget(ForewarmError):
    """A call to GitHub isn't allowed now: `reason` is hour, minute, slots or paused."""

    def __init__(self, retry_at: float, reason: str) -> None:
        """`retry_at` is the moment to come back, in Unix seconds."""
        super().__init__(f"no budget for GitHub: {reason}")
        self.retry_at = retry_at
        self.reason = reason


class WaitedTooLong(ForewarmError):
    """Another's fetch didn't end in time, and nothing is held."""


class RequestRefused(ForewarmError):
    """A request is answered with a clean 4xx before anything is cached or asked."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        """`headers` are response headers, underscores standing for dashes."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
