"""Random small clusters and deltas that hold every shape a session must get right.

Plain hosts, hosts with NUMA nodes and PCI devices below them, storage hosts with pools, sharing
providers, baremetal nodes; consumers on one provider, on several, on two hosts at once, or
nowhere; unit rules, ratios, reserved amounts, traits, zones, aggregates and server groups. Few
names and small amounts, so that deltas meet each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tachyon.graph.deltas import Allocate, Deallocate, Delta, Move, Resize, UpdateProvider
from tachyon.graph.entities import (
    AvailabilityZone,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.mutations import (
    AnyMutation,
    Cluster,
    PutAvailabilityZone,
    PutConsumer,
    PutFlavor,
    PutHostAggregate,
    PutProject,
    PutProvider,
    PutServerGroup,
)
from tachyon.graph.view import View
from tachyon.graph.view.measured import Measurement, with_metrics
from tests.simulation.naive import SCALE, Measured, Situation

ROOM: dict[str, list[Inventory]] = {
    "VCPU": [
        Inventory(total=8),
        Inventory(total=4, allocation_ratio=1.5),
        Inventory(total=6, reserved=2, allocation_ratio=4.0),
        Inventory(total=8, max_unit=3),
        Inventory(total=8, min_unit=2, step_size=2),
        Inventory(total=3, allocation_ratio=0.5),
        Inventory(total=2, reserved=3),
    ],
    "MEMORY_MB": [
        Inventory(total=12),
        Inventory(total=7, reserved=1),
        Inventory(total=9, max_unit=4),
        Inventory(total=10, step_size=2),
    ],
    "DISK_GB": [Inventory(total=10), Inventory(total=5, allocation_ratio=3.3), Inventory(total=3)],
    "CUSTOM_GPU": [Inventory(total=1), Inventory(total=2, max_unit=1), Inventory(total=4)],
    "CUSTOM_BAREMETAL": [Inventory(total=1)],
}
#: A metric is no resource class: nothing can be allocated of it.
METRIC = "cpu_load"
CLASSES = [*ROOM, "CUSTOM_UNKNOWN", METRIC]
TRAITS = ("HW_AVX", "CUSTOM_FAST")
ZONES = ("az1", "az2")
GROUPS = ("affine", "apart", "apart-by-two", "soft", "undescribed")
FLAVORS = ("plain", "avx", "no-avx", "ssd", "either", "undescribed")

FLAVOR_RECORDS = [
    Flavor(id="plain", vcpus=1),
    Flavor(id="avx", extra_specs={"trait:HW_AVX": "required"}),
    Flavor(id="no-avx", extra_specs={"trait:HW_AVX": "forbidden", "hw:numa_nodes": "1"}),
    Flavor(id="ssd", extra_specs={"aggregate_instance_extra_specs:disk": "ssd"}),
    Flavor(
        id="either",
        extra_specs={
            "aggregate_instance_extra_specs:disk": "<or> nvme <or> ssd",
            "trait1:CUSTOM_FAST": "required",
        },
    ),
]
GROUP_RECORDS = [
    ServerGroup(uuid="affine", policy="affinity"),
    ServerGroup(uuid="apart", policy="anti-affinity"),
    ServerGroup(uuid="apart-by-two", policy="anti-affinity", rules={"max_server_per_host": 2}),
    ServerGroup(uuid="soft", policy="soft-anti-affinity"),
]
AGGREGATE_RECORDS = [
    HostAggregate(name="fast", metadata={"disk": "ssd, nvme"}),
    HostAggregate(name="west", availability_zone="az1", metadata={"disk": "nvme"}),
    HostAggregate(name="east", availability_zone="az2"),
]
AGGREGATES = ("fast", "west", "east", "undescribed")


def inventories(*names: str) -> st.SearchStrategy[dict[str, Inventory]]:
    return st.fixed_dictionaries({name: st.sampled_from(ROOM[name]) for name in names})


def some(values: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=2).map(tuple)


@st.composite
def hosts(draw: Any, uuid: str, kind: str = "compute", *names: str) -> ResourceProvider:
    """A provider without parent; mostly in service."""
    service = draw(
        st.sampled_from(
            [{}, {}, {}, {"status": "disabled"}, {"state": "down"}, {"maintenance": True}]
        )
    )
    return ResourceProvider(
        uuid=uuid,
        name=uuid,
        type=kind,
        availability_zone=draw(st.sampled_from([None, None, *ZONES])),
        aggregates=draw(some(AGGREGATES)),
        traits=draw(some(TRAITS)),
        inventories=draw(inventories(*names)),
        **service,
    )


@st.composite
def part(draw: Any, uuid: str, parent: str, kind: str, *names: str) -> ResourceProvider:
    """A provider below another."""
    return ResourceProvider(
        uuid=uuid,
        name=uuid,
        type=kind,
        parent_uuid=parent,
        traits=draw(some(TRAITS)),
        inventories=draw(inventories(*names)),
    )


@st.composite
def trees(draw: Any) -> list[ResourceProvider]:
    """Hosts of all kinds, parents before children; names do not follow the order of entry."""
    found: list[ResourceProvider] = []
    for uuid in draw(st.permutations(["host-c", "host-a", "host-b"]))[: draw(st.integers(1, 3))]:
        disk = draw(st.sampled_from([(), ("DISK_GB",)]))
        found.append(draw(hosts(uuid, "compute", "VCPU", "MEMORY_MB", *disk)))
    for uuid in ("numa-host-b", "numa-host-a")[: draw(st.integers(0, 2))]:
        found.append(draw(hosts(uuid, "compute", "MEMORY_MB")))
        for node in ("y", "x")[: draw(st.integers(1, 2))]:
            numa = f"{uuid}-{node}"
            found.append(draw(part(numa, uuid, "numa", "VCPU", "MEMORY_MB")))
            if draw(st.booleans()):
                below = draw(st.sampled_from([uuid, numa]))
                found.append(draw(part(f"{numa}-gpu", below, "pci", "CUSTOM_GPU")))
    if draw(st.booleans()):
        found.append(draw(hosts("storage", "storage")))
        for uuid in ("pool-c", "pool-a", "pool-b")[: draw(st.integers(1, 3))]:
            found.append(draw(part(uuid, "storage", "pool", "DISK_GB")))
    if draw(st.booleans()):
        found.append(draw(hosts("shared", "sharing", "DISK_GB")))
    for uuid in ("metal-b", "metal-a")[: draw(st.sampled_from([0, 0, 2]))]:
        found.append(draw(hosts(uuid, "baremetal", "CUSTOM_BAREMETAL")))
    return found


@st.composite
def allocations(draw: Any, providers: Sequence[ResourceProvider]) -> dict[str, dict[str, int]]:
    """What a consumer holds: mostly on one tree, often with parts, sometimes on several."""
    if not providers:
        return {}
    by_uuid = {p.uuid: p for p in providers}
    first = draw(st.sampled_from(providers))
    seat = [first]
    if first.parent_uuid in by_uuid and draw(st.booleans()):
        seat.append(by_uuid[first.parent_uuid])
    seat.extend(p for p in providers if p.parent_uuid == first.uuid)
    if draw(st.sampled_from([False, False, True])):
        seat.append(draw(st.sampled_from(providers)))
    held: dict[str, dict[str, int]] = {}
    for provider in seat:
        for name in provider.inventories:
            amount = draw(st.sampled_from([1, 0, 1, 2, 3]))
            if amount:
                held.setdefault(provider.uuid, {})[name] = amount
    return held


@st.composite
def consumers(draw: Any, uuid: str, providers: Sequence[ResourceProvider]) -> Consumer:
    return Consumer(
        uuid=uuid,
        name=uuid,
        type=draw(st.sampled_from(["instance", "instance", "volume"])),
        flavor_id=draw(st.sampled_from([None, *FLAVORS])),
        server_group=draw(st.sampled_from([None, *GROUPS])),
        pinned_az=draw(st.sampled_from([None, None, *ZONES])),
        project_id=draw(st.sampled_from([None, "p1"])),
        allocations=draw(allocations(providers)),
    )


@st.composite
def clusters(draw: Any) -> Cluster:
    providers = draw(trees())
    names = draw(st.permutations([f"vm-{n}" for n in range(7)]))
    return Cluster(
        providers=providers,
        consumers=[draw(consumers(u, providers)) for u in names[: draw(st.integers(1, 7))]],
        flavors=FLAVOR_RECORDS,
        projects=[Project(external_id="p1")],
        server_groups=GROUP_RECORDS,
        host_aggregates=AGGREGATE_RECORDS,
        availability_zones=[AvailabilityZone(name=name) for name in ZONES],
    )


@st.composite
def measured(draw: Any, now: Situation) -> Measured:
    """Measured load of the consumers that are placed, and of hosts beside them."""
    hosts = list(now.graph.providers)
    load = {uuid: 250_000 * draw(st.integers(0, 8)) for uuid, held in now.held.items() if held}
    own = {uuid: 500_000 * draw(st.sampled_from([0, 0, 1, -1])) for uuid in hosts}
    on = {h: own[h] + sum(n for u, n in load.items() if now.home(u) == h) for h in hosts}
    room = {h: SCALE * draw(st.sampled_from([4.0, 0.0, 2.5])) for h in hosts}
    return Measured(load, on, room)


def with_measured(view: View, metric: Measured) -> View:
    """Return the view with the metric as a column."""
    load = [metric.load.get(uuid, 0) / SCALE for uuid in view.consumers.uuid]
    measurement = Measurement(
        name=METRIC,
        unit="cores",
        load=np.array(load),
        full=np.full(len(load), np.nan),
        capacity=np.array([metric.room[uuid] / SCALE for uuid in view.providers.uuid]),
        provider_load=np.array([metric.on[uuid] / SCALE for uuid in view.providers.uuid]),
    )
    return with_metrics(view, [measurement], missing="refuse")


def puts(cluster: Cluster) -> list[AnyMutation]:
    """The mutations that bring a cluster into an empty store."""
    return [
        *(PutAvailabilityZone(availability_zone=e) for e in cluster.availability_zones),
        *(PutHostAggregate(host_aggregate=e) for e in cluster.host_aggregates),
        *(PutProject(project=e) for e in cluster.projects),
        *(PutFlavor(flavor=e) for e in cluster.flavors),
        *(PutServerGroup(server_group=e) for e in cluster.server_groups),
        *(PutProvider(provider=e) for e in cluster.providers),
        *(PutConsumer(consumer=e) for e in cluster.consumers),
    ]


@st.composite
def deltas(draw: Any, now: Situation) -> Delta:
    """A delta that mostly makes sense in a situation, now and then about unknown names."""
    kind = draw(st.sampled_from(["move"] * 4 + ["allocate", "resize"] * 2 + ["free", "update"]))
    providers = list(now.graph.providers)
    provider = st.sampled_from([*providers * 3, "ghost"])
    maybe = st.sampled_from([None] * 3 * len(providers) + providers)
    placed = [uuid for uuid, held in now.held.items() if held]
    consumer = draw(st.sampled_from([*placed * 5, *now.held, "new-a", "new-b", "ghost"]))
    if kind == "move":
        home = now.home(consumer) if consumer in now.held else None
        alike = [p for p in providers if home and now.kind(p) == now.kind(home) and p != home]
        target = draw(st.sampled_from(alike * 3 + providers + ["ghost"]))
        return Move(consumer_uuid=consumer, to_provider=target, from_provider=draw(maybe))
    if kind == "allocate":
        given = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "flavor_id": st.sampled_from(FLAVORS),
                    "server_group": st.sampled_from(GROUPS),
                    "pinned_az": st.sampled_from(ZONES),
                    "name": st.just("made by a session"),
                },
            )
        )
        target = draw(provider)
        return Allocate(
            consumer_uuid=draw(st.sampled_from([*now.held, "new-a", "new-b"])),
            to_provider=target,
            resources=draw(_amounts(now, [target])),
            **given,
        )
    if kind == "resize":
        flavor = draw(st.sampled_from([{}, {}, *({"flavor_id": f} for f in FLAVORS)]))
        resources = draw(_amounts(now, now.held.get(consumer, ())))
        return Resize(consumer_uuid=consumer, resources=resources, provider=draw(maybe), **flavor)
    if kind == "free":
        return Deallocate(consumer_uuid=consumer, from_provider=draw(maybe))
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["enabled", "disabled"]),
                "state": st.sampled_from(["up", "down"]),
                "maintenance": st.booleans(),
                "disabled_reason": st.sampled_from([None, "worn out"]),
                "power_state": st.sampled_from([None, "on", "off"]),
            },
        )
    )
    return UpdateProvider(provider_uuid=draw(provider), **fields)


def _amounts(now: Situation, providers: Iterable[str]) -> st.SearchStrategy[dict[str, int]]:
    """Amounts of classes that some providers have, seldom of others."""
    known = [now.graph.providers[p] for p in providers if p in now.graph.providers]
    stocked = [name for p in known for name in p.inventories]
    return st.dictionaries(st.sampled_from(stocked * 6 + CLASSES), st.integers(0, 4), max_size=2)
