"""`python -m benchmarks.planetlab_day`: a day of consolidation beside the published policies.

Everything is measured in one run, in one simulation of the PlanetLab day;
docs/benchmarks-planetlab.md is written from it. Without the traces beside the checkout there is
nothing to measure.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Any

from msgspec import Struct

from benchmarks.planetlab_account import Account, Result
from benchmarks.planetlab_audits import Audits
from benchmarks.planetlab_data import INTERVAL, Day, Fleet, arrays
from benchmarks.planetlab_published import (
    Published,
    interquartile,
    median_deviation,
    regression,
    static,
)
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.importers.planetlab import read_planetlab
from tachyon.graph.view.columns import I64

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "planetlab"
PAGE = Path("docs/benchmarks-planetlab.md")

#: Given a moment and where machines stand, where they are to stand.
Decide = Callable[[int, I64], I64]

SPARING = {"overload": 0.95, "usual_aggregate": "max", "usual_threshold": 1}
TIGHT = {"overload": 0.95}
#: Capacity of this strategy counts allocation ratios: 0.05 of 16 times the CPU are 80 %.
WATCHERS = {"capacity_coefficients": {"cpu": 0.05}}


class Line(Struct, frozen=True, kw_only=True):
    """The figures of one policy, and seconds of processor time that its day took."""

    name: str
    result: Result
    seconds: float


def simulate(day: Day, fleet: Fleet, homes: I64, decide: Decide, moments: int) -> Result:
    """Return what a day costs under a policy that decides at each moment but the first."""
    account = Account(day, fleet)
    for at in range(moments):
        after = decide(at, homes) if at else homes
        account.interval(at, homes, after)
        homes = after
    return account.result()


def policies(content: ClusterFile, day: Day, fleet: Fleet) -> Iterator[tuple[str, Decide]]:
    """Yield all that is compared, with its name in the table."""
    yield "no migration", lambda _, homes: homes
    for name, detector in (
        ("THR 0.8 – MMT", static(0.8)),
        ("IQR 1.5 – MMT", interquartile(1.5)),
        ("MAD 2.5 – MMT", median_deviation(2.5)),
        ("LR 1.2 – MMT", regression(1.2, INTERVAL)),
    ):
        yield name, Published(day, fleet, detector).decide

    def ours(
        strategy: str, given: Mapping[str, Any], every: int, *, memory: bool = False
    ) -> Decide:
        return Audits(content, day, strategy, given, every=every, memory=memory).decide

    for every in (1, 3, 12):
        yield f"**sparing**, every {5 * every} min", ours("consolidation", SPARING, every)
    for every in (1, 3, 12):
        yield f"**tight**, every {5 * every} min", ours("consolidation", TIGHT, every)
    yield "**Watcher's**, every 60 min", ours("vm_workload_consolidation", WATCHERS, 12)
    yield "**sparing**, memory counts, every 5 min", ours("consolidation", SPARING, 1, memory=True)


def measure(path: Path, moments: int | None = None) -> list[Line]:
    """Return the figures of all policies on a day, or on its first moments."""
    content = read_planetlab(path)
    day, fleet, homes = arrays(content)
    lines = []
    for name, decide in policies(content, day, fleet):
        began = process_time()
        result = simulate(day, fleet, homes, decide, moments or day.demand.shape[1])
        lines.append(Line(name=name, result=result, seconds=process_time() - began))
    return lines


def table(lines: list[Line]) -> str:
    """Return the figures as a table."""
    rows = [
        "| policy | kWh | as CloudSim charges | migrations | overload % | SLATAH % | PDM % | SLAV "
        "| ESV | hosts on | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        r = line.result
        rows.append(
            f"| {line.name} | {r.energy:.1f} | {r.energy - r.uncharged:.1f} | {r.migrations:,} "
            f"| {r.overload:.2%} | {r.slatah:.2%} | {r.pdm:.4%} | {r.slav:.2e} | {r.esv:.2e} "
            f"| {r.hosts:.1f} | {line.seconds:.1f} |".replace("%", "")
        )
    return "\n".join(rows)


def page(tables: Mapping[str, str]) -> str:
    """Return the page as Markdown."""
    text = (Path(__file__).parent / "planetlab_page.md").read_text(encoding="utf-8")
    for day, one in tables.items():
        text = text.replace(f"{{{day}}}", one)
    return text


def main() -> None:
    """Measure both days and write the page; BENCH_SMALL=1 shows two hours of one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planetlab_day")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of YYYYMMDD.tar.gz")
    arguments = parser.parse_args()
    small = os.environ.get("BENCH_SMALL") == "1"
    tables = {}
    for day in ("20110303", "20110306")[: 1 if small else 2]:
        path = arguments.data / f"{day}.tar.gz"
        if not path.exists():
            print(f"{path}: no traces, nothing is measured")
            return
        tables[day] = table(measure(path, 24 if small else None))
        print(f"\n{day}\n\n{tables[day]}", flush=True)
    if not small:
        PAGE.write_text(page(tables), encoding="utf-8")


if __name__ == "__main__":
    main()
