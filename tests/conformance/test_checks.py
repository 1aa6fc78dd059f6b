"""What is refused, with which error, and that nothing of it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tachyon.errors import (
    ConsumerNotFound,
    InvalidInput,
    InventoryMissing,
    NotFound,
    ProviderInUse,
    ProviderNotFound,
    TachyonError,
)
from tachyon.graph.entities import Inventory
from tachyon.graph.mutations import (
    AnyMutation,
    PatchConsumer,
    PatchProvider,
    PutConsumer,
    PutProvider,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
)
from tachyon.graph.store import Store

from .cluster import contents, host, instance, put


@pytest.fixture
def cluster(store: Store) -> Iterator[Store]:
    """Two hosts, one with a child and an instance; checks that a refusal leaves no trace."""
    put(store, host("p1"), host("p2"), host("numa", parent_uuid="p2"), instance("c1", "p1"))
    before = contents(store)
    yield store
    assert contents(store) == before
    assert store.generation() == 1
    assert store.changes(1).changes == []


def refused(
    store: Store, error: type[TachyonError], mutations: Sequence[AnyMutation]
) -> TachyonError:
    """Apply after a harmless change, so that a refusal has something to take back."""
    with pytest.raises(error) as caught:
        store.apply([PatchProvider(uuid="p1", state="down"), *mutations])
    return caught.value


def test_a_patch_of_an_unknown_provider_is_refused(cluster: Store) -> None:
    """Only a put creates a provider."""
    error = refused(cluster, ProviderNotFound, [PatchProvider(uuid="none", state="up")])
    assert error.details == {"provider": "none"}


def test_a_patch_of_an_unknown_consumer_is_refused(cluster: Store) -> None:
    """Only a put creates a consumer."""
    error = refused(cluster, ConsumerNotFound, [PatchConsumer(uuid="none", locked=True)])
    assert error.details == {"consumer": "none"}


def test_a_removal_of_what_is_not_there_is_refused(cluster: Store) -> None:
    """A removal names something that exists."""
    refused(cluster, ProviderNotFound, [RemoveProvider(uuid="none")])
    refused(cluster, ProviderNotFound, [RemoveProvider(uuid="none", cascade=True)])
    refused(cluster, ConsumerNotFound, [RemoveConsumer(uuid="none")])
    refused(cluster, NotFound, [RemoveRecord(kind="flavor", key="none")])
    refused(cluster, ConsumerNotFound, [RemoveConsumer(uuid="c1"), RemoveConsumer(uuid="c1")])


def test_an_allocation_on_an_unknown_provider_names_its_place(cluster: Store) -> None:
    """An allocation needs its provider."""
    error = refused(cluster, InvalidInput, [PutConsumer(consumer=instance("c2", "none"))])
    (problem,) = error.details["errors"]
    assert problem["path"] == "mutations[1]: allocations.none"


def test_an_allocation_of_an_unknown_class_is_refused(cluster: Store) -> None:
    """An allocation needs an inventory of its class."""
    error = refused(
        cluster,
        InventoryMissing,
        [PatchConsumer(uuid="c1", allocations={"p1": {"VCPU": 1, "FPGA": 1}})],
    )
    assert error.details == {"provider": "p1", "resource_class": "FPGA"}


def test_an_unknown_parent_is_refused(cluster: Store) -> None:
    """A parent must exist."""
    error = refused(cluster, InvalidInput, [PatchProvider(uuid="p2", parent_uuid="none")])
    (problem,) = error.details["errors"]
    assert problem["path"] == "mutations[1]: parent_uuid"


@pytest.mark.parametrize("parent", ["p2", "numa"])
def test_a_provider_is_not_its_own_ancestor(cluster: Store, parent: str) -> None:
    """A parent must be no descendant."""
    refused(cluster, InvalidInput, [PatchProvider(uuid="p2", parent_uuid=parent)])


def test_a_provider_with_allocations_is_not_removed(cluster: Store) -> None:
    """Without `cascade` a provider in use stays."""
    error = refused(cluster, ProviderInUse, [RemoveProvider(uuid="p1")])
    assert error.details == {"provider": "p1", "consumer": "c1"}


def test_a_provider_with_children_is_not_removed(cluster: Store) -> None:
    """Without `cascade` a parent stays."""
    error = refused(cluster, ProviderInUse, [RemoveProvider(uuid="p2")])
    assert error.details == {"children": ["numa"]}


def test_an_inventory_in_use_is_not_removed(cluster: Store) -> None:
    """An inventory stays while something of its class is held there."""
    only_memory = {"MEMORY_MB": Inventory(total=1)}
    patch = PatchProvider(uuid="p1", inventories=only_memory)
    error = refused(cluster, ProviderInUse, [patch])
    assert error.details == {"provider": "p1", "consumer": "c1"}
    refused(cluster, ProviderInUse, [PutProvider(provider=host("p1", inventories=only_memory))])


def test_what_is_freed_in_the_same_transaction_can_go(store: Store) -> None:
    """Checks look at the state after the whole transaction, in whatever order it comes about."""
    put(store, host("p1"), host("p2", parent_uuid="p1"), instance("c1", "p2"))
    store.apply([RemoveProvider(uuid="p1"), RemoveProvider(uuid="p2"), RemoveConsumer(uuid="c1")])
    assert contents(store) == {}


def test_invalid_entities_are_refused_by_name(cluster: Store) -> None:
    """What no decoder has checked is checked before it is stored, on every store alike."""
    for name in ("a\x00b", "x" * 1025, "\ud800"):
        error = refused(cluster, InvalidInput, [PutConsumer(consumer=instance("c2", name=name))])
        assert error.details["errors"][0]["path"].startswith("mutations[1]")
    refused(cluster, InvalidInput, [PutProvider(provider=host("x" * 256))])
    refused(cluster, InvalidInput, [PatchConsumer(uuid="c1", metadata={"k": "\ud800"})])
    refused(
        cluster,
        InvalidInput,
        [PatchConsumer(uuid="c1", allocations={"p1": {"VCPU": 2**70}})],
    )
