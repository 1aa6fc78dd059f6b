"""Clusters and audits for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster
from tachyon.graph.view import View, build, snapshot_of
from tachyon.graph.view.measured import measure, with_metrics
from tachyon.optimize.audit import AuditReport, run_audit
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import Measurements
from tachyon.optimize.strategies.options import StrategyOptions

ROOT = Path(__file__).resolve().parents[2]
CAPTURE = ROOT / "tests" / "data" / "openstack-capture" / "http"

PLUGINS = Plugins()

#: Shapes that differ in what constrains a placement.
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"hosts": 30, "instances": 300},
    "tight": {"hosts": 24, "instances": 400, "load": 0.85},
    "skewed": {"hosts": 40, "instances": 300, "skew": 1.0},
    "zones": {"hosts": 36, "instances": 360, "zones": 3, "aggregates": 6},
    "groups": {"hosts": 25, "instances": 200, "server_groups": 50, "skew": 0.7},
    "broken": {"hosts": 30, "instances": 250, "disabled": 0.2, "down": 0.1, "skew": 0.6},
    "nested": {"hosts": 16, "instances": 150, "nested": 2, "skew": 0.6},
    "measured": {"hosts": 30, "instances": 300, "samples": 12, "skew": 0.6},
    "nested and measured": {"hosts": 12, "instances": 100, "nested": 2, "samples": 6},
    "storage": {"hosts": 20, "instances": 150, "pools": 4, "volumes": 60},
}


@cache
def cluster(shape: str, seed: int) -> ClusterFile:
    return generate(seed=seed, **SHAPES[shape])


def view_of(content: ClusterFile) -> View:
    view = build(snapshot_of(content.cluster))
    if not content.metrics:
        return view
    return with_metrics(view, [measure(view, s) for s in content.metrics], missing="full")


def audit(
    content: ClusterFile,
    goal: str,
    parameters: dict[str, Any] | None = None,
    context: Context | None = None,
) -> AuditReport:
    strategy = PLUGINS.strategy_for(goal)(parameters)
    return run_audit(view_of(content), PLUGINS.goal(goal), strategy, context)


def run(
    content: ClusterFile,
    name: str,
    parameters: dict[str, Any] | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    options: StrategyOptions | None = None,
    **surroundings: Any,
) -> AuditReport:
    """Run a strategy by its name with its own planner.

    Args:
        content: the cluster.
        name: of the strategy.
        parameters: of the audit.
        metrics: values by uuid (hosts or instances) by the name of the need; None: what the
            cluster's own series say.
        options: of the operator.
        surroundings: for the context.
    """
    view = view_of(content)
    strategy = PLUGINS.strategy(name)(parameters, options)
    if metrics is not None:
        surroundings["measurements"] = measured(view, metrics)
    context = Context(**surroundings)
    planner = PLUGINS.planner(strategy.planner)()
    return run_audit(view, PLUGINS.goal(strategy.goal), strategy, context, planner=planner)


def measured(view: View, metrics: Mapping[str, Mapping[str, float]]) -> Measurements:
    found = {}
    for name, values in metrics.items():
        of_hosts = name.startswith("host_")
        index = view.providers.index if of_hosts else view.consumers.index
        rows = view.provider_rows if of_hosts else view.consumer_rows
        found[name] = np.full(rows, np.nan)
        for uuid, value in values.items():
            found[name][index[uuid]] = value
    return Measurements(found)


def steps(report: AuditReport) -> list[tuple[Any, ...]]:
    """The plan in short: type, resource, and what tells it apart."""
    found: list[tuple[Any, ...]] = []
    for action in report.actions:
        given = action.input_parameters
        if action.action_type in ("migrate", "volume_migrate"):
            to = given.get("destination_node") or given.get("destination_type")
            found.append((given["migration_type"], action.resource_id, to))
        elif action.action_type in ("change_nova_service_state", "change_node_power_state"):
            found.append((given["state"], action.resource_id))
        else:
            found.append((action.action_type, action.resource_id))
    return found


def indicators(report: AuditReport) -> dict[str, float]:
    return {i.name: i.value for i in report.indicators}


def actions(report: AuditReport) -> list[dict[str, Any]]:
    """The actions as a client reads them."""
    found: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(report.actions))
    return found


def shared(name: str) -> Path:
    """Return the path of a public data set beside the checkout, or skip the test."""
    path = ROOT.parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"needs the shared data set {name}, expected in ../shared/data")
    return path


def planetlab(day: str) -> Path:
    return shared(f"planetlab/{day}.tar.gz")


def host(name: str, vcpus: int = 8, **fields: Any) -> ResourceProvider:
    fields.setdefault("inventories", {"VCPU": Inventory(total=vcpus)})
    return ResourceProvider(uuid=name, name=name, **fields)


def vm(name: str, on: str, vcpus: int = 1, **fields: Any) -> Consumer:
    return Consumer(uuid=name, name=name, allocations={on: {"VCPU": vcpus}}, **fields)


def small(hosts: list[ResourceProvider], vms: list[Consumer], **records: Any) -> ClusterFile:
    return ClusterFile(cluster=Cluster(providers=hosts, consumers=vms, **records))
