"""Plans are graphs: limits hold in every execution that the graph allows, and no more waits."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.conf import load
from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.deltas import Move, Resize, UpdateProvider
from tachyon.graph.entities import Consumer, Flavor, Inventory, ResourceProvider, ServerGroup
from tachyon.graph.simulation import Session
from tachyon.optimize.planners import Plan, Planner, PlannerOptions, Weight
from tachyon.optimize.planners.node_resource_consolidation import NodeResourceConsolidation
from tachyon.optimize.planners.workload_stabilization import WorkloadStabilization
from tachyon.optimize.strategies.context import Context
from tests.optimize.checker import Replay
from tests.optimize.clusters import host, small, view_of, vm

PLANNERS: list[type[Planner]] = [Weight, WorkloadStabilization, NodeResourceConsolidation]


def actions_of(plan: Plan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(plan.actions))
    return found


def parents(plan: Plan) -> dict[str, set[str]]:
    """Whom each resource's only action waits for, by resource."""
    resource = {a.uuid: a.resource_id or a.action_type for a in plan.actions}
    return {resource[a.uuid]: {resource[p] for p in a.parents} for a in plan.actions}


def disabled(name: str) -> UpdateProvider:
    return UpdateProvider(provider_uuid=name, status="disabled", disabled_reason="watcher_disabled")


def crowd(count: int, hosts: int = 4) -> tuple[ClusterFile, Session]:
    """Instances that all leave the first host for the others, which have room for all."""
    names = [f"h{n}" for n in range(hosts)]
    content = small([host(n, 64) for n in names], [vm(f"v{n}", "h0") for n in range(count)])
    session = Session(view_of(content))
    session.record_many(
        [Move(consumer_uuid=f"v{n}", to_provider=names[1 + n % (hosts - 1)]) for n in range(count)]
    )
    return content, session


def widest(content: ClusterFile, plan: Plan) -> int:
    found = Replay(content).explore(actions_of(plan), random.Random(0), eager=True)
    assert found.problems == []
    return found.most_running


def test_no_more_actions_of_a_type_run_than_its_limit() -> None:
    content, session = crowd(12)
    for limit in (1, 2, 5):
        options = PlannerOptions(parallelization={"migrate": limit}, per_host=0)
        assert widest(content, Weight(options).plan(session)) == limit


def test_no_more_migrations_touch_a_host_than_its_limit() -> None:
    content, session = crowd(12)
    for limit in (1, 3):
        options = PlannerOptions(parallelization={"migrate": 12}, per_host=limit)
        assert widest(content, Weight(options).plan(session)) == limit


def test_a_strategy_may_narrow_what_runs_at_a_time_never_widen_it() -> None:
    content, session = crowd(12)
    options = PlannerOptions(parallelization={"migrate": 4}, per_host=0)
    assert widest(content, Weight(options).plan(session, in_flight={"total": 3})) == 3
    assert widest(content, Weight(options).plan(session, in_flight={"total": 9})) == 4
    assert widest(content, Weight(options).plan(session, in_flight={"per_host": 1})) == 1


def test_balancing_limits_hosts_only_and_consolidation_one_per_source() -> None:
    content, session = crowd(12)
    no_limit = WorkloadStabilization(PlannerOptions(per_host=0))
    assert widest(content, no_limit.plan(session)) == 12
    assert widest(content, WorkloadStabilization().plan(session)) == 2
    assert widest(content, NodeResourceConsolidation().plan(session)) == 1


def test_a_slow_migration_holds_up_its_own_lane_only() -> None:
    room = {"MEMORY_MB": Inventory(total=200_000)}
    hosts = [ResourceProvider(uuid=n, name=n, inventories=room) for n in "ab"]
    sizes = {"slow": 64_000, "x": 1_000, "y": 1_000, "z": 1_000}
    vms = [Consumer(uuid=n, allocations={"a": {"MEMORY_MB": mb}}) for n, mb in sizes.items()]
    session = Session(view_of(small(hosts, vms)))
    session.record_many([Move(consumer_uuid=n, to_provider="b") for n in sizes])
    plan = Weight().plan(session)
    assert parents(plan) == {"slow": set(), "x": set(), "y": {"x"}, "z": {"y"}}
    assert plan.seconds == pytest.approx(1 + 64_000 * 2**20 * 8 / 1e9)


def test_a_move_waits_for_those_only_whose_room_it_needs() -> None:
    hosts = [host("a", 4), host("b", 4), host("c", 8), host("d", 4)]
    vms = [vm("x", "a", 3), vm("y", "b", 2), vm("z", "b", 2), vm("w", "d", 1)]
    session = Session(view_of(small(hosts, vms)))
    for name, target in (("y", "c"), ("z", "c"), ("x", "b"), ("w", "c")):
        session.record(Move(consumer_uuid=name, to_provider=target))
    free = PlannerOptions(per_host=0)
    assert parents(WorkloadStabilization(free).plan(session)) == {
        "y": set(),
        "z": set(),
        "x": {"y", "z"},
        "w": set(),
    }


@pytest.mark.parametrize(
    ("hints", "moves"),
    [
        # The last move of the one named comes after that of the one that had to wait for it.
        ({"different_host": "y"}, [("y", "c"), ("x", "b"), ("y", "d")]),
        ({"different_host": ["gone", "y"]}, [("y", "c"), ("x", "b")]),
        ({"same_host": ["w"]}, [("w", "c"), ("x", "c"), ("w", "d"), ("x", "d")]),
    ],
    ids=str,
)
def test_what_scheduler_hints_name_has_left_or_arrived_before(
    hints: dict[str, Any], moves: list[tuple[str, str]]
) -> None:
    content = small(
        [host(n) for n in "abcd"],
        [vm("w", "a"), vm("y", "b"), vm("x", "a", scheduler_hints=hints)],
    )
    session = Session(view_of(content))
    session.record_many([Move(consumer_uuid=who, to_provider=to) for who, to in moves])
    plan = Weight(PlannerOptions(per_host=0)).plan(session)
    other = "w" if "same_host" in hints else "y"
    assert parents(plan) == {other: set(), "x": {other}}
    assert widest(content, plan) == 1


def test_heavier_types_come_first_whatever_the_order_of_proposals() -> None:
    session = Session(view_of(small([host("a")], [vm("v", "a")])))
    context = Context()
    context.propose("sleep", None, {"duration": 2.0})
    context.propose("stop", "v")
    context.propose("nop", None, {"message": "one"})
    context.propose("nop", None, {"message": "two"})
    plan = Weight().plan(session, context.proposals)
    assert [a.action_type for a in plan.actions] == ["nop", "nop", "sleep", "stop"]
    uuids = [a.uuid for a in plan.actions]
    assert [a.parents for a in plan.actions] == [[], uuids[:1], uuids[1:2], uuids[2:3]]
    light = PlannerOptions(weights={"nop": 1, "stop": 40})
    plan = Weight(light).plan(session, context.proposals)
    assert [a.action_type for a in plan.actions[2:]] == ["nop", "nop"]
    stop, sleep = plan.actions[:2]
    assert (stop.parents, sleep.parents) == ([], [])


def test_weights_from_a_file_are_numbers(tmp_path: Path) -> None:
    """Nine is less than ten, though "9" as a text comes after "10"."""
    file = tmp_path / "tachyon.conf"
    file.write_text("[watcher_planners.weight]\nweights = stop:9,nop:10\n")
    weights = load(str(file))["watcher_planners.weight"].weights
    context = Context()
    context.propose("stop", "v")
    context.propose("nop", None, {"message": "one"})
    plan = Weight(PlannerOptions(weights=weights)).plan(
        Session(view_of(small([host("a")], [vm("v", "a")]))), context.proposals
    )
    assert [a.action_type for a in plan.actions] == ["nop", "stop"]


def test_types_that_no_option_names_come_last_one_at_a_time() -> None:
    session = Session(view_of(small([host("a")], [])))
    context = Context()
    for name in ("x", "y"):
        context.propose("third_party", name)
    context.propose("change_node_power_state", "a", {"state": "off"})
    first, second, third = Weight().plan(session, context.proposals).actions
    assert first.action_type == "change_node_power_state"
    assert (second.parents, third.parents) == ([first.uuid], [second.uuid])


def test_two_actions_on_one_resource_never_run_together() -> None:
    flavors = [Flavor(id="small", vcpus=1)]
    session = Session(view_of(small([host("a"), host("b")], [vm("v", "a")], flavors=flavors)))
    session.record(Move(consumer_uuid="v", to_provider="b"))
    context = Context()
    context.propose("resize", "v", {"flavor": "small"})
    plan = WorkloadStabilization().plan(session, context.proposals)
    migrate = next(a for a in plan.actions if a.action_type == "migrate")
    resize = next(a for a in plan.actions if a.action_type == "resize")
    assert resize.parents == [migrate.uuid]


def test_a_resize_holds_both_sizes_until_it_is_confirmed() -> None:
    vms = [vm("x", "a", 4, flavor_id="l"), vm("y", "a", 2), vm("z", "b", 1, flavor_id="l")]
    flavors = [Flavor(id="l"), Flavor(id="s", vcpus=3), Flavor(id="t", vcpus=2)]
    session = Session(view_of(small([host("a", 8), host("b", 8)], vms, flavors=flavors)))
    session.record(Resize(consumer_uuid="x", resources={"VCPU": 3}, flavor_id="s"))
    session.record(Move(consumer_uuid="y", to_provider="b"))
    session.record(Resize(consumer_uuid="z", resources={"VCPU": 2}, flavor_id="t"))
    plan = WorkloadStabilization().plan(session)
    # x needs 3 beside its 4 of 8 while y holds 2; z has room at once.
    assert parents(plan) == {"y": set(), "x": {"y"}, "z": set()}
    resize = next(a for a in plan.actions if a.resource_id == "x")
    assert resize.input_parameters == {"resource_id": "x", "flavor": "s"}


def test_volumes_move_between_pools() -> None:
    def pool(name: str, total: int) -> ResourceProvider:
        inventories = {"DISK_GB": Inventory(total=total)}
        return ResourceProvider(
            uuid=name, name=name, type="pool", parent_uuid="s@b", inventories=inventories
        )

    def volume(name: str, on: str, size: int) -> Consumer:
        held = {on: {"DISK_GB": size}}
        return Consumer(uuid=name, type="volume", status="available", allocations=held)

    backend = ResourceProvider(uuid="s@b", name="s@b", type="storage", inventories={})
    pools = [backend, *(pool(f"s@b#{n}", 100) for n in (1, 2, 3))]
    volumes = [volume("x", "s@b#1", 60), volume("y", "s@b#2", 50)]
    session = Session(view_of(small(pools, volumes)))
    session.record(Move(consumer_uuid="y", to_provider="s@b#3"))
    session.record(Move(consumer_uuid="x", to_provider="s@b#2"))
    plan = Weight().plan(session)
    assert parents(plan) == {"y": set(), "x": {"y"}}
    action = next(a for a in plan.actions if a.resource_id == "x")
    assert action.action_type == "volume_migrate"
    assert action.input_parameters == {
        "resource_id": "x",
        "resource_name": "x",
        "migration_type": "migrate",
        "destination_node": "s@b#2",
    }


def test_nodes_are_switched_on_before_and_off_after_all_else() -> None:
    def node(name: str, runs: str, power: str) -> ResourceProvider:
        return ResourceProvider(
            uuid=name,
            name=name,
            type="baremetal",
            power_state=power,
            extra={"compute_node_id": runs},
        )

    hosts = [
        host("a"),
        host("b", status="disabled", disabled_reason="watcher_disabled"),
        node("na", "a", "power on"),
        node("nb", "b", "power off"),
    ]
    content = small(hosts, [vm("v", "a")])
    session = Session(view_of(content))
    session.record_many(
        [
            UpdateProvider(provider_uuid="nb", power_state="power on"),
            UpdateProvider(provider_uuid="b", status="enabled", disabled_reason=None),
            Move(consumer_uuid="v", to_provider="b"),
            UpdateProvider(
                provider_uuid="a", status="disabled", disabled_reason="watcher_disabled"
            ),
            UpdateProvider(provider_uuid="na", power_state="power off"),
        ]
    )
    for planner in (Weight(), WorkloadStabilization()):
        plan = planner.plan(session)
        said = [(a.resource_id, a.input_parameters.get("state")) for a in plan.actions]
        order = {entry: k for k, entry in enumerate(said)}
        assert order["nb", "on"] < order["b", "enabled"] < order["v", None] < order["na", "off"]
        assert order["a", "disabled"] < order["v", None]
        assert Replay(content).run(actions_of(plan)).problems == []


def test_a_host_that_takes_and_gives_is_disabled_between() -> None:
    content = small([host("a"), host("b"), host("c")], [vm("x", "a"), vm("y", "b")])
    session = Session(view_of(content))
    session.record_many(
        [
            Move(consumer_uuid="x", to_provider="b"),
            Move(consumer_uuid="y", to_provider="c"),
            UpdateProvider(
                provider_uuid="b", status="disabled", disabled_reason="watcher_disabled"
            ),
        ]
    )
    for planner in PLANNERS:
        plan = planner().plan(session)
        assert "x" in parents(plan)["b"]
        assert Replay(content).run(actions_of(plan)).problems == []


def test_consolidation_refuses_types_that_it_cannot_order() -> None:
    session = Session(view_of(small([host("a")], [])))
    context = Context()
    context.propose("nop")
    context.propose("sleep")
    with pytest.raises(InvalidInput, match="nop, sleep"):
        NodeResourceConsolidation().plan(session, context.proposals)


def test_uuids_of_actions_follow_from_the_plans() -> None:
    _, session = crowd(5)
    name = "8f5c1a1e-6d2b-4e0c-9d7a-111111111111"
    first, again = (Weight().plan(session, plan_uuid=name) for _ in range(2))
    assert first == again
    other = Weight().plan(session)
    assert not {a.uuid for a in other.actions} & {a.uuid for a in first.actions}


@st.composite
def walks(draw: st.DrawFn) -> tuple[ClusterFile, list[tuple[int, int]]]:
    """Small tight clusters with groups, and moves at random, most of them refused."""
    hosts = draw(st.integers(2, 6))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=14))
    groups = [
        ServerGroup(uuid="g0", policy="anti-affinity", rules={"max_server_per_host": 2}),
        ServerGroup(uuid="g1", policy="anti-affinity"),
        ServerGroup(uuid="g2", policy="affinity"),
    ]
    vms = []
    for n, size in enumerate(sizes):
        group = draw(st.sampled_from([None, None, "g0", "g1", "g2"]))
        on = f"h{draw(st.integers(0, hosts - 1))}"
        vms.append(vm(f"v{n}", on, size, server_group=group))
    content = small(
        [host(f"h{n}", draw(st.integers(4, 10))) for n in range(hosts)], vms, server_groups=groups
    )
    pair = st.tuples(st.integers(0, len(sizes) - 1), st.integers(0, hosts - 1))
    return content, draw(st.lists(pair, max_size=30))


@given(walks(), st.integers(0, 2), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_every_execution_of_any_plan_is_feasible(
    walk: tuple[ClusterFile, list[tuple[int, int]]], planner: int, rng: random.Random
) -> None:
    """Whatever a session holds, each planner's graph is safe and ends where the session does."""
    content, pairs = walk
    session = Session(view_of(content))
    for consumer, target in pairs:
        if f"h{target}" in session.destinations(f"v{consumer}").uuids:
            session.record(Move(consumer_uuid=f"v{consumer}", to_provider=f"h{target}"))
    plan = PLANNERS[planner](PlannerOptions(per_host=rng.choice([0, 1, 2]))).plan(session)
    for eager in (True, False):
        replay = Replay(content).explore(actions_of(plan), rng, eager=eager)
        assert replay.problems == []
        assert replay.place == {uuid: session.host(uuid) for uuid in replay.place}
    count = Counter(a.resource_id for a in plan.actions)
    assert plan.order != "net" or max(count.values(), default=1) == 1
