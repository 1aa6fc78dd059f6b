"""What is wrong with a plan, judged on the entities that its session began with."""

from __future__ import annotations

import random
from typing import Any, TypeVar

import msgspec

from tachyon.graph.cluster_file import ClusterFile, MetricSeries
from tachyon.graph.entities import (
    AvailabilityZone,
    Flavor,
    HostAggregate,
    Kind,
    Project,
    ServerGroup,
)
from tachyon.graph.mutations import Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.planners import Plan
from tests.optimize.checker import Replay

T = TypeVar("T")

#: `dummy_with_resize` names instances that are nowhere, as its specification has it; appliers skip
#: such actions.
NOWHERE = ("b199db0c-1408-4d52-b5a5-5ca14de0ff36", "8db1b3c1-7938-4c34-8c03-6de14b874f8f")


def problems_of(session: Session, plan: Plan, limits: dict[str, float]) -> list[str]:
    """Return what breaks a rule in the order that a plan lists, or with all at once that may."""
    if not plan.actions:
        return []
    content = content_of(session.view)
    actions: list[dict[str, Any]] = msgspec.to_builtins(plan.actions)
    found = Replay(content, limits).run(actions).problems
    found += Replay(content, limits).explore(actions, random.Random(1), eager=True).problems
    return [f for f in found if not any(f.endswith(f"there is no {uuid}") for uuid in NOWHERE)]


def content_of(view: View) -> ClusterFile:
    """Return the entities of a view, and its measured columns as series of one value."""
    content = view.memo.get("oversight")
    if content is None:
        providers = [view.provider_at(row) for row in view.provider_order.tolist()]
        content = view.memo["oversight"] = ClusterFile(
            cluster=Cluster(
                providers=providers,
                consumers=list(view.all_consumers()),
                flavors=_records(view, "flavor", Flavor),
                projects=_records(view, "project", Project),
                server_groups=_records(view, "server_group", ServerGroup),
                host_aggregates=_records(view, "host_aggregate", HostAggregate),
                availability_zones=_records(view, "availability_zone", AvailabilityZone),
            ),
            metrics=[_series(view, metric.name) for metric in view.metrics],
        )
    assert isinstance(content, ClusterFile)
    return content


def _records(view: View, kind: Kind, cls: type[T]) -> list[T]:
    return [record for record in view.records[kind].values() if isinstance(record, cls)]


def _series(view: View, name: str) -> MetricSeries:
    column = view.column(name)
    scale = view.scale(column)
    load = (view.consumers.demand[:, column] / scale).tolist()
    capacity = (view.inventories.capacity[:, column] / scale).tolist()
    return MetricSeries(
        name=name,
        unit="amount",
        kind="consumer",
        period=1,
        capacity={view.providers.uuid[r]: capacity[r] for r in view.provider_order.tolist()},
        values={view.consumers.uuid[r]: [load[r]] for r in view.consumer_order.tolist()},
    )
