"""The global generation, those of entities, and the guards that expect them."""

from __future__ import annotations

import pytest

from tachyon.errors import GenerationConflict
from tachyon.graph.entities import Flavor
from tachyon.graph.mutations import (
    Expected,
    PatchConsumer,
    PatchProvider,
    PutConsumer,
    PutFlavor,
    PutProvider,
    RemoveConsumer,
    RemoveProvider,
)
from tachyon.graph.store import Applied, Store

from .cluster import consumer_in, host, instance, provider_in, put


def generations(store: Store) -> dict[str, int]:
    snapshot = store.load()
    found = {p.uuid: p.generation for p in snapshot.providers}
    return found | dict(zip(snapshot.consumers.uuid, snapshot.consumers.generation, strict=True))


def test_an_empty_store_is_at_generation_zero(store: Store) -> None:
    """Nothing has happened yet."""
    assert store.generation() == 0
    assert store.load().generation == 0


def test_each_transaction_raises_the_global_generation_by_one(store: Store) -> None:
    """One transaction is one generation, however much it changes."""
    assert put(store, host("p1"), host("p2"), instance("c1", "p1")) == 1
    assert store.apply([PutFlavor(flavor=Flavor(id="f"))]) == Applied(2, 1)
    assert store.generation() == store.load().generation == 2


def test_only_touched_entities_change_generation(store: Store) -> None:
    """An entity's generation is the global one at which it last changed."""
    put(store, host("p1"), host("p2"), instance("c1", "p1"), instance("c2", "p1"))
    store.apply([PatchProvider(uuid="p2", state="down")])
    assert generations(store) == {"p1": 1, "p2": 2, "c1": 1, "c2": 1}
    store.apply([PatchConsumer(uuid="c2", locked=True)])
    assert generations(store) == {"p1": 1, "p2": 2, "c1": 1, "c2": 3}


def test_a_change_of_allocations_touches_the_providers_involved(store: Store) -> None:
    """Where something is given back or taken, the provider's generation rises."""
    put(store, host("p1"), host("p2"), host("p3"), instance("c1", "p1"), instance("c2", "p3"))
    applied = store.apply([PatchConsumer(uuid="c1", allocations={"p2": {"VCPU": 1}})])
    assert applied == Applied(2, 3)
    assert generations(store) == {"p1": 2, "p2": 2, "p3": 1, "c1": 2, "c2": 1}
    store.apply([RemoveConsumer(uuid="c1")])
    assert generations(store) == {"p1": 2, "p2": 3, "p3": 1, "c2": 1}


def test_placed_tells_when_the_allocations_last_changed(store: Store) -> None:
    """`placed` follows the allocations, `generation` every change."""
    put(store, host("p1"), host("p2"), instance("c1", "p1"))
    store.apply([PatchConsumer(uuid="c1", locked=True)])
    assert (consumer_in(store, "c1").generation, consumer_in(store, "c1").placed) == (2, 1)
    store.apply([PatchConsumer(uuid="c1", allocations={"p1": {"VCPU": 3}})])
    assert (consumer_in(store, "c1").generation, consumer_in(store, "c1").placed) == (3, 3)


def test_a_change_of_one_share_touches_only_that_provider(store: Store) -> None:
    """A provider on which the consumer holds what it held is not involved."""
    put(
        store,
        host("p1"),
        host("p2"),
        instance("c", allocations={"p1": {"VCPU": 1}, "p2": {"VCPU": 1}}),
    )
    store.apply([PatchConsumer(uuid="c", allocations={"p1": {"VCPU": 1}, "p2": {"VCPU": 2}})])
    assert generations(store) == {"p1": 1, "p2": 2, "c": 2}


def test_repeating_a_transaction_changes_nothing(store: Store) -> None:
    """Mutations are absolute: what is so already raises no generation and is not logged."""
    mutations = [PutProvider(provider=host("p1")), PutConsumer(consumer=instance("c1", "p1"))]
    assert store.apply(mutations) == Applied(1, 2)
    assert store.apply(mutations) == Applied(1, 0)
    assert store.apply([PatchConsumer(uuid="c1", locked=False)]) == Applied(1, 0)
    assert store.apply([]) == Applied(1, 0)
    assert store.changes(1).changes == []


def test_there_and_back_within_a_transaction_is_no_change(store: Store) -> None:
    """Only the net effect of a transaction counts."""
    put(store, host("p1"))
    applied = store.apply(
        [PatchProvider(uuid="p1", state="down"), PatchProvider(uuid="p1", state="up")]
    )
    assert applied == Applied(1, 0)


def test_given_generations_are_ignored(store: Store) -> None:
    """`generation` and `placed` are the store's to set."""
    put(store, host("p1", generation=77), instance("c1", "p1", generation=77, placed=78))
    assert generations(store) == {"p1": 1, "c1": 1}
    assert put(store, host("p1", generation=5), instance("c1", "p1", generation=6, placed=7)) == 1


def test_generations_never_repeat(store: Store) -> None:
    """A guard notices what was changed and changed back, or removed and created again (ABA)."""
    put(store, host("p1"), instance("c1", "p1"))
    store.apply([PatchProvider(uuid="p1", state="down")])
    store.apply([PatchProvider(uuid="p1", state="up")])
    store.apply([RemoveConsumer(uuid="c1")])
    put(store, instance("c1", "p1"))
    assert generations(store) == {"p1": 5, "c1": 5}
    with pytest.raises(GenerationConflict) as caught:
        store.apply(
            [PatchConsumer(uuid="c1", locked=True)],
            Expected(providers={"p1": 1}, consumers={"c1": 1}),
        )
    assert caught.value.details["conflicts"] == [
        {"kind": "provider", "key": "p1", "expected": 1, "found": 5},
        {"kind": "consumer", "key": "c1", "expected": 1, "found": 5},
    ]
    assert store.generation() == 5
    assert consumer_in(store, "c1").locked is False


def test_an_entity_removed_and_created_again_has_a_new_generation(store: Store) -> None:
    """A provider's old generation does not come back with it."""
    put(store, host("p1"))
    store.apply([RemoveProvider(uuid="p1")])
    put(store, host("p1"))
    assert provider_in(store, "p1").generation == 3


def test_a_guard_that_holds_lets_the_transaction_pass(store: Store) -> None:
    """Expectations of the present state are no obstacle."""
    put(store, host("p1"), instance("c1", "p1"))
    expected = Expected(graph=1, providers={"p1": 1, "new": 0}, consumers={"c1": 1, "none": 0})
    assert store.apply([PutProvider(provider=host("new"))], expected) == Applied(2, 1)


def test_a_guard_on_the_graph_notices_any_change(store: Store) -> None:
    """`graph` guards the global generation."""
    put(store, host("p1"))
    put(store, host("p2"))
    with pytest.raises(GenerationConflict) as caught:
        store.apply([PatchProvider(uuid="p1", state="down")], Expected(graph=1))
    assert caught.value.details["conflicts"] == [
        {"kind": "graph", "key": "global", "expected": 1, "found": 2}
    ]


def test_a_guard_names_what_is_gone_and_what_should_not_exist(store: Store) -> None:
    """`found` is null for what is gone; an expected 0 says that nothing may be there."""
    put(store, host("p1"))
    with pytest.raises(GenerationConflict) as caught:
        store.apply([], Expected(providers={"p1": 0}, consumers={"gone": 4}))
    assert caught.value.details["conflicts"] == [
        {"kind": "provider", "key": "p1", "expected": 0, "found": 1},
        {"kind": "consumer", "key": "gone", "expected": 4, "found": None},
    ]


def test_guards_are_checked_before_the_mutations(store: Store) -> None:
    """A stale caller learns that it is stale, not that its mutation makes no sense any more."""
    put(store, instance("c1"))
    store.apply([RemoveConsumer(uuid="c1")])
    with pytest.raises(GenerationConflict):
        store.apply([RemoveConsumer(uuid="c1")], Expected(consumers={"c1": 1}))
