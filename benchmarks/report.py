"""The benchmark page: each figure beside its target and, where there is one, the peer's."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks import peer


class Row(NamedTuple):
    """One line of the table: what, where the figure stands, how it reads, what it should reach."""

    work: str
    group: str
    key: str
    show: Callable[[float], str]
    target: str
    peer_key: str | None = None


def seconds(value: float) -> str:
    """Show a time in the unit in which people read it best."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def megabytes(value: float) -> str:
    """Show bytes as megabytes."""
    return f"{value / 1e6:.1f} MB"


def rate(value: float) -> str:
    """Show how many a second."""
    return f"{value:,.0f} /s"


def times(ratio: float) -> str:
    """Show how many times faster we are."""
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.3g} ×"


ROWS = (
    Row(
        "a model to audit on: a session on a warm view",
        "graph",
        "open",
        seconds,
        "≤ 0.1 ms",
        "open",
    ),
    Row(
        "usage and free capacity of all hosts in virtual state, cold",
        "graph",
        "usage",
        seconds,
        "≤ 0.2 ms",
        "usage",
    ),
    Row(
        "1,000 validated moves, each followed by both hosts' usage, in process",
        "graph",
        "record",
        seconds,
        "≤ 15 ms",
        "record",
    ),
    Row(
        "the same 1,000 moves as one batch over HTTP",
        "http",
        "record_batch",
        seconds,
        "≤ 30 ms",
        "record",
    ),
    Row(
        "the same 1,000 moves one by one over HTTP",
        "http",
        "record_single",
        seconds,
        "≤ 1 s",
        "record",
    ),
    Row(
        "the same 1,000 moves one by one over HTTP, in a stored session",
        "http",
        "record_stored",
        seconds,
        "—",
        "record",
    ),
    Row(
        "10,000 candidate moves: standard deviation and capacity check",
        "graph",
        "evaluate",
        seconds,
        "≤ 3 ms",
    ),
    Row(
        "valid destinations of one consumer, all rules", "graph", "destinations", seconds, "≤ 1 ms"
    ),
    Row(
        "memory of the view (allocated)",
        "graph",
        "view_bytes",
        megabytes,
        "≤ 60 MB at 5,000 / 100,000",
    ),
    Row(
        "memory of the view (growth of the process, load included)",
        "graph",
        "view_resident",
        megabytes,
        "—",
    ),
    Row("memory of 1,000 sessions of 100 deltas", "graph", "sessions_bytes", megabytes, "≤ 60 MB"),
    Row(
        "cold start: store → view, SQLite",
        "graph",
        "cold_start",
        seconds,
        "≤ 2 s at 5,000 / 100,000",
    ),
    Row("durable single changes, SQLite with full fsync", "graph", "durable", rate, "≥ 1,500 /s"),
    Row(
        "whole model to a client, MessagePack columns over HTTP, ready to use",
        "http",
        "snapshot",
        seconds,
        "≤ 0.3 s at 5,000 / 100,000",
    ),
)


def page(results: Sequence[dict[str, Any]]) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. The peer is stock `python-watcher` "
        f"{peer.VERSION}'s in-memory model (NetworkX), measured in the same run on the same",
        "generated clusters, each in a process of its own; every figure is the best of several "
        "rounds.",
        f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}.",
        "",
    ]
    for result in results:
        lines += [f"## {result['hosts']:,} hosts, {result['instances']:,} instances", ""]
        lines += ["| work | Tachyon | target | stock Watcher | ratio |", "|---|---|---|---|---|"]
        lines += [line(row, result) for row in ROWS]
        lines.append("")
        theirs = result.get("peer")
        if theirs:
            lines += [
                "Two audits at once: the peer copies its model twice, "
                f"{seconds(theirs['open_two'])} until both are done; two sessions on one view take "
                f"{seconds(2 * result['graph']['open'])}. "
                f"The peer's model takes {theirs['bytes_per_element'] / 1000:.2f} kB an element, "
                "and a whole model more per running audit.",
                "",
            ]
    return "\n".join(lines)


def line(row: Row, result: dict[str, Any]) -> str:
    """Return one line of a size's table."""
    ours = result[row.group][row.key]
    theirs = result.get("peer", {}).get(row.peer_key) if row.peer_key else None
    shown = "—" if theirs is None else seconds(theirs)
    ratio = "—" if theirs is None else times(theirs / ours)
    return f"| {row.work} | {row.show(ours)} | {row.target} | {shown} | {ratio} |"
