"""script/bench: every figure of docs/performance.md, measured here and now.

Runs the benchmarks one after another, each as a process of its own, keeps what each found as soon
as it ends, and renders the document. One that fails is told and the others go on; Ctrl-C loses only
the one that runs. A quick run sees that they work and keeps its figures out of the document.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import document, processes, seeded
from benchmarks.chapters import CHAPTERS, Listed
from benchmarks.peers.packages import install
from benchmarks.records import RESULTS, from_json
from benchmarks.tables import measured, verdict, wanted
from script.interruption import Interrupted, Interruption
from script.var import VAR

QUICK_RESULTS = VAR / "bench"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run: modules of `package`, into `folder`."""

    chapters: Sequence[Listed]
    quick: bool
    folder: Path
    package: str = "benchmarks"

    def minutes(self, listed: Listed) -> float:
        """How long one is expected to take."""
        return listed.quick if self.quick else listed.minutes


def run(plan: Plan, interruption: Interruption) -> list[str]:
    """Measure; the names of those that failed. Raises Interrupted."""
    processes.adopt_orphans()
    in_all = sum(plan.minutes(listed) for listed in plan.chapters)
    print(f"{len(plan.chapters)} benchmarks, about {in_all:g} min", flush=True)
    failed = []
    shared = Path(tempfile.mkdtemp(prefix="forewarm-bench-shared-"))
    shared.chmod(0o755)
    try:
        for place, listed in enumerate(plan.chapters, 1):
            minutes = plan.minutes(listed)
            print(
                f"[{place}/{len(plan.chapters)}] {listed.name}: {listed.about};"
                f" about {minutes:g} min",
                flush=True,
            )
            if why := _one(plan, listed, interruption, shared):
                failed.append(listed.name)
                print(f"  FAILS {listed.name}: {why}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(shared, ignore_errors=True)
    return failed


def _one(plan: Plan, listed: Listed, interruption: Interruption, shared: Path) -> str:
    """Run one and say what it found; why it failed, "" where it didn't."""
    file = plan.folder / f"{listed.name}.json"
    command = [sys.executable, "-m", f"{plan.package}.{listed.name}", "--json", str(file)]
    began = time.monotonic()
    try:
        status = processes.run(
            [*command, "--quick"] if plan.quick else command,
            seconds=60 * (2 * plan.minutes(listed) + 1),
            interruption=interruption,
            more={seeded.SHARED: str(shared)},
        )
    except processes.TooLong:
        return f"ended: not done after {time.monotonic() - began:.0f} s"
    if status:
        return f"exit status {status}"
    chapter = from_json(file.read_bytes()).chapter
    print(f"  done in {time.monotonic() - began:.0f} s")
    for target in chapter.targets:
        said = f"{target.name}: {measured(target)}, wanted {wanted(target.goal)}"
        print(f"  {said}: {verdict(target).replace('**', '')}")
    for each in chapter.missing:
        print(f"  left out: {each}")
    return ""


def _chosen(names: str) -> Sequence[Listed]:
    """Those named, by commas, in the document's order. Raises ValueError for an unknown one."""
    if not names:
        return [each for each in CHAPTERS if not each.by_name_only]
    wished = {name.strip() for name in names.split(",")}
    if unknown := wished - {each.name for each in CHAPTERS}:
        raise ValueError(f"no such benchmark: {', '.join(sorted(unknown))}; --list names them")
    return [each for each in CHAPTERS if each.name in wished]


def main(arguments: Sequence[str]) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="script/bench", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only see that they work; a minute each at most, the document stays",
    )
    parser.add_argument("--only", default="", metavar="A,B", help="of these benchmarks")
    parser.add_argument(
        "--list", action="store_true", help="which there are, and how long they take"
    )
    parser.add_argument(
        "--render",
        action="store_true",
        help="docs/performance.md from what is kept, without measuring",
    )
    given = parser.parse_args(arguments)
    if given.list:
        for each in CHAPTERS:
            alone = " (only by name)" if each.by_name_only else ""
            print(f"{each.name:<12}{each.minutes:>5g} min  {each.about}{alone}")
        print(f"{'in all':<12}{sum(each.minutes for each in _chosen('')):>5g} min")
        return 0
    if given.render:
        document.write()
        return 0
    try:
        chapters = _chosen(given.only)
    except ValueError as error:
        parser.error(str(error))
    for program in install():
        print(f"{program} is missing: what needs it is left out (install it, or run as root)")
    try:
        return bench(Plan(chapters, given.quick, QUICK_RESULTS if given.quick else RESULTS))
    finally:
        if not given.quick:
            document.write()


def bench(plan: Plan) -> int:
    """Run a plan; the exit status: 1 where one failed, 128 and the signal's number after one."""
    try:
        failed = run(plan, Interruption())
    except Interrupted as interrupted:
        print("script/bench: interrupted; what was done is kept", file=sys.stderr)
        return interrupted.status
    if failed:
        print(f"script/bench: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
