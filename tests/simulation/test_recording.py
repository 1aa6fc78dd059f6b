"""What each kind of delta does, and when it is refused."""

from __future__ import annotations

import pytest

from tachyon.errors import (
    CapacityExceeded,
    ConsumerNotFound,
    InvalidInput,
    InventoryMissing,
    NothingToUndo,
    NotPlacedThere,
    ProviderNotFound,
    UnitViolation,
)
from tachyon.graph.deltas import Allocate, Deallocate, Resize, UpdateProvider
from tachyon.graph.entities import Consumer, Inventory
from tests.simulation.examples import host, instance, move, part, session


def test_move_takes_all_that_a_consumer_holds_on_its_host() -> None:
    """After a MOVE the consumer's amounts count on the target and no longer on the source."""
    s = session()
    s.record(move("web", "gamma"))
    assert s.host("web") == "gamma"
    assert s.used("alpha") == {"VCPU": 4, "MEMORY_MB": 40}
    assert s.used("gamma") == {"VCPU": 2, "MEMORY_MB": 10}


def test_second_move_starts_where_the_first_ended() -> None:
    """A delta is checked against the effective place, not against the graph's."""
    s = session()
    s.record(move("web", "beta", "alpha"))
    with pytest.raises(NotPlacedThere) as refused:
        s.record(move("web", "gamma", "alpha"))
    assert refused.value.details == {
        "consumer": "web", "provider": "alpha", "placed_on": ["beta"],
    }  # fmt: skip
    s.record(move("web", "gamma", "beta"))
    assert s.host("web") == "gamma"


def test_move_to_where_the_consumer_is_says_nothing() -> None:
    """A MOVE that would change nothing is refused, whatever the shape of the consumer."""
    s = session(Consumer(uuid="pinned", allocations={"node-2": {"VCPU": 1}}))
    for delta in (
        move("web", "alpha"),
        move("web", "alpha", "alpha"),
        move("vol", "ssd", "ceph"),
        move("pinned", "node-2"),
    ):
        with pytest.raises(InvalidInput):
            s.record(delta)


def test_move_settles_parts_on_like_parts_of_the_target() -> None:
    """What was on a NUMA node goes to a NUMA node that has room, what was on a device to one."""
    s = session(
        host("numb", inventories={"MEMORY_MB": Inventory(total=100)}),
        part("numb-1", "numb", "numa", VCPU=2),
        part("numb-2", "numb", "numa", VCPU=4),
        part("numb-gpu", "numb-2", "pci", CUSTOM_GPU=1),
    )
    s.record(move("model", "numb"))
    assert s.placement("model").allocations == {
        "numb-2": {"VCPU": 3}, "numb-gpu": {"CUSTOM_GPU": 1},
    }  # fmt: skip
    assert s.host("model") == "numb"


def test_move_leaves_what_is_held_elsewhere() -> None:
    """Parts on a sharing provider stay when the host changes."""
    shared = Consumer(uuid="app", allocations={"alpha": {"VCPU": 1}, "hdd": {"DISK_GB": 5}})
    s = session(shared)
    s.record(move("app", "beta"))
    assert s.placement("app").allocations == {"beta": {"VCPU": 1}, "hdd": {"DISK_GB": 5}}


def test_move_onto_own_part_is_judged_by_the_sum() -> None:
    """Unit rules judge all that a consumer would hold on the provider, as Placement's do."""
    torn = Consumer(uuid="torn", allocations={"alpha": {"VCPU": 5}, "beta": {"VCPU": 5}})
    s = session(torn)
    with pytest.raises(UnitViolation) as refused:
        s.record(move("torn", "beta", "alpha"))
    assert refused.value.details["required"] == 10
    assert refused.value.details["rule"] == "max_unit 8"
    assert "beta" not in s.destinations("torn").uuids


def test_capacity_error_names_what_is_missing_where() -> None:
    """A refusal for capacity names provider, class, what is available and what is required."""
    s = session(instance("big", "gamma", 8, 80))
    with pytest.raises(CapacityExceeded) as refused:
        s.record(move("big", "alpha"))
    assert refused.value.details == {
        "provider": "alpha", "resource_class": "MEMORY_MB", "available": 50.0, "required": 80,
    }  # fmt: skip
    assert s.delta_count == 0


def test_provider_without_the_class_is_refused() -> None:
    """A class of which a provider has no inventory is named."""
    s = session()
    with pytest.raises(InventoryMissing) as refused:
        s.record(move("vol", "alpha"))
    assert refused.value.details == {"provider": "alpha", "resource_class": "DISK_GB"}


def test_unknown_names_are_refused() -> None:
    """Providers and consumers that nobody knows are named as such."""
    s = session()
    with pytest.raises(ConsumerNotFound):
        s.record(move("nobody", "alpha"))
    with pytest.raises(ProviderNotFound):
        s.record(move("web", "nowhere"))
    with pytest.raises(ConsumerNotFound):
        s.record(Deallocate(consumer_uuid="nobody"))


def test_allocate_lets_a_consumer_come_into_being() -> None:
    """An unknown consumer exists from its first ALLOCATE until that is taken back."""
    s = session()
    s.record(Allocate(consumer_uuid="new", to_provider="gamma", resources={"VCPU": 3}))
    assert s.host("new") == "gamma"
    assert s.consumers_of("gamma") == ["new"]
    s.record(move("new", "beta"))
    assert s.consumers_of("beta") == ["cache", "new"]
    s.undo(2)
    with pytest.raises(ConsumerNotFound):
        s.placement("new")


def test_allocate_adds_to_what_is_held() -> None:
    """ALLOCATE gives in addition; the unit rules judge the sum."""
    s = session()
    s.record(Allocate(consumer_uuid="web", to_provider="alpha", resources={"VCPU": 6}))
    assert s.placement("web").allocations["alpha"] == {"VCPU": 8, "MEMORY_MB": 10}
    with pytest.raises(UnitViolation):
        s.record(Allocate(consumer_uuid="web", to_provider="alpha", resources={"VCPU": 1}))


def test_deallocate_takes_parts_or_all() -> None:
    """DEALLOCATE takes what is on a provider and its children, or everything."""
    s = session()
    s.record(Deallocate(consumer_uuid="model", from_provider="gpu"))
    assert s.placement("model").allocations == {"node-1": {"VCPU": 3}}
    s.record(Deallocate(consumer_uuid="model"))
    assert s.placement("model").host is None
    with pytest.raises(NotPlacedThere):
        s.record(Deallocate(consumer_uuid="model"))


def test_resize_changes_the_classes_it_names() -> None:
    """RESIZE sets amounts where the class is held; own amounts count as free; 0 gives back."""
    s = session()
    s.record(Resize(consumer_uuid="db", resources={"VCPU": 8}, flavor_id="large"))
    assert s.placement("db").allocations == {"alpha": {"VCPU": 8, "MEMORY_MB": 40}}
    s.record(Resize(consumer_uuid="db", resources={"MEMORY_MB": 90}))
    assert s.used("alpha") == {"VCPU": 10, "MEMORY_MB": 100}
    with pytest.raises(CapacityExceeded):
        s.record(Resize(consumer_uuid="db", resources={"MEMORY_MB": 91}))
    s.record(Resize(consumer_uuid="db", resources={"MEMORY_MB": 0}))
    assert s.placement("db").allocations == {"alpha": {"VCPU": 8}}


def test_resize_of_a_class_on_two_providers_must_say_which() -> None:
    """An amount that could stand on either of two providers is not guessed."""
    s = session(Consumer(uuid="two", allocations={"node-1": {"VCPU": 1}, "node-2": {"VCPU": 1}}))
    with pytest.raises(InvalidInput):
        s.record(Resize(consumer_uuid="two", resources={"VCPU": 2}))
    s.record(Resize(consumer_uuid="two", resources={"VCPU": 2}, provider="node-2"))
    assert s.used("node-2") == {"VCPU": 2}


def test_update_provider_changes_fields_in_the_session_only() -> None:
    """UPDATE_PROVIDER is seen through the session; the view keeps what the graph says."""
    s = session()
    s.record(UpdateProvider(provider_uuid="beta", status="disabled", disabled_reason="worn"))
    assert s.provider("beta").status == "disabled"
    assert s.view.provider("beta").status == "enabled"
    assert "beta" not in s.destinations("web").uuids
    with pytest.raises(InvalidInput):
        s.record(UpdateProvider(provider_uuid="beta"))


def test_many_deltas_are_recorded_all_or_none() -> None:
    """The error of a refused list carries the position of the delta at fault."""
    s = session()
    before = s.placements()
    with pytest.raises(ProviderNotFound) as refused:
        s.record_many([move("web", "beta"), move("db", "gamma"), move("cache", "nowhere")])
    assert refused.value.details["position"] == 2
    assert s.placements() == before
    assert s.deltas == ()


def test_moves_by_rows_are_those_by_names() -> None:
    """All of them or none are recorded, and what they leave is the same."""
    by_rows, by_names = session(), session()
    consumer, provider = by_rows.view.consumer_row, by_rows.view.provider_row
    by_rows.record_moves([consumer("web"), consumer("db")], [provider("beta"), provider("gamma")])
    by_names.record_many([move("web", "beta"), move("db", "gamma")])
    assert by_rows.deltas == by_names.deltas
    assert by_rows.placements() == by_names.placements()
    assert by_rows.arrivals() == by_names.arrivals()
    with pytest.raises(InvalidInput) as refused:
        by_rows.record_moves(
            [consumer("web"), consumer("web")], [provider("gamma"), provider("gamma")]
        )
    assert refused.value.details["position"] == 1
    assert by_rows.deltas == by_names.deltas
    assert by_rows.usages() == by_names.usages()


def test_undo_takes_back_the_newest_first() -> None:
    """Undone deltas come back newest first; more than there are is refused as a whole."""
    s = session()
    first, second = move("web", "beta"), move("web", "gamma")
    s.record_many([first, second])
    with pytest.raises(NothingToUndo):
        s.undo(3)
    assert s.undo(2) == [second, first]
    assert s.host("web") == "alpha"


def test_fork_and_parent_go_their_own_ways() -> None:
    """A fork starts from the virtual state of its parent; from then on neither sees the other."""
    parent = session()
    parent.record(move("web", "beta"))
    child = parent.fork()
    child.undo()
    child.record(move("db", "gamma"))
    assert (parent.host("web"), parent.host("db")) == ("beta", "alpha")
    assert (child.host("web"), child.host("db")) == ("alpha", "gamma")


def test_consumers_of_a_provider_come_in_order_of_arrival() -> None:
    """Those that deltas placed come last, in the order of the deltas."""
    s = session()
    s.record_many([move("db", "beta"), move("web", "beta")])
    assert s.consumers_of("beta") == ["cache", "db", "web"]
    s.record(Resize(consumer_uuid="db", resources={"VCPU": 1}))
    assert s.consumers_of("beta") == ["cache", "web", "db"]
