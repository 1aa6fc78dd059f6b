"""Where a command's cluster comes from: any file that can be read as one, or a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from msgspec import Struct, field

from tachyon.errors import ClusterFileError, InvalidInput
from tachyon.graph.cluster_file import ClusterFile, MetricSeries
from tachyon.graph.importers import import_path
from tachyon.graph.mutations import Synchronise
from tachyon.graph.store import open_store
from tachyon.graph.view import View, build, snapshot_of
from tachyon.graph.view.measured import Missing, measure, with_metrics
from tachyon.openstack.captured import read_captured

F = TypeVar("F", bound=Callable[..., Any])

#: Names of formats on the command line, and those of the importers.
FORMATS = {
    "auto": "auto",
    "cluster": "cluster",
    "planetlab": "planetlab",
    "roadef": "roadef2012",
    "openstack": "openstack",
}


class Source(Struct, frozen=True):
    """A cluster as it was read: its view, and what was measured."""

    name: str
    view: View
    metrics: list[MetricSeries] = field(default_factory=list)


def is_store(name: str) -> bool:
    """Tell whether a name is a store's URL rather than a file's path."""
    return "://" in name


def read_content(path: str, format: str = "auto") -> ClusterFile:
    """Read a file or folder in any format; raises `ClusterFileError`."""
    if not Path(path).exists():
        raise ClusterFileError(f"{path}: there is no such file or folder", file=path)
    if format == "openstack" or (format == "auto" and _is_capture(path)):
        return read_captured(path)
    return import_path(path, FORMATS[format])


def _is_capture(path: str) -> bool:
    return os.path.isdir(path) and any(name.endswith(".json") for name in os.listdir(path))


def load(name: str, format: str = "auto", store: str | None = None) -> Source:
    """Return the cluster that a command's FILE names.

    Args:
        name: a path, or the URL of a store.
        format: of the file, one of `FORMATS`.
        store: URL of a store to bring the file's cluster into first; the view is then the
            store's.
    """
    if is_store(name):
        return Source(name, view_of_store(name))
    content = read_content(name, format)
    label = Path(name).name
    if store is None:
        return Source(label, build(snapshot_of(content.cluster)), content.metrics)
    put_into_store(store, content)
    return Source(label, view_of_store(store), content.metrics)


def view_of_store(url: str) -> View:
    """Return the view of what a store holds; it is not created when it is not there."""
    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).exists():
        raise InvalidInput(f"{path}: there is no such store; `tachyon import` makes one")
    store = open_store(url, create=False)
    try:
        return build(store.load())
    finally:
        store.close()


def put_into_store(url: str, content: ClusterFile) -> int:
    """Make a store's graph that of a cluster file, created if need be; returns its generation."""
    store = open_store(url)
    try:
        return store.apply([Synchronise(cluster=content.cluster)]).generation
    finally:
        store.close()


def with_measurements(
    source: Source,
    chosen: Sequence[str],
    window: tuple[int, int] | None,
    missing: Missing,
) -> View:
    """Return the source's view with its metrics as columns.

    Args:
        source: the cluster and its series.
        chosen: `NAME` or `NAME:STATISTIC` each; empty: every series of consumers, its mean.
        window: half-open range of positions in the series.
        missing: what stands for an instance without a value.
    """
    series = {s.name: s for s in source.metrics if s.kind == "consumer"}
    on_providers = {s.name: s for s in source.metrics if s.kind == "provider"}
    measurements = []
    for wanted in chosen or series:
        name, _, statistic = wanted.partition(":")
        if name not in series:
            there = ", ".join(series) or "none"
            raise InvalidInput(f"{source.name} has no metric {name} of instances; has: {there}")
        measurements.append(
            measure(
                source.view,
                series[name],
                statistic=statistic or "mean",
                window=window,
                on_providers=on_providers.get(name),
            )
        )
    if not measurements:
        return source.view
    return with_metrics(source.view, measurements, missing=missing)


def _window(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Return the half-open range of positions that `FIRST:LAST` names."""
    if value is None:
        return None
    first, _, last = value.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise click.BadParameter(f"{value!r} is not FIRST:LAST with FIRST below LAST")
    return int(first), int(last)


def source_options(command: F) -> F:
    """Add the options that say how FILE is read."""
    options = (
        click.option(
            "--input-format",
            type=click.Choice(list(FORMATS)),
            default="auto",
            help="Format of FILE.",
        ),
        click.option(
            "--store",
            metavar="URL",
            help="Bring FILE into this store first and work on the store's view.",
        ),
        click.option(
            "--metric",
            "metrics",
            multiple=True,
            metavar="NAME[:STATISTIC]",
            help="Measured metric to count: its mean, max, min or a percentile such as p95. "
            "Repeatable; all metrics by default.",
        ),
        click.option("--no-metrics", is_flag=True, help="Count allocations only."),
        click.option(
            "--window",
            callback=_window,
            metavar="FIRST:LAST",
            help="Positions in the series to count, e.g. 0:12 for the first twelve.",
        ),
        click.option(
            "--missing",
            type=click.Choice(get_args(Missing)),
            default="full",
            help="What an instance without measurements takes: all it holds, nothing, or an error.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_view(
    file: str,
    input_format: str,
    store: str | None,
    metrics: tuple[str, ...],
    no_metrics: bool,
    window: tuple[int, int] | None,
    missing: Missing,
) -> tuple[str, View]:
    """Return the name and the view that FILE and the `source_options` stand for."""
    source = load(file, input_format, store)
    if no_metrics:
        if metrics:
            raise click.UsageError("--metric and --no-metrics exclude each other")
        return source.name, source.view
    return source.name, with_measurements(source, metrics, window, missing)
