"""What the control API turns on and off that belongs to no one else."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.standin.etags import Formula


@dataclass(slots=True)
class Switches:
    """Defaults are GitHub as it is; times in milliseconds."""

    latency_ms: float = 0.0
    latency_by_path: dict[str, float] = field(default_factory=dict)
    formula: Formula = "github"
    etag_on_304: bool = True
    rate_headers: bool = True
    graphql_most_roots: int = 300
    set_cookies: tuple[str, ...] = ()

    def latency_for(self, path: str) -> float:
        """The first glob that matches decides, else the general latency."""
        for pattern, latency in self.latency_by_path.items():
            if fnmatchcase(path, pattern):
                return latency
        return self.latency_ms
