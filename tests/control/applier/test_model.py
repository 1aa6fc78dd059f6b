"""Actions are judged by the live graph before they begin, and told to it when they are done."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.control.applier.actions import Patience, Patiences
from tachyon.control.applier.actions.base import Action
from tachyon.control.applier.model import Model
from tachyon.graph.client import GraphClient
from tachyon.graph.entities import Inventory
from tachyon.graph.mutations import PatchProvider
from tests.control.world import World, settle
from tests.optimize.clusters import host, small, vm

VM = "00000000-0000-4000-8000-00000000000a"


class Done(Action):
    """Whatever it is asked for, it is done."""

    name = "migrate"
    description = ""
    schema = {"type": "object"}

    def execute(self) -> None:
        pass


def run(world: World, graph: GraphClient, *actions: tuple[str, dict[str, Any]]) -> list[str]:
    kinds = {kind: Done for kind, _ in actions}
    plan = world.plan([(k, g, (n - 1,) if n else ()) for n, (k, g) in enumerate(actions)])
    settle(world.applier(types=kinds, model=Model(graph)))
    run.messages = world.messages(plan)  # type: ignore[attr-defined]
    return world.states(plan)


def move(target: str, source: str = "a", uuid: str = VM) -> tuple[str, dict[str, Any]]:
    given = {"resource_id": uuid, "source_node": source, "destination_node": target}
    return "migrate", {**given, "migration_type": "live"}


@pytest.fixture
def graph(world: World) -> GraphClient:
    """Hosts a, b and c; an instance on a; on c there is no room for it."""
    hosts = [host("a", 8), host("b", 8), host("c", 2)]
    return world.graph(small(hosts, [vm(VM, "a", 4)]))


def test_a_migration_is_told_to_the_graph(world: World, graph: GraphClient) -> None:
    assert run(world, graph, move("b"), move("a", "b")) == ["SUCCEEDED", "SUCCEEDED"]
    assert graph.consumer(VM).allocations == {"a": {"VCPU": 4}}
    assert run(world, graph, move("b")) == ["SUCCEEDED"]
    assert graph.consumer(VM).allocations == {"b": {"VCPU": 4}}


def test_a_destination_without_room_is_refused_with_the_reason(
    world: World, graph: GraphClient
) -> None:
    assert run(world, graph, move("c")) == ["FAILED"]
    (message,) = run.messages  # type: ignore[attr-defined]
    assert message == "Action failed in pre_condition: c: VCPU: 2 available, 4 required"
    assert graph.consumer(VM).allocations == {"a": {"VCPU": 4}}


def test_room_that_the_graph_hears_of_later_is_waited_for(world: World, graph: GraphClient) -> None:
    """Nova's notification of what has ended is read after its end."""
    plan = world.plan([(*move("c"), ())])
    patient = Patiences(graph=Patience(times=3000, interval=0.02))
    applier = world.applier(types={"migrate": Done}, model=Model(graph), patience=patient)
    applier.look()
    assert not applier.join(0.3)
    assert world.states(plan) == ["PENDING"]
    graph.put_provider(host("c", 8))
    settle(applier)
    assert world.states(plan) == ["SUCCEEDED"]


def test_a_plan_is_cancelled_while_it_waits_for_room(world: World, graph: GraphClient) -> None:
    plan = world.plan([(*move("c"), ())])
    patient = Patiences(graph=Patience(times=3000, interval=0.05))
    applier = world.applier(types={"migrate": Done}, model=Model(graph), patience=patient)
    applier.look()
    assert not applier.join(0.3)
    world.objects.action_plans.transition(plan.uuid, "CANCELLING", by_user=True)
    applier.cancel_action_plan(action_plan_uuid=plan.uuid)
    settle(applier)
    assert world.states(plan) == ["CANCELLED"]
    assert world.objects.action_plans.get(plan.uuid).state == "CANCELLED"


def test_a_destination_that_went_out_of_service_is_refused(
    world: World, graph: GraphClient
) -> None:
    graph.apply([PatchProvider(uuid="b", status="disabled")])
    assert run(world, graph, move("b")) == ["FAILED"]
    assert "disabled" in run.messages[0]  # type: ignore[attr-defined]
    enable = {"resource_id": "b", "resource_name": "b", "state": "enabled"}
    assert run(world, graph, ("change_nova_service_state", enable), move("b")) == ["SUCCEEDED"] * 2
    assert graph.provider("b").status == "enabled"


def test_room_that_an_earlier_action_left_counts(world: World, graph: GraphClient) -> None:
    other = "00000000-0000-4000-8000-00000000000b"
    graph.put_consumer(vm(other, "b", 6))
    graph.put_inventories("c", {"VCPU": Inventory(total=8)})
    assert run(world, graph, move("c", "b", other), move("b")) == ["SUCCEEDED", "SUCCEEDED"]


@pytest.mark.parametrize("uuid", [VM, "00000000-0000-4000-8000-00000000000f"])
def test_what_the_graph_does_not_know_is_the_clouds_to_judge(
    world: World, graph: GraphClient, uuid: str
) -> None:
    assert run(world, graph, move("c", source="elsewhere", uuid=uuid)) == ["SUCCEEDED"]


def test_power_and_stops_are_told(world: World, graph: GraphClient) -> None:
    power = {"resource_id": "b", "state": "off"}
    states = run(world, graph, ("stop", {"resource_id": VM}), ("change_node_power_state", power))
    assert states == ["SUCCEEDED", "SUCCEEDED"]
    assert (graph.consumer(VM).state, graph.consumer(VM).status) == ("stopped", "SHUTOFF")
    assert graph.provider("b").power_state == "power off"
