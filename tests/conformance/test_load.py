"""`load`: everything at one generation, in the order in which it came into the graph."""

from __future__ import annotations

from tachyon.graph.entities import AvailabilityZone, Flavor
from tachyon.graph.mutations import (
    PatchConsumer,
    PatchProvider,
    PutAvailabilityZone,
    PutFlavor,
    RemoveConsumer,
    RemoveProvider,
)
from tachyon.graph.store import Store

from .cluster import NOON, host, instance, put


def test_an_empty_store_loads_as_nothing(store: Store) -> None:
    """Nothing there is no error."""
    snapshot = store.load()
    assert snapshot.providers == []
    assert list(snapshot.consumers.uuid) == []
    assert list(snapshot.allocation_amount) == []


def test_entities_come_in_order_of_insertion(store: Store) -> None:
    """Changes leave the order alone; what is removed and created again comes at the end."""
    put(store, host("z"), host("a"), host("m"), instance("c9"), instance("c1", "a"))
    put(store, host("b"), instance("c5", "b"))
    store.apply([PatchProvider(uuid="z", state="down"), PatchConsumer(uuid="c9", locked=True)])
    store.apply([RemoveProvider(uuid="z"), RemoveConsumer(uuid="c9")])
    put(store, host("z"), instance("c9"))
    snapshot = store.load()
    assert [p.uuid for p in snapshot.providers] == ["a", "m", "b", "z"]
    assert list(snapshot.consumers.uuid) == ["c1", "c5", "c9"]


def test_the_last_entity_created_again_stays_last(store: Store) -> None:
    """Keys of the last entity are free to be used again, its place is not taken by others."""
    put(store, host("a"), host("b"))
    store.apply([RemoveProvider(uuid="b")])
    put(store, host("c"))
    put(store, host("b"))
    assert [p.uuid for p in store.load().providers] == ["a", "c", "b"]


def test_records_come_in_order_of_insertion(store: Store) -> None:
    """Records are ordered as providers are."""
    for key in ("z", "a", "m"):
        store.apply([PutFlavor(flavor=Flavor(id=key))])
        store.apply([PutAvailabilityZone(availability_zone=AvailabilityZone(name=key))])
    store.apply([PutFlavor(flavor=Flavor(id="z", vcpus=1))])
    snapshot = store.load()
    assert [f.id for f in snapshot.flavors] == ["z", "a", "m"]
    assert [z.name for z in snapshot.availability_zones] == ["z", "a", "m"]


def test_allocations_refer_to_consumers_and_providers_by_key(store: Store) -> None:
    """The parallel lists join through `provider_key` and `consumers.key`."""
    put(
        store,
        host("p1"),
        host("p2"),
        instance("c1", allocations={"p1": {"VCPU": 1}, "p2": {"VCPU": 2, "MEMORY_MB": 3}}),
        instance("c2", allocations={"p2": {"VCPU": 4}}),
    )
    snapshot = store.load()
    providers = dict(zip(snapshot.provider_key, (p.uuid for p in snapshot.providers), strict=True))
    consumers = dict(zip(snapshot.consumers.key, snapshot.consumers.uuid, strict=True))
    rows = {
        (consumers[c], providers[p], name, amount)
        for c, p, name, amount in zip(
            snapshot.allocation_consumer,
            snapshot.allocation_provider,
            snapshot.allocation_class,
            snapshot.allocation_amount,
            strict=True,
        )
    }
    assert rows == {
        ("c1", "p1", "VCPU", 1),
        ("c1", "p2", "VCPU", 2),
        ("c1", "p2", "MEMORY_MB", 3),
        ("c2", "p2", "VCPU", 4),
    }
    assert len(snapshot.allocation_amount) == 4


def test_columns_have_the_documented_forms(store: Store) -> None:
    """JSON columns are texts or None, flags are booleans, times are microseconds."""
    put(
        store,
        instance("plain"),
        instance("full", created_at=NOON, bootable=True, locked=True, metadata={"a": "é"}),
    )
    columns = store.load().consumers
    assert list(columns.metadata) == [None, '{"a":"é"}']
    assert list(columns.attachments) == list(columns.extra) == [None, None]
    assert list(columns.scheduler_hints) == [None, None]
    assert [value is True for value in columns.locked] == [False, True]
    assert list(columns.bootable) == [None, True]
    assert list(columns.created_at) == [None, 1772366400123456]
