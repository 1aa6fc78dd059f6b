"""Measured load as columns of a view, so that sessions treat it like allocated resources.

Audits call `measure` for each series of a cluster file (or of a telemetry source) and
`with_metrics` once; strategies then see a metric as one more column. Nothing is silently taken
for zero: the caller says what a consumer without a value stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import MetricSeries
from tachyon.graph.entities import HOST_TYPES
from tachyon.graph.view.columns import F64, I64, Bool, Metric, frozen
from tachyon.graph.view.view import View

#: What a consumer without a value stands for: all of what it holds of the metric's resource,
#: nothing, or an error.
Missing = Literal["full", "zero", "refuse"]

#: The resource class behind a unit, where a series names none.
_RESOURCE_OF = {"percent": "VCPU", "MB": "MEMORY_MB", "MiB": "MEMORY_MB", "GB": "DISK_GB"}

_STATISTICS = "mean, max, min or a percentile such as p95"


class Measurement(Struct, frozen=True, kw_only=True):
    """One metric over a stretch of time, by the rows of a view.

    Attributes:
        name, unit: of the column; amounts are in `unit`.
        load: N; what each consumer takes. NaN: not measured.
        full: N; what it takes at most, by what it holds. NaN: not known.
        capacity: P; what each host can deliver; 0: not counted.
        provider_load: P; what each host delivers as measured on the host itself, its own
            processes included. NaN, or None for all: the sum of its consumers.
    """

    name: str
    unit: str
    load: F64
    full: F64
    capacity: F64
    provider_load: F64 | None = None


def measure(
    view: View,
    series: MetricSeries,
    *,
    statistic: str = "mean",
    window: tuple[int, int] | None = None,
    on_providers: MetricSeries | None = None,
) -> Measurement:
    """Reduce a series of consumers to one number each, in amounts that can be added up.

    Args:
        view: the view whose rows count.
        series: of consumers. Its capacity is what it says, else the physical amount of its
            resource class on each host (reserved amounts and ratios do not change a processor).
        statistic: mean, max, min or a percentile (`p95`) over the values that are there.
        window: half-open range of positions in the series; None: all of it.
        on_providers: the same metric measured on hosts, in per cent of their capacity or in the
            unit of `series`.

    Raises:
        InvalidInput: the statistic is unknown, the series is not of consumers, or nothing says
            how much the hosts can deliver.
    """
    if series.kind != "consumer":
        raise InvalidInput(
            f"metric {series.name} is measured on {series.kind}s; moves shift that of consumers"
        )
    resource = series.resource or _RESOURCE_OF.get(series.unit)
    held, physical = _amounts(view, resource)
    index = {u: r for u, r in view.consumers.index.items() if r < view.consumer_rows}
    load = _reduced(series, index, view.consumer_rows, statistic, window)
    if series.unit == "percent":
        load = load / 100.0 * held
    capacity = _capacity(view, series, physical)
    provider_load = None
    if on_providers is not None:
        rows = {u: r for u, r in view.providers.index.items() if r < view.provider_rows}
        provider_load = _reduced(on_providers, rows, view.provider_rows, statistic, window)
        if on_providers.unit == "percent":
            provider_load = provider_load / 100.0 * capacity
    unit = (resource or series.unit) if series.unit == "percent" else series.unit
    return Measurement(
        name=series.name,
        unit=unit,
        load=load,
        full=held,
        capacity=capacity,
        provider_load=provider_load,
    )


def with_metrics(view: View, measurements: Sequence[Measurement], *, missing: Missing) -> View:
    """Return the view with a column for each measurement behind its resource classes.

    Columns hold whole numbers of `1 / Metric.scale` units: `consumers.demand` what a consumer
    takes, `used` what stands on each host, `inventories.capacity` what it can deliver. Recording
    deltas checks neither units nor capacity of these columns; `limits` of destinations do.

    Args:
        view: a view without metrics.
        measurements: one for each column, in order.
        missing: what an instance without a value stands for.

    Raises:
        InvalidInput: a name is there already, or values are missing that `missing` cannot stand
            in for; names the metric and some of the consumers.
    """
    taken = set(view.classes)
    for one in measurements:
        if one.name in taken:
            raise InvalidInput(f"there is a column {one.name} already", metric=one.name)
        taken.add(one.name)
    metrics = [Metric(name=m.name, unit=m.unit) for m in measurements]
    c = view.consumers
    placed = c.alive & (c.home >= 0)
    demand, used, capacity = [], [], []
    for one, metric in zip(measurements, metrics, strict=True):
        amounts = _scaled(_filled(view, one, placed, missing), metric.scale)
        amounts[~placed] = 0
        on = np.zeros(view.provider_rows, np.int64)
        np.add.at(on, c.home[placed], amounts[placed])
        if one.provider_load is not None:
            known = ~np.isnan(one.provider_load)
            on[known] = _scaled(one.provider_load[known], metric.scale)
        demand.append(amounts)
        used.append(on)
        capacity.append(np.where(view.providers.alive, one.capacity, 0.0) * metric.scale)
    return View(
        generation=view.generation,
        classes=[*view.classes, *(m.name for m in measurements)],
        providers=view.providers,
        inventories=_inventories(view, capacity),
        consumers=replace(c, demand=frozen(np.column_stack([c.demand, *demand]))),
        used=np.column_stack([view.used, *used]),
        codes=view.codes,
        records=view.records,
        metrics=metrics,
    )


def without_metrics(view: View) -> View:
    """Return the view with its resource classes only."""
    width = view.resource_columns
    if not view.metrics:
        return view

    def narrowed(array: Any) -> Any:
        return frozen(np.ascontiguousarray(array[:, :width]))

    inv, c = view.inventories, view.consumers
    return View(
        generation=view.generation,
        classes=view.classes[:width],
        providers=view.providers,
        inventories=replace(
            inv, **{name: narrowed(getattr(inv, name)) for name in inv.__struct_fields__}
        ),
        consumers=replace(c, demand=narrowed(c.demand)),
        used=narrowed(view.used),
        codes=view.codes,
        records=view.records,
    )


def _inventories(view: View, capacity: Sequence[F64]) -> Any:
    inv = view.inventories
    amounts = np.column_stack([inv.capacity, *capacity])
    first = len(view.classes)

    def widened(name: str, fill: int) -> Any:
        old = getattr(inv, name)
        made = np.full(amounts.shape, fill, old.dtype)
        made[:, :first] = old
        return made

    has = widened("has", 0)
    has[:, first:] = amounts[:, first:] > 0
    total = widened("total", 0)
    total[:, first:] = amounts[:, first:].astype(np.int64)
    columns = {
        "has": has,
        "total": total,
        "reserved": widened("reserved", 0),
        "ratio": widened("ratio", 1),
        "capacity": amounts,
        "min_unit": widened("min_unit", 1),
        "max_unit": widened("max_unit", np.iinfo(np.int64).max),
        "step_size": widened("step_size", 1),
    }
    return replace(inv, **{name: frozen(array) for name, array in columns.items()})


def _filled(view: View, one: Measurement, placed: Bool, missing: Missing) -> F64:
    lacking = np.isnan(one.load) & placed
    if not lacking.any():
        return one.load
    load = one.load.copy()
    if missing == "zero":
        load[lacking] = 0.0
    elif missing == "full":
        load[lacking] = one.full[lacking]
    # Who holds nothing of the resource (a volume has no processor) takes nothing of it.
    load[lacking & (one.full == 0)] = 0.0
    open_rows = np.flatnonzero(np.isnan(load) & placed)
    if open_rows.size:
        named = [view.consumers.uuid[row] for row in open_rows[:5].tolist()]
        raise InvalidInput(
            f"metric {one.name} has no value for {open_rows.size} consumers "
            f"({', '.join(named)}{', …' if open_rows.size > len(named) else ''})",
            metric=one.name,
            count=int(open_rows.size),
        )
    return load


def _scaled(values: F64, scale: int) -> I64:
    return np.rint(np.nan_to_num(values) * scale).astype(np.int64)


def _amounts(view: View, resource: str | None) -> tuple[F64, F64]:
    """Return what consumers hold of a class (N), and what hosts physically have of it (P)."""
    column = None if resource is None else view.class_index.get(resource)
    if column is None:
        return np.full(view.consumer_rows, np.nan), np.zeros(view.provider_rows)
    held = view.consumers.demand[:, column].astype(np.float64)
    hosts = np.array(view.tree.hosts, np.int64)
    physical = np.zeros(view.provider_rows)
    np.add.at(physical, hosts, view.inventories.total[:, column].astype(np.float64))
    of_host_type = np.array([t in HOST_TYPES for t in view.tree.types], np.bool_)
    return held, np.where(of_host_type, physical, 0.0)


def _capacity(view: View, series: MetricSeries, physical: F64) -> F64:
    if series.capacity:
        capacity = np.zeros(view.provider_rows)
        for uuid, amount in series.capacity.items():
            row = view.providers.index.get(uuid, -1)
            if 0 <= row < view.provider_rows:
                capacity[row] = amount
        return capacity
    if not physical.any():
        raise InvalidInput(
            f"metric {series.name} in {series.unit} has no capacity, and no resource class "
            "to derive it from",
            metric=series.name,
        )
    return physical


def _reduced(
    series: MetricSeries,
    index: dict[str, int],
    rows: int,
    statistic: str,
    window: tuple[int, int] | None,
) -> F64:
    """Return one number for each row; NaN where there is no value."""
    reduced = np.full(rows, np.nan)
    first, last = window or (0, None)
    by_length: dict[int, tuple[list[int], list[list[float | None]]]] = {}
    for uuid, values in series.values.items():
        row = index.get(uuid, -1)
        kept = values[first:last] if window else values
        if row >= 0 and kept:
            at, some = by_length.setdefault(len(kept), ([], []))
            at.append(row)
            some.append(kept)
    for at, some in by_length.values():
        table = np.array(some, np.float64)
        present = ~np.isnan(table).all(axis=1)
        reduced[np.array(at)[present]] = _statistic(table[present], statistic)
    return reduced


def _statistic(table: F64, statistic: str) -> F64:
    """Reduce each row of a table, missing values left out."""
    found: F64
    if statistic == "mean":
        found = np.nanmean(table, axis=1)
        return found
    # The extremes are percentiles, too.
    statistic = {"min": "p0", "max": "p100"}.get(statistic, statistic)
    rank = statistic.removeprefix("p")
    if statistic.startswith("p") and rank.isdigit() and 0 <= int(rank) <= 100:
        found = np.nanpercentile(table, int(rank), axis=1)
        return found
    raise InvalidInput(f"unknown statistic {statistic!r}; there are {_STATISTICS}")
