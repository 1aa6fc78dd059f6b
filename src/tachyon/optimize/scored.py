"""Measured load as columns of a folded view, for strategies of balancing and their goal.

The session that a strategy changes stays as it is; the scored view has the same rows, whole hosts
in place of their parts, and the metrics that count as columns. The goal judges the session by the
same columns, before and after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I32, Bool
from tachyon.graph.view.measured import Measurement, with_metrics, without_metrics
from tachyon.optimize.folding import fold

#: The resource class behind each metric of instances that hosts can run out of.
CLASS_OF: Mapping[str, str] = {"instance_cpu_usage": "VCPU", "instance_ram_usage": "MEMORY_MB"}


class Scored(Struct, frozen=True, kw_only=True):
    """By what a strategy judged how even the load is.

    Attributes:
        view: the base of the session, folded to hosts, with the columns that count.
        hosts: P; whose load is to be even.
        weights: of the columns.
    """

    view: View
    hosts: Bool
    weights: Mapping[str, float]

    def deviation(self, homes: I32) -> float:
        """Return Σ weight × standard deviation of utilisation, with consumers on some hosts (N)."""
        view, before = self.view, self.view.consumers.home
        moved = np.flatnonzero((homes != before) & (homes >= 0) & (before >= 0))
        total = 0.0
        for name, weight in self.weights.items():
            column = view.column(name)
            used = view.used[:, column].copy()
            demand = view.consumers.demand[moved, column]
            np.subtract.at(used, before[moved], demand)
            np.add.at(used, homes[moved], demand)
            counted = self.hosts & (view.capacity[:, column] > 0)
            if counted.any():
                total += weight * float((used[counted] / view.capacity[counted, column]).std())
        return total


class MeasuredLoad(Struct, frozen=True, kw_only=True):
    """One metric of instances, and that of hosts which goes with it.

    Attributes:
        column: the name that it gets in the view.
        metric: of instances, in its unit; see `CLASS_OF`.
        of_instances: N values; NaN counts nothing beyond what the host itself tells.
        of_hosts: P values (per cent of the VCPU, or KiB); None: the sum of the instances.
    """

    column: str
    metric: str
    of_instances: F64
    of_hosts: F64 | None = None


def scored(session: Session, loads: Sequence[MeasuredLoad]) -> View:
    """Return a session's state, folded to hosts, with a column for each load (vcpus or MB)."""
    view = without_metrics(fold(session).view)
    return with_metrics(view, [measurement(view, load) for load in loads], missing="zero")


def measurement(view: View, load: MeasuredLoad) -> Measurement:
    """Return a load in VCPUs or MB, beside what hosts physically have of either."""
    column = view.class_index.get(CLASS_OF[load.metric])
    total = np.zeros(view.provider_rows)
    full = np.zeros(view.consumer_rows)
    if column is not None:
        np.add.at(total, view.tree.hosts, view.inventories.total[:, column].astype(float))
        full = view.consumers.demand[:, column].astype(float)
    cpu = load.metric == "instance_cpu_usage"
    on_hosts = load.of_hosts
    if on_hosts is not None:
        on_hosts = on_hosts / 100.0 * total if cpu else on_hosts / 1024.0
    return Measurement(
        name=load.column,
        unit="VCPU" if cpu else "MB",
        load=load.of_instances / 100.0 * full if cpu else load.of_instances,
        full=full,
        capacity=total,
        provider_load=on_hosts,
    )
