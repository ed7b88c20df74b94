"""A value that must never be seen: tokens, keys, passwords, and URLs that carry one.

Whatever prints, formats, logs or pickles a Secret gets dots or an error. Only `reveal()` gives
the value, so that every use of one can be found by searching for that word.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final

MASK = "••••••"


@final
class Secret:
    """A string that is shown only on purpose; compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Pickles and deep copies travel into queues, caches and crash reports.
        raise TypeError("a Secret is not pickled or deep-copied")
