"""The planner brings a session's net effect about in an order that is feasible throughout."""

from __future__ import annotations

import random

import msgspec
import pytest

from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.deltas import Allocate, Move, Resize, UpdateProvider
from tachyon.graph.entities import ServerGroup
from tachyon.graph.simulation import Session
from tachyon.optimize.planners import Plan, Weight
from tachyon.optimize.planners.node_resource_consolidation import NodeResourceConsolidation
from tachyon.optimize.planners.workload_stabilization import WorkloadStabilization
from tests.optimize.checker import Replay
from tests.optimize.clusters import SHAPES, cluster, host, small, view_of, vm


def session_of(content: ClusterFile, *moves: tuple[str, str]) -> Session:
    session = Session(view_of(content))
    session.record_many([Move(consumer_uuid=c, to_provider=p) for c, p in moves])
    return session


def replayed(content: ClusterFile, plan: Plan) -> Replay:
    actions = msgspec.json.decode(msgspec.json.encode(plan.actions))
    for seed in range(6):
        explored = Replay(content).explore(actions, random.Random(seed), eager=seed % 2 == 0)
        assert explored.problems == []
    replay = Replay(content).run(actions)
    assert replay.problems == []
    return replay


def steps(plan: Plan) -> list[tuple[str, str, str]]:
    return [
        (m.resource_id or "", m.movement.source, m.movement.destination)
        for m in plan.actions
        if m.movement is not None
    ]


def test_an_instance_that_moved_twice_is_migrated_once() -> None:
    content = small([host("a"), host("b"), host("c")], [vm("x", "a")])
    plan = Weight().plan(session_of(content, ("x", "b"), ("x", "c")))
    assert steps(plan) == [("x", "a", "c")]


def test_an_instance_that_came_back_is_not_migrated() -> None:
    content = small([host("a"), host("b")], [vm("x", "a")])
    assert Weight().plan(session_of(content, ("x", "b"), ("x", "a"))).actions == []


def test_a_move_waits_for_the_room_that_another_leaves() -> None:
    content = small([host("a", 4), host("b", 4), host("c", 4)], [vm("x", "a", 3), vm("y", "b", 3)])
    # Through the third host x could arrive before y had left.
    session = session_of(content, ("x", "c"), ("y", "a"), ("x", "b"))
    plan = Weight().plan(session)
    assert plan.order == "detours"
    replay = replayed(content, plan)
    assert (replay.place["x"], replay.place["y"]) == ("b", "a")


def test_of_moves_that_wait_only_the_order_changes() -> None:
    content = small([host("a", 4), host("b", 4), host("c", 4)], [vm("x", "a", 3), vm("y", "b", 3)])
    session = session_of(content, ("y", "c"), ("x", "b"), ("y", "a"), ("y", "c"))
    plan = Weight().plan(session)
    assert (plan.order, steps(plan)) == ("net", [("y", "b", "c"), ("x", "a", "b")])


@pytest.mark.illegal_plan("the session asks what if a host took somebody that is down")
def test_a_circle_without_another_way_is_gone_as_it_was_recorded() -> None:
    content = small(
        [host("a", 4), host("b", 4), host("c", 3, state="down")],
        [vm("x", "a", 3), vm("y", "b", 3)],
    )
    # The third host takes nobody by the rules; a person may have asked what if it did.
    session = session_of(content, ("x", "c"), ("y", "a"), ("x", "b"))
    plan = Weight().plan(session)
    assert plan.order == "recorded"
    assert steps(plan) == [("x", "a", "c"), ("y", "b", "a"), ("x", "c", "b")]


def test_a_member_of_a_group_waits_until_the_other_has_left() -> None:
    content = small(
        [host("a"), host("b"), host("c")],
        [vm("x", "a", server_group="g"), vm("y", "b", server_group="g")],
        server_groups=[ServerGroup(uuid="g", policy="anti-affinity")],
    )
    plan = Weight().plan(session_of(content, ("x", "b"), ("y", "c")))
    assert steps(plan) == [("y", "b", "c"), ("x", "a", "b")]
    replayed(content, plan)


def test_services_change_before_the_first_instance_leaves_or_arrives() -> None:
    content = small(
        [host("a"), host("b", status="disabled", disabled_reason="watcher_disabled")],
        [vm("x", "a"), vm("y", "a")],
    )
    session = session_of(content, ("x", "b"), ("y", "b"))
    session.record(UpdateProvider(provider_uuid="b", status="enabled", disabled_reason=None))
    session.record(
        UpdateProvider(provider_uuid="a", status="disabled", disabled_reason="watcher_disabled")
    )
    plan = Weight().plan(session)
    said = [(a.resource_id, a.input_parameters.get("state", "migrates")) for a in plan.actions]
    assert said == [("a", "disabled"), ("b", "enabled"), ("x", "migrates"), ("y", "migrates")]
    replayed(content, plan)


def test_a_service_without_migrations_changes_all_the_same() -> None:
    session = session_of(small([host("a")], []))
    session.record(UpdateProvider(provider_uuid="a", status="disabled", disabled_reason="why"))
    (action,) = Weight().plan(session).actions
    assert (action.resource_id, action.input_parameters["disabled_reason"]) == ("a", "why")


def test_costs_are_memory_and_its_time_on_the_bandwidth() -> None:
    from tachyon.graph.entities import Consumer, Inventory, ResourceProvider

    def with_memory(name: str) -> ResourceProvider:
        return ResourceProvider(
            uuid=name, name=name, inventories={"MEMORY_MB": Inventory(total=4096)}
        )

    vms = [
        Consumer(uuid=name, state=state, allocations={"a": {"MEMORY_MB": 1000}})
        for name, state in (("x", "active"), ("y", "stopped"))
    ]
    content = small([with_memory("a"), with_memory("b")], vms)
    plan = Weight().plan(session_of(content, ("x", "b"), ("y", "b")), bandwidth_mbit=500)
    kinds = [m.input_parameters["migration_type"] for m in plan.migrations]
    assert kinds == ["live", "cold"]
    assert plan.cost.memory_mb == 1000
    assert plan.cost.seconds == pytest.approx(1000 * 2**20 * 8 / 500e6)


def test_all_that_no_action_brings_about_is_named_at_once() -> None:
    content = small([host("a"), host("b")], [vm("x", "a", state="suspended"), vm("y", "a")])
    session = session_of(content, ("x", "b"))
    session.record(Resize(consumer_uuid="y", resources={"VCPU": 2}))
    session.record(Allocate(consumer_uuid="new", to_provider="a", resources={"VCPU": 1}))
    session.record(UpdateProvider(provider_uuid="a", maintenance=True))
    with pytest.raises(InvalidInput) as caught:
        Weight().plan(session)
    said = [e["reason"] for e in caught.value.details["errors"]]
    assert any("flavor" in s for s in said)
    assert any("ALLOCATE" in s for s in said)
    assert any("maintenance" in s for s in said)
    assert any("suspended" in s for s in said)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", SHAPES)
def test_random_walks_are_planned_feasibly(shape: str, seed: int) -> None:
    """Moves at random, each to a valid destination, end in a plan that ends where they do."""
    content = cluster(shape, seed)
    session = Session(view_of(content))
    rng = random.Random(seed)
    movable = [
        c.uuid
        for c in content.cluster.consumers
        if c.type == "instance"
        and c.state in ("active", "paused", "stopped")
        and not (c.locked or c.watcher_exclude)
        and session.provider(session.host(c.uuid) or "").state == "up"
    ]
    for uuid in rng.choices(movable, k=120):
        valid = session.destinations(uuid).uuids
        if valid:
            session.record(Move(consumer_uuid=uuid, to_provider=rng.choice(valid)))
    for planner in (Weight(), WorkloadStabilization(), NodeResourceConsolidation()):
        replay = replayed(content, planner.plan(session))
        for uuid in movable:
            assert replay.place[uuid] == session.host(uuid)
