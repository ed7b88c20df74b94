"""Real stores for one benchmark, empty at first; gone with it, and the folder they were in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from script.embedded import Postgres, Valkey, start_together, stop_together
from webapp.db.migrate import upgrade
from webapp.secret import Secret


@dataclass(frozen=True, slots=True)
class Stores:
    """Both, with the schema in PostgreSQL; `folder` is for whatever else is written."""

    valkey: Valkey
    postgres: Postgres
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """Their URLs as settings."""
        return {"REDIS_URL": self.valkey.url, "DATABASE_URL": self.postgres.url}


@contextmanager
def own_folder() -> Iterator[Path]:
    """One that servers under another account can look into."""
    folder = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_stores(*, durable: bool = False) -> Iterator[Stores]:
    """Started; `durable` PostgreSQL waits for the disk as in service."""
    with own_folder() as folder:
        valkey = Valkey(folder / "valkey")
        postgres = Postgres(folder / "postgres", durable=durable)
        start_together([valkey, postgres])
        try:
            upgrade(Secret(postgres.url))
            yield Stores(valkey, postgres, folder)
        finally:
            stop_together([valkey, postgres])
