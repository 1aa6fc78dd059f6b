"""What strategies ask to be measured, and the answers as arrays over the rows of a view.

A strategy declares its needs (`Strategy.metrics`); whoever runs it fetches them from a datasource,
one query for each need over all resources of a kind, and puts them into the context. Where nobody
did, the measured columns of the view itself stand in. A resource without a value is NaN: it is
named, and either left out or the end of the audit, as the parameter `missing_metrics` says; it is
never taken for idle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from tachyon.errors import MetricsMissing
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.openstack.telemetry.metrics import METRICS, ResourceType

#: Measured columns of a view (cluster files name them freely) that stand for a metric.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "cpu": ("cpu_usage", "instance_cpu_usage", "cpu_util", "cpu"),
    "ram": ("ram_usage", "memory_usage", "instance_ram_usage", "memory.resident", "memory"),
    "l3_cache": ("instance_l3_cache_usage", "cpu_l3_cache"),
    "disk": ("instance_root_disk_size", "disk.root.size"),
}

#: How many resources without a value are named; their number is always told.
_NAMED = 10


class MetricNeed(Struct, frozen=True, kw_only=True):
    """One metric that a strategy needs of all resources of a kind.

    Attributes:
        metric: a name of `METRICS`.
        aggregate: mean, min, max or count over the period.
        period, granularity: in seconds.
        key: under which the answer is kept; differs from the metric's name where one strategy
            needs a metric over several periods.
        ahead: seconds; where above 0, the expected peak of so long from now on is wanted rather
            than the past (see `forecasting`).
        optional: the strategy has something sound to go by without it.
    """

    metric: str
    resource_type: ResourceType
    aggregate: str = "mean"
    period: int = 300
    granularity: int = 300
    key: str = ""
    ahead: float = 0.0
    optional: bool = False

    @property
    def name(self) -> str:
        """The key, or the metric's name."""
        return self.key or self.metric

    @property
    def unit(self) -> str:
        """The unit of the answer."""
        return METRICS[self.metric].unit


class Measurements:
    """The answers: a float for each provider row (compute nodes) or consumer row (instances).

    NaN stands for a missing value; what was never asked for is missing throughout.
    """

    def __init__(self, values: Mapping[str, F64] | None = None) -> None:
        self._values: dict[str, F64] = dict(values or {})

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def put(self, need: MetricNeed, values: F64) -> None:
        """Keep the answer to a need: P values for compute nodes, N for instances."""
        self._values[need.name] = values

    def get(self, need: MetricNeed, view: View) -> F64:
        """Return the values of a need, by row; NaN where there is none."""
        rows = view.provider_rows if need.resource_type == "compute_node" else view.consumer_rows
        found = self._values.get(need.name)
        if found is None:
            return np.full(rows, np.nan)
        if found.shape != (rows,):
            raise ValueError(f"{need.name}: {found.shape} values for {rows} rows")
        return found


class Shortage(Struct, frozen=True, kw_only=True):
    """Resources that have no value of a metric; `resources` names some of them."""

    metric: str
    resource_type: ResourceType
    count: int
    resources: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.resources) + (", …" if self.count > len(self.resources) else "")
        kind = self.resource_type.replace("_", " ")
        return f"{self.metric} is missing for {self.count} {kind}s ({named})"


def shortage(view: View, need: MetricNeed, values: F64, wanted: Bool) -> Shortage | None:
    """Return who of the wanted rows has no value; None when nobody."""
    rows = np.flatnonzero(wanted & np.isnan(values))
    if not rows.size:
        return None
    return Shortage(
        metric=need.metric,
        resource_type=need.resource_type,
        count=int(rows.size),
        resources=tuple(_name(view, need.resource_type, row) for row in rows[:_NAMED].tolist()),
    )


def missing(shortages: Sequence[Shortage]) -> MetricsMissing:
    """Return the error that names all that is missing."""
    return MetricsMissing(
        "; ".join(map(str, shortages)),
        missing=[
            {
                "metric": s.metric,
                "resource_type": s.resource_type,
                "count": s.count,
                "resources": list(s.resources),
            }
            for s in shortages
        ],
    )


def _name(view: View, resource_type: ResourceType, row: int) -> str:
    if resource_type == "compute_node":
        return view.provider_at(row).name
    return view.consumers.uuid[row]


def of_view(view: View) -> Measurements:
    """Return what the measured columns of a view say, under Watcher's names and units."""
    found: dict[str, F64] = {}
    column = _column(view, "cpu")
    if column is not None:
        vcpus = _held(view, "VCPU")
        with np.errstate(divide="ignore", invalid="ignore"):
            found["instance_cpu_usage"] = np.where(
                vcpus > 0, 100.0 * _demand(view, column) / vcpus, np.nan
            )
            capacity = view.capacity[:, column]
            found["host_cpu_usage"] = np.where(
                capacity > 0, 100.0 * view.used[:, column] / capacity, np.nan
            )
    column = _column(view, "ram")
    if column is not None:
        found["instance_ram_usage"] = _demand(view, column)
        found["host_ram_usage"] = view.used[:, column] / view.scale(column) * 1024.0
    for kind, metric in (("l3_cache", "instance_l3_cache_usage"), ("disk", _COLUMNS["disk"][0])):
        column = _column(view, kind)
        if column is not None:
            found[metric] = _demand(view, column)
    return Measurements(found)


def _column(view: View, kind: str) -> int | None:
    measured = {m.name: view.column(m.name) for m in view.metrics}
    return next((measured[name] for name in _COLUMNS[kind] if name in measured), None)


def _demand(view: View, column: int) -> F64:
    found: F64 = view.consumers.demand[:, column] / view.scale(column)
    return found


def _held(view: View, name: str) -> I64:
    column = view.class_index.get(name)
    if column is None:
        return np.zeros(view.consumer_rows, np.int64)
    held: I64 = view.consumers.demand[:, column]
    return held
