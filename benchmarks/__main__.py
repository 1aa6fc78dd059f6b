"""`make bench`: measure, compare with stock Watcher in the same run, write docs/benchmarks.md.

Each size is measured in processes of its own. BENCH_SMALL=1 takes small clusters and writes
nothing but the terminal: it shows that the benchmark works, its figures mean little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import graph_tasks, http_tasks, peer, report
from benchmarks.moves import feasible_moves
from tachyon.graph.cluster_file import read_cluster_file, write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.view import build, snapshot_of

SIZES = ((1000, 20_000), (5000, 100_000))
SMALL = ((20, 200),)


def main() -> None:
    """Measure every size and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--worker", choices=("graph", "http"), help=argparse.SUPPRESS)
    parser.add_argument("--cluster", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--without-peer", action="store_true", help="do not measure stock Watcher")
    arguments = parser.parse_args()
    quick = os.environ.get("BENCH_SMALL") == "1"
    if arguments.worker:
        tasks = graph_tasks if arguments.worker == "graph" else http_tasks
        json.dump(tasks.in_temporary_store(arguments.cluster, quick), sys.stdout)
        return
    results = [
        measure(hosts, instances, with_peer=not arguments.without_peer)
        for hosts, instances in (SMALL if quick else SIZES)
    ]
    text = report.page(results)
    print(text)
    if not quick:
        Path("docs/benchmarks.md").write_text(text, encoding="utf-8")


def measure(hosts: int, instances: int, *, with_peer: bool) -> dict[str, Any]:
    """Return the figures of one cluster size, ours and the peer's."""
    note(f"{hosts} hosts, {instances} instances: generating")
    with tempfile.TemporaryDirectory() as folder:
        cluster = Path(folder) / "cluster.json"
        moves = Path(folder) / "moves.json"
        write_cluster_file(cluster, generate(hosts, instances, seed=20260720))
        view = build(snapshot_of(read_cluster_file(cluster).cluster))
        steps = [
            {"consumer": m.consumer_uuid, "source": m.from_provider, "target": m.to_provider}
            for m in feasible_moves(view, 1000)
        ]
        moves.write_text(json.dumps(steps), encoding="utf-8")
        del view
        result: dict[str, Any] = {"hosts": hosts, "instances": instances, "moves": len(steps)}
        for name in ("graph", "http"):
            note(f"{hosts} hosts, {instances} instances: {name}")
            result[name] = worker(name, cluster)
        if with_peer:
            note(f"{hosts} hosts, {instances} instances: stock Watcher")
            result["peer"] = peer.measure(cluster, moves)
    return result


def worker(name: str, cluster: Path) -> dict[str, float]:
    """Run one group of tasks in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--worker", name, "--cluster", cluster],
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def note(text: str) -> None:
    """Tell what is going on, on the terminal's error stream."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
