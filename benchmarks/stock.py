"""`python -m benchmarks.stock`, a part of `make bench`: stock strategies on both sides' models.

Unmodified strategies of stock Watcher run on Watcher's own model, on ours in process, and on ours
over HTTP, in the same environment and the same run. BENCH_SMALL=1 takes a small cluster and writes
nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import peer, report
from tachyon.graph.client import connect
from tachyon.graph.cluster_file import read_cluster_file, write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Synchronise
from tachyon.graph.service.server import running
from tests.interop.environment import interpreter

#: Hosts, instances, and the seconds of CPU that a strategy may take.
SIZES = ((100, 2_000, 20), (1_000, 20_000, 20))
SMALL = ((20, 200, 60),)
#: What is measured of acquiring a model; at the second size upstream takes half a minute.
ACQUIRED = ((1_000, 20_000, 3), (5_000, 100_000, 1))
ACQUIRED_SMALL = ((20, 200, 2),)
_ROOT = Path(__file__).parents[1]
#: One of the twenty racks that a cluster has: 5 % of its hosts.
_RACK = "rack-007"


def main() -> None:
    """Measure and report."""
    quick = os.environ.get("BENCH_SMALL") == "1"
    print(_HEAD)
    parts = [_HEAD]
    for size in SMALL if quick else SIZES:
        parts.append(strategies(*size))
        print(parts[-1], flush=True)
    parts.append(acquisition(ACQUIRED_SMALL if quick else ACQUIRED))
    print(parts[-1], flush=True)
    if not quick:
        text = "\n".join(parts)
        (_ROOT / "docs" / "benchmarks-stock.md").write_text(text, encoding="utf-8")


_HEAD = f"""# Stock Watcher's strategies on Tachyon's models

`make bench` writes this page. Strategies of python-watcher {peer.VERSION} run unmodified, with
metrics from memory, on Watcher's own models, on Tachyon's in process (an embedded store) and on
Tachyon's over HTTP. Seconds are those of CPU in `execute`; "to in process" compares the time that
passed over HTTP, the service's part in it, with that in process. Actions are compared, not only
counted.
"""


def acquisition(sizes: tuple[tuple[int, int, int], ...]) -> str:
    """Return the table of acquiring a scoped model."""
    lines = [
        "## A scoped model to audit on\n",
        "From the collector's model to the first answer of one without 5 % of the hosts "
        "(target: 200 times faster). Seconds of CPU; over HTTP those that passed.\n",
        "| hosts / instances | Watcher | in process | | over HTTP | |",
        "|---|---|---|---|---|---|",
    ]
    for hosts, instances, rounds in sizes:
        with Case(hosts, instances) as case:
            note(f"{hosts} hosts: acquiring a scoped model")
            theirs, local, remote = (
                case.run("stock_acquire", _RACK, "--rounds", str(count), *graph)[clock]
                for count, clock, graph in (
                    (rounds, "seconds", ()),
                    (7, "seconds", ("--graph", case.store)),
                    (7, "wall", ("--graph", case.service)),
                )
            )
        lines.append(
            f"| {hosts:,} / {instances:,} | {report.seconds(theirs)} | {report.seconds(local)} | "
            f"{report.times(theirs / max(local, 1e-6))} | {report.seconds(remote)} | "
            f"{report.times(theirs / remote)} |"
        )
    return "\n".join([*lines, ""])


def strategies(hosts: int, instances: int, limit: int) -> str:
    """Return the table of one cluster's strategies."""
    lines = [
        f"## Strategies at {hosts:,} hosts and {instances:,} instances\n",
        "| strategy | Watcher | in process | | over HTTP | to in process | actions |",
        "|---|---|---|---|---|---|---|",
    ]
    with Case(hosts, instances) as case:
        sides = []
        for name, graph in (
            ("Watcher", ()),
            ("in process", ("--graph", case.store)),
            ("over HTTP", ("--graph", case.service)),
        ):
            note(f"{hosts} hosts: strategies, {name}")
            sides.append(case.run("stock_worker", "--limit", str(limit), *graph))
    for strategy, theirs in sides[0].items():
        lines.append(_line(strategy, theirs, sides[1][strategy], sides[2][strategy], limit))
    return "\n".join([*lines, ""])


def _line(
    name: str, theirs: dict[str, Any], local: dict[str, Any], remote: dict[str, Any], limit: int
) -> str:
    def taken(row: dict[str, Any]) -> str:
        return (
            f"> {limit} s" if row.get("error") == "time is up" else report.seconds(row["seconds"])
        )

    # A strategy may take less than the clock can tell.
    ratio = report.times(theirs["seconds"] / max(local["seconds"], 1e-6))
    if local.get("error") == "time is up":
        ratio = "–"
    elif theirs.get("error") == "time is up":
        ratio = f"> {ratio}"
    same = theirs["actions"] == local["actions"] == remote["actions"]
    actions = f"{len(local['actions'])}" + ("" if same else ", not compared")
    return (
        f"| {name} | {taken(theirs)} | {taken(local)} | {ratio} | {taken(remote)} | "
        f"{remote['wall'] / max(local['wall'], 1e-6):.2f} | {actions} |"
    )


class Case:
    """One cluster: its file, a store and a service that hold it."""

    def __init__(self, hosts: int, instances: int) -> None:
        self._shape = hosts, instances
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name)
        self.store = f"sqlite:///{self._path / 'graph.db'}"

    def __enter__(self) -> Case:
        hosts, instances = self._shape
        note(f"{hosts} hosts, {instances} instances: generating")
        content = generate(
            hosts, instances, aggregates=20, pools=8, volumes=instances // 10, seed=20260720
        )
        write_cluster_file(self._path / "cluster.json", content)
        with connect(self.store) as client:
            cluster = read_cluster_file(self._path / "cluster.json").cluster
            client.apply([Synchronise(cluster=cluster)])
        self._running = running(self.store)
        self.service = self._running.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._running.__exit__(*error)
        self._folder.cleanup()

    def run(self, worker: str, *arguments: str) -> dict[str, Any]:
        """Run a worker on the cluster, in Watcher's environment."""
        done = subprocess.run(
            [
                interpreter(),
                "-m",
                f"benchmarks.{worker}",
                self._path / "cluster.json",
                *arguments,
            ],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def note(text: str) -> None:
    """Tell what is going on, on the terminal's error stream."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
