"""Random changes of a graph: everything that collectors, events and commits can do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tachyon.graph.entities import Attachment, Consumer, Flavor, HostAggregate, ResourceProvider
from tachyon.graph.mutations import (
    AnyMutation,
    Cluster,
    PatchConsumer,
    PatchProvider,
    PutAvailabilityZone,
    PutConsumer,
    PutFlavor,
    PutHostAggregate,
    PutProvider,
    PutServerGroup,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
    Synchronise,
)
from tests.simulation import clusters
from tests.simulation.naive import Graph

HOSTS = ("host-a", "host-b", "host-c", "host-d", "host-e")
CONSUMERS = tuple(f"vm-{n}" for n in range(9))
EARLY = datetime(2024, 5, 1, tzinfo=UTC)


@st.composite
def mutations(draw: Any, graph: Graph) -> AnyMutation:
    """A mutation that mostly fits the graph as it is."""
    makers = [_provider, _service, _tree, _gone, _consumer, _consumer, _patch, _patch, _record]
    made: AnyMutation = draw(draw(st.sampled_from([*makers, _synchronise]))(graph))
    return made


@st.composite
def _provider(draw: Any, graph: Graph) -> AnyMutation:
    disk = draw(st.sampled_from([(), ("DISK_GB",), ("CUSTOM_GPU", "CUSTOM_LATE")]))
    names = ("VCPU", "MEMORY_MB", *(n for n in disk if n != "CUSTOM_LATE"))
    host = draw(clusters.hosts(draw(st.sampled_from(HOSTS)), "compute", *names))
    if "CUSTOM_LATE" in disk:
        host.inventories["CUSTOM_LATE"] = clusters.Inventory(total=5)
    return PutProvider(provider=host)


@st.composite
def _service(draw: Any, graph: Graph) -> AnyMutation:
    uuid = draw(st.sampled_from([*list(graph.providers) * 4, "ghost"]))
    known = graph.providers.get(uuid)
    names = tuple(n for n in clusters.ROOM if known is not None and n in known.inventories)
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["enabled", "disabled"]),
                "state": st.sampled_from(["up", "down"]),
                "maintenance": st.booleans(),
                "traits": clusters.some(clusters.TRAITS),
                "aggregates": clusters.some(clusters.AGGREGATES),
                "availability_zone": st.sampled_from([None, *clusters.ZONES]),
                "inventories": clusters.inventories(*names),
                "extra": st.sampled_from([{}, {"rack": 1}, {"rack": [1, None]}]),
            },
        )
    )
    return PatchProvider(uuid=uuid, **fields)


@st.composite
def _tree(draw: Any, graph: Graph) -> AnyMutation:
    """Another parent for a part, or another type for a sharing provider."""
    parts = [p.uuid for p in graph.providers.values() if p.parent_uuid is not None]
    roots = [p.uuid for p in graph.providers.values() if p.parent_uuid is None]
    if "shared" in graph.providers and draw(st.booleans()):
        return PatchProvider(
            uuid="shared", type=draw(st.sampled_from(["sharing", "compute", "pool"]))
        )
    if not parts:
        return RemoveProvider(uuid=draw(st.sampled_from([*roots, "ghost"])), cascade=True)
    parent = draw(st.sampled_from([None, *roots]))
    return PatchProvider(uuid=draw(st.sampled_from(parts)), parent_uuid=parent)


@st.composite
def _gone(draw: Any, graph: Graph) -> AnyMutation:
    if draw(st.booleans()):
        return RemoveConsumer(uuid=draw(st.sampled_from([*list(graph.consumers) * 4, "ghost"])))
    uuid = draw(st.sampled_from([*list(graph.providers) * 4, "ghost"]))
    return RemoveProvider(uuid=uuid, cascade=draw(st.booleans()))


@st.composite
def _consumer(draw: Any, graph: Graph) -> AnyMutation:
    uuid = draw(st.sampled_from(CONSUMERS))
    return PutConsumer(consumer=draw(clusters.consumers(uuid, list(graph.providers.values()))))


@st.composite
def _patch(draw: Any, graph: Graph) -> AnyMutation:
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "allocations": clusters.allocations(list(graph.providers.values())),
                "name": st.sampled_from(["", "renamed"]),
                "type": st.sampled_from(["instance", "volume", "rare"]),
                "state": st.sampled_from(["active", "paused"]),
                "status": st.sampled_from([None, "in-use"]),
                "locked": st.booleans(),
                "watcher_exclude": st.booleans(),
                "bootable": st.sampled_from([None, True, False]),
                "created_at": st.sampled_from([None, EARLY, EARLY + timedelta(microseconds=1)]),
                "flavor_id": st.sampled_from([None, *clusters.FLAVORS]),
                "server_group": st.sampled_from([None, *clusters.GROUPS]),
                "pinned_az": st.sampled_from([None, *clusters.ZONES]),
                "attachments": st.sampled_from([(), (Attachment(consumer_uuid="vm-0"),)]),
                "metadata": st.sampled_from([{}, {"tier": "gold"}]),
            },
        )
    )
    return PatchConsumer(
        uuid=draw(st.sampled_from([*list(graph.consumers) * 4, "ghost"])), **fields
    )


@st.composite
def _record(draw: Any, graph: Graph) -> AnyMutation:
    put: st.SearchStrategy[AnyMutation] = st.sampled_from(
        [
            PutFlavor(flavor=Flavor(id="plain", vcpus=3)),
            *(PutFlavor(flavor=f) for f in clusters.FLAVOR_RECORDS),
            *(PutServerGroup(server_group=g) for g in clusters.GROUP_RECORDS),
            PutHostAggregate(host_aggregate=HostAggregate(name="east", availability_zone="az1")),
            *(PutHostAggregate(host_aggregate=a) for a in clusters.AGGREGATE_RECORDS),
            PutAvailabilityZone(availability_zone=clusters.AvailabilityZone(name="az3")),
        ]
    )
    remove: st.SearchStrategy[AnyMutation] = st.sampled_from(
        [
            *(RemoveRecord(kind="flavor", key=f.id) for f in clusters.FLAVOR_RECORDS),
            *(RemoveRecord(kind="server_group", key=g.uuid) for g in clusters.GROUP_RECORDS),
            *(RemoveRecord(kind="host_aggregate", key=a.name) for a in clusters.AGGREGATE_RECORDS),
        ]
    )
    return draw(put | remove)


@st.composite
def _synchronise(draw: Any, graph: Graph) -> AnyMutation:
    """A full synchronisation in which some consumers and plain hosts are not seen any more."""
    roots = [p.uuid for p in graph.providers.values() if p.parent_uuid is None]
    lost = set(draw(st.lists(st.sampled_from([*roots, "ghost"]), max_size=1)))
    providers = [p for p in graph.providers.values() if _root(graph, p) not in lost]
    seen = {p.uuid for p in providers}
    consumers = draw(
        st.lists(st.sampled_from(list(graph.consumers.values())), unique_by=_uuid)
        if graph.consumers
        else st.just([])
    )
    return Synchronise(
        cluster=Cluster(
            providers=providers,
            consumers=[c for c in consumers if seen.issuperset(c.allocations)],
        ),
        records=(),
        since=draw(st.sampled_from([None, graph.generation, max(0, graph.generation - 2)])),
    )


def _root(graph: Graph, provider: ResourceProvider) -> str:
    while provider.parent_uuid is not None:
        provider = graph.providers[provider.parent_uuid]
    return provider.uuid


def _uuid(consumer: Consumer) -> str:
    return consumer.uuid
