"""A what-if may overcommit where it says so, and nowhere else."""

from __future__ import annotations

import pytest

from tachyon.errors import CapacityExceeded, InventoryMissing, UnitViolation
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.deltas import Allocate, Delta, Move
from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.graph.mutations import Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build, snapshot_of


@pytest.fixture
def view() -> View:
    """A full host, a host of one unit, one without inventories, and one with NUMA nodes."""
    numa = {"VCPU": Inventory(total=2)}
    return build(
        snapshot_of(
            Cluster(
                providers=[
                    ResourceProvider(
                        uuid="from", name="from", inventories={"VCPU": Inventory(total=8)}
                    ),
                    ResourceProvider(
                        uuid="full", name="full", inventories={"VCPU": Inventory(total=2)}
                    ),
                    ResourceProvider(
                        uuid="small",
                        name="small",
                        inventories={"VCPU": Inventory(total=64, max_unit=1)},
                    ),
                    ResourceProvider(uuid="bare", name="bare"),
                    ResourceProvider(uuid="deep", name="deep"),
                    ResourceProvider(
                        uuid="numa", name="numa", type="numa", parent_uuid="deep", inventories=numa
                    ),
                ],
                consumers=[Consumer(uuid="vm", allocations={"from": {"VCPU": 4}})],
            )
        )
    )


@pytest.mark.parametrize(
    ("target", "refusal"),
    [("full", CapacityExceeded), ("small", UnitViolation), ("bare", InventoryMissing)],
)
def test_a_move_goes_where_there_is_no_room_only_if_it_says_so(
    view: View, target: str, refusal: type[Exception]
) -> None:
    session = Session(view)
    with pytest.raises(refusal):
        session.record(Move(consumer_uuid="vm", to_provider=target))
    session.record(Move(consumer_uuid="vm", to_provider=target, overcommit=True))
    assert session.host("vm") == target
    assert session.placement("vm").allocations == {target: {"VCPU": 4}}
    assert session.used("from") == {"VCPU": 0}

    session.undo()
    assert session.host("vm") == "from"
    assert session.used("from") == {"VCPU": 4}


def test_an_overcommitting_move_takes_the_room_that_there_is(view: View) -> None:
    session = Session(view)
    session.record(Move(consumer_uuid="vm", to_provider="full", overcommit=True))
    session.record(Move(consumer_uuid="vm", to_provider="from", overcommit=True))
    assert session.placement("vm") == Session(view).placement("vm")


def test_an_allocation_overcommits_only_if_it_says_so(view: View) -> None:
    session = Session(view)
    asked = {"consumer_uuid": "vm", "to_provider": "full", "resources": {"VCPU": 3}}
    with pytest.raises(CapacityExceeded):
        session.record(Allocate(**asked))
    session.record(Allocate(**asked, overcommit=True))
    assert session.used("full") == {"VCPU": 3}
    with pytest.raises(InventoryMissing):
        session.record(
            Allocate(consumer_uuid="vm", to_provider="bare", resources={"VCPU": 1}, overcommit=True)
        )


def test_a_candidate_that_overcommits_is_feasible(view: View) -> None:
    session = Session(view)
    candidates: list[Delta] = [
        Move(consumer_uuid="vm", to_provider="full"),
        Move(consumer_uuid="vm", to_provider="full", overcommit=True),
    ]
    assert session.evaluate(candidates).feasible.tolist() == [False, True]
    assert session.deltas == ()


def test_a_client_sees_the_graph_as_it_was() -> None:
    with connect("sqlite://") as client:
        history(client)


def history(client: GraphClient) -> None:
    for number in range(3):
        client.put_provider(ResourceProvider(uuid="h", name=f"name-{number}"))
    for generation in (1, 3, 2):
        seen = client.view_at(generation)
        assert seen.generation == generation
        assert seen.provider("h").name == f"name-{generation - 1}"
        assert client.view_at(generation) is seen
