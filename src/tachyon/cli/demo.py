"""`make demo`: Tachyon at work on a sample cluster, or on the file that DATA names.

The cluster is brought into an embedded store, both kinds of audit run on the store's view, and a
report of each with heat maps is written beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from rich.rule import Rule

from tachyon.cli.audit import execute
from tachyon.cli.console import output
from tachyon.cli.report import write_report
from tachyon.cli.source import (
    Source,
    put_into_store,
    read_content,
    view_of_store,
    with_measurements,
)
from tachyon.cli.tables import show_report
from tachyon.cli.words import duration
from tachyon.errors import TachyonError
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.generator import generate

GOALS = ("server_consolidation", "workload_balancing")

#: A cloud that has grown for a while: uneven, overcommitted, with zones, racks and groups.
SAMPLE = {
    "hosts": 100,
    "instances": 1500,
    "seed": 7,
    "skew": 0.6,
    "zones": 2,
    "aggregates": 5,
    "disabled": 0.03,
    "samples": 24,
}


def main() -> int:
    """Run the demo; DATA names a file to use, REPORTS a folder for the reports."""
    try:
        return _demo(os.environ.get("DATA") or None, os.environ.get("REPORTS") or None)
    except TachyonError as error:
        print(f"demo: error: {' '.join(error.message.split())}", file=sys.stderr)
        return 1


def _demo(data: str | None, reports: str | None) -> int:
    console = output()
    console.print(Rule("[bold]Tachyon[/]"))
    content, name = _content(data)
    folder = Path(reports or tempfile.mkdtemp(prefix="tachyon-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    started = perf_counter()
    url = f"sqlite:///{folder / 'graph.db'}"
    generation = put_into_store(url, content)
    source = Source(name, view_of_store(url), content.metrics)
    view = with_measurements(source, (), None, "full")
    console.print(
        f"{name}: {len(content.cluster.providers):,} providers and "
        f"{len(content.cluster.consumers):,} consumers, in an embedded store "
        f"(generation {generation}) and read back in {duration(perf_counter() - started)}.\n",
        markup=False,
    )
    for goal in GOALS:
        console.print(Rule(f"[bold]{goal}[/]"))
        report = execute(view, goal, None, {})
        show_report(console, report, name, 6)
        path = folder / f"{goal}.html"
        write_report(path, report, name)
        console.print(f"\nReport with heat maps: {path}\n", soft_wrap=True, markup=False)
    return 0


def _content(data: str | None) -> tuple[ClusterFile, str]:
    if data is not None:
        return read_content(data), Path(data).name
    return generate(**SAMPLE), "a generated cluster"  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
