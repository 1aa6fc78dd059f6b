"""Clusters and audits for the tests of this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
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

ROOT = Path(__file__).resolve().parents[2]
CAPTURE = ROOT / "tests" / "data" / "openstack-capture"

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
