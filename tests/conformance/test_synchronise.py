"""`Synchronise`: upsert what differs, prune the rest, leave what is newer."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.errors import InvalidInput, InventoryMissing
from tachyon.graph.entities import (
    AvailabilityZone,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ServerGroup,
)
from tachyon.graph.mutations import (
    Cluster,
    PatchConsumer,
    PatchProvider,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
    Synchronise,
)
from tachyon.graph.store import Applied, Store

from .cluster import consumer_in, contents, host, instance, provider_in, put


def cluster(**lists: Any) -> Cluster:
    defaults: dict[str, Any] = {
        "providers": [host("p1"), host("p2"), host("numa", parent_uuid="p2")],
        "consumers": [instance("c1", "p1"), instance("c2", "numa")],
        "flavors": [Flavor(id="f")],
        "projects": [Project(external_id="t")],
        "server_groups": [ServerGroup(uuid="g", policy="affinity")],
        "host_aggregates": [HostAggregate(name="h")],
        "availability_zones": [AvailabilityZone(name="az")],
    }
    return Cluster(**(defaults | lists))


def test_a_synchronisation_fills_an_empty_store(store: Store) -> None:
    """Everything in the cluster is in the store afterwards, in one generation."""
    assert store.apply([Synchronise(cluster=cluster())]) == Applied(1, 10)
    snapshot = store.load()
    assert [p.uuid for p in snapshot.providers] == ["p1", "p2", "numa"]
    assert list(snapshot.consumers.uuid) == ["c1", "c2"]
    assert len(contents(store)) == 10


def test_repeating_a_synchronisation_changes_nothing(store: Store) -> None:
    """What is so already raises no generation."""
    store.apply([Synchronise(cluster=cluster())])
    before = contents(store)
    assert store.apply([Synchronise(cluster=cluster())]) == Applied(1, 0)
    assert contents(store) == before


def test_only_what_differs_is_touched(store: Store) -> None:
    """An entity that is as it was keeps its generation."""
    store.apply([Synchronise(cluster=cluster())])
    changed = cluster(consumers=[instance("c1", "p1"), instance("c2", "p1", locked=True)])
    assert store.apply([Synchronise(cluster=changed)]) == Applied(2, 3)
    snapshot = store.load()
    assert {p.uuid: p.generation for p in snapshot.providers} == {"p1": 2, "p2": 1, "numa": 2}
    assert list(snapshot.consumers.generation) == [1, 2]


def test_an_empty_cluster_prunes_everything(store: Store) -> None:
    """What is not in the cluster is gone; by default of every type and kind."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([Synchronise(cluster=Cluster())])
    assert contents(store) == {}


def test_only_named_types_are_pruned(store: Store) -> None:
    """A collector of one type leaves the others alone."""
    put(store, host("pool", type="pool"), host("old"), instance("vol", type="volume"))
    put(store, instance("vm"))
    sync = Synchronise(
        cluster=Cluster(providers=[host("new")]),
        provider_types=("compute",),
        consumer_types=("instance",),
        records=(),
    )
    store.apply([sync])
    assert {key for _, key in contents(store)} == {"pool", "new", "vol"}


def test_no_types_prune_nothing(store: Store) -> None:
    """An empty tuple names no type, unlike None."""
    store.apply([Synchronise(cluster=cluster())])
    before = contents(store)
    sync = Synchronise(cluster=Cluster(), provider_types=(), consumer_types=(), records=())
    assert store.apply([sync]) == Applied(1, 0)
    assert contents(store) == before


def test_only_named_records_are_pruned(store: Store) -> None:
    """Kinds of records are pruned one by one."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply(
        [
            Synchronise(
                cluster=cluster(flavors=[], projects=[]),
                records=("flavor", "server_group"),
            )
        ]
    )
    kinds = {kind for kind, _ in contents(store)}
    assert "flavor" not in kinds
    assert {"project", "server_group"} <= kinds


def test_entities_of_other_types_are_upserted(store: Store) -> None:
    """What the cluster lists is stored even when its type is not pruned."""
    store.apply(
        [
            Synchronise(
                cluster=Cluster(consumers=[instance("vol", type="volume")]),
                consumer_types=("instance",),
            )
        ]
    )
    assert consumer_in(store, "vol").type == "volume"


def test_the_type_that_counts_for_pruning_is_the_stored_one(store: Store) -> None:
    """An absent entity is pruned by what the store knows of it."""
    put(store, host("p", type="pool"))
    store.apply([PatchProvider(uuid="p", type="compute")])
    store.apply([Synchronise(cluster=Cluster(), provider_types=("compute",))])
    assert contents(store) == {}


def test_a_pruned_provider_takes_its_descendants_and_frees_consumers(store: Store) -> None:
    """A provider is pruned as by a removal with `cascade`, whatever type its children have."""
    put(
        store,
        host("p1"),
        host("pci", type="pci", parent_uuid="p1"),
        host("p2"),
        instance("vol", type="volume", allocations={"pci": {"VCPU": 1}, "p2": {"VCPU": 1}}),
    )
    sync = Synchronise(
        cluster=Cluster(providers=[host("p2")]), provider_types=("compute",), consumer_types=()
    )
    store.apply([sync])
    assert [p.uuid for p in store.load().providers] == ["p2"]
    assert consumer_in(store, "vol").allocations == {"p2": {"VCPU": 1}}


def test_a_listed_child_of_a_pruned_parent_is_refused(store: Store) -> None:
    """A cluster that lists a child without its parent contradicts itself."""
    store.apply([Synchronise(cluster=cluster())])
    alone = Cluster(providers=[host("p1"), host("numa", parent_uuid="p2")])
    with pytest.raises(InvalidInput) as caught:
        store.apply([Synchronise(cluster=alone)])
    (problem,) = caught.value.details["errors"]
    assert problem["path"] == "mutations[0].cluster.providers[1]: parent_uuid"
    assert store.generation() == 1


def test_what_changed_since_is_left_as_it_is(store: Store) -> None:
    """An event that arrived while the cloud was being read is newer than what was read."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([PatchConsumer(uuid="c1", locked=True)])
    store.apply([PatchProvider(uuid="p2", state="down")])
    put(store, instance("born"))
    read = cluster(consumers=[instance("c1", "p1", name="stale"), instance("c2", "numa", name="n")])
    store.apply([Synchronise(cluster=read, since=1)])
    assert consumer_in(store, "c1").locked is True
    assert consumer_in(store, "c1").name == "name-c1"
    assert provider_in(store, "p2").state == "down"
    assert consumer_in(store, "born").generation == 4
    assert consumer_in(store, "c2").name == "n"


def test_without_since_the_synchronisation_wins(store: Store) -> None:
    """A synchronisation that names no generation is newer than everything."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([PatchConsumer(uuid="c1", locked=True)])
    store.apply([Synchronise(cluster=cluster())])
    assert consumer_in(store, "c1").locked is False


def test_what_was_removed_since_is_not_resurrected(store: Store) -> None:
    """A removal that arrived while the cloud was being read stands."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([RemoveConsumer(uuid="c1")])
    store.apply([RemoveRecord(kind="flavor", key="f")])
    store.apply([RemoveProvider(uuid="numa", cascade=True)])
    store.apply([Synchronise(cluster=cluster(), since=1)])
    found = contents(store)
    assert ("consumer", "c1") not in found
    assert ("flavor", "f") not in found
    assert ("provider", "numa") not in found
    assert consumer_in(store, "c2").allocations == {}


def test_what_was_removed_before_since_is_created(store: Store) -> None:
    """A removal that the reading has seen does not stand in the way."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([RemoveConsumer(uuid="c1")])
    store.apply([Synchronise(cluster=cluster(), since=2)])
    assert consumer_in(store, "c1").generation == 3


def test_allocations_on_what_was_removed_since_are_dropped(store: Store) -> None:
    """A new consumer was read on a provider that is gone by now: it keeps the rest."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([RemoveProvider(uuid="p1", cascade=True)])
    held = {"p1": {"VCPU": 1}, "p2": {"VCPU": 1}}
    read = cluster(consumers=[instance("new", allocations=held)])
    store.apply([Synchronise(cluster=read, since=1)])
    assert consumer_in(store, "new").allocations == {"p2": {"VCPU": 1}}


def test_a_child_of_what_was_removed_since_is_not_created(store: Store) -> None:
    """A new child was read below a provider that is gone by now: it is gone, too."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([RemoveProvider(uuid="p1", cascade=True)])
    read = cluster(
        providers=[
            host("leaf", parent_uuid="middle"),
            host("middle", parent_uuid="p1"),
            host("p1"),
            host("p2"),
            host("numa", parent_uuid="p2"),
        ],
        consumers=[instance("new", "leaf")],
    )
    store.apply([Synchronise(cluster=read, since=1)])
    assert [p.uuid for p in store.load().providers] == ["p2", "numa"]
    assert consumer_in(store, "new").allocations == {}


def test_allocations_on_what_was_created_again_since_are_kept(store: Store) -> None:
    """A provider that was removed and came back is there to be held."""
    store.apply([Synchronise(cluster=cluster())])
    store.apply([RemoveProvider(uuid="p1", cascade=True)])
    put(store, host("p1", state="down"))
    read = cluster(consumers=[instance("new", "p1")])
    store.apply([Synchronise(cluster=read, since=1)])
    assert consumer_in(store, "new").allocations == {"p1": {"VCPU": 2, "MEMORY_MB": 1024}}
    assert provider_in(store, "p1").state == "down"


@pytest.mark.parametrize(
    ("lists", "place"),
    [
        ({"providers": [host("p1"), host("p1")]}, "providers[1]"),
        ({"consumers": [instance("c"), instance("d"), instance("c")]}, "consumers[2]"),
        ({"flavors": [Flavor(id="f"), Flavor(id="f")]}, "flavors[1]"),
    ],
)
def test_a_duplicate_is_refused_by_place(store: Store, lists: Any, place: str) -> None:
    """An entity is listed once; the error names the second place."""
    put(store, host("p0"))
    with pytest.raises(InvalidInput) as caught:
        store.apply([PatchProvider(uuid="p0", state="down"), Synchronise(cluster=Cluster(**lists))])
    (problem,) = caught.value.details["errors"]
    assert problem["path"] == f"mutations[1].cluster.{place}"
    assert store.generation() == 1


def test_a_broken_reference_refuses_the_whole(store: Store) -> None:
    """All of a synchronisation is stored, or nothing."""
    put(store, host("p0"))
    before = contents(store)
    with pytest.raises(InvalidInput) as caught:
        store.apply([Synchronise(cluster=cluster(consumers=[instance("c1", "nowhere")]))])
    (problem,) = caught.value.details["errors"]
    assert problem["path"] == "mutations[0].cluster.consumers[0]: allocations.nowhere"
    with pytest.raises(InventoryMissing):
        store.apply(
            [Synchronise(cluster=cluster(consumers=[instance("c1", allocations={"p1": {"X": 1}})]))]
        )
    assert contents(store) == before
    assert store.generation() == 1


def test_the_order_of_the_first_synchronisation_stays(store: Store) -> None:
    """A listing in another order is no change; newcomers come at the end."""
    store.apply([Synchronise(cluster=cluster())])
    turned = Cluster(
        providers=[host("new"), host("numa", parent_uuid="p2"), host("p2"), host("p1")],
        consumers=[instance("c0"), instance("c2", "numa"), instance("c1", "p1")],
    )
    store.apply([Synchronise(cluster=turned, records=())])
    snapshot = store.load()
    assert [p.uuid for p in snapshot.providers] == ["p1", "p2", "numa", "new"]
    assert list(snapshot.consumers.uuid) == ["c1", "c2", "c0"]


def test_an_inventory_can_shrink_with_its_consumers(store: Store) -> None:
    """Provider and consumers are checked as they are after the synchronisation."""
    store.apply([Synchronise(cluster=cluster())])
    smaller = host("p1", inventories={"VCPU": Inventory(total=4)})
    store.apply(
        [
            Synchronise(
                cluster=cluster(
                    providers=[smaller, host("p2"), host("numa", parent_uuid="p2")],
                    consumers=[instance("c1", allocations={"p1": {"VCPU": 1}})],
                )
            )
        ]
    )
    assert consumer_in(store, "c1").allocations == {"p1": {"VCPU": 1}}
