"""A PostgreSQL that holds a seeded catalog: made once, for all benchmarks of one script/bench.

Seeding a million repositories takes minutes. Where SHARED names a folder, the data stays in it for
the next benchmark that wants as many; who writes to it takes back what it wrote.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.alone import say
from script.embedded import Postgres
from webapp.db.migrate import upgrade
from webapp.db.seed import Progress, seed
from webapp.secret import Secret

SHARED = "FOREWARM_BENCH_SHARED"
REPOSITORIES_AN_OWNER = 500


@contextmanager
def seeded(repositories: int, *, days: int) -> Iterator[Postgres]:
    """As many repositories, owners of 500, and so many days of their history."""
    given = os.environ.get(SHARED)
    folder = Path(given) if given else Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
    folder.chmod(0o755)
    directory = folder / f"catalog-{repositories}-{days}"
    made = directory.with_suffix(".made")
    if not made.exists():
        shutil.rmtree(directory, ignore_errors=True)  # half made
    postgres = Postgres(directory, durable=False)
    try:
        postgres.start()
        if not made.exists():
            upgrade(Secret(postgres.url))
            owners = max(1, repositories // REPOSITORIES_AN_OWNER)
            seed(
                Secret(postgres.url), repos=repositories, orgs=owners, days=days, report=_progress()
            )
            made.touch()
        yield postgres
    finally:
        postgres.stop()
        if not given:
            shutil.rmtree(folder)


def _progress() -> Callable[[Progress], None]:
    """Says each step, and each tenth of it."""
    said: set[str] = set()

    def tell(progress: Progress) -> None:
        text = f"seeding {progress.step}: {10 * progress.done // max(1, progress.total)}0 %"
        if text not in said:
            said.add(text)
            say(text)

    return tell
