"""Recommended plans that have had their day are superseded, and say why."""

from __future__ import annotations

from typing import Any

from tachyon.graph.generator import generate
from tachyon.graph.mutations import PatchProvider
from tests.control.world import World, settle


def message(world: World, plan: Any) -> tuple[str, str]:
    found = world.objects.action_plans.get(plan.uuid)
    return found.state, found.status_message or ""


def nops(world: World, state: str = "RECOMMENDED", resource: str = "r") -> Any:
    given = {"message": "", "resource_id": resource}
    return world.plan([("nop", given, ())], state=state)


def test_plans_are_superseded_when_they_are_too_old(world: World) -> None:
    old = nops(world)
    world.clock.advance(23.5 * 3600)
    young = nops(world, resource="other")
    world.clock.advance(3601)
    world.engine(plan_expiry=24.0).review()
    assert message(world, old)[0] == "SUPERSEDED"
    assert "older than 24 hours" in message(world, old)[1]
    assert set(world.states(old)) == {"CANCELLED"}
    assert world.state(young) == "RECOMMENDED"
    world.clock.advance(1e6)
    world.engine(plan_expiry=0).review()
    assert world.state(young) == "RECOMMENDED"


def test_plans_are_superseded_when_another_changed_what_they_touch(world: World) -> None:
    same, other = nops(world, resource="r"), nops(world, resource="s")
    world.clock.advance(10)
    run = world.plan([("change", {"resource_id": "r"}, ())], state="ONGOING")
    (action,) = world.objects.actions.find({"action_plan_id": run.id})
    world.objects.actions.transition(action.uuid, "SUCCEEDED")
    world.objects.action_plans.transition(run.uuid, "SUCCEEDED")
    # Whoever asks as soon as it has ended has a plan within the same second.
    soon = nops(world, resource="r")
    world.clock.advance(10)
    later = nops(world, resource="r")
    world.engine().review()
    assert message(world, same)[0] == "SUPERSEDED"
    assert run.uuid in message(world, same)[1]
    assert {world.state(p) for p in (other, soon, later)} == {"RECOMMENDED"}


def test_plans_are_superseded_when_the_cluster_does_not_allow_them_any_more(world: World) -> None:
    graph = world.graph(generate(hosts=20, instances=100, skew=0.7, seed=3))
    engine = world.engine(graph=graph)
    audit = world.audit("consolidation")
    settle(engine)
    (plan,) = world.plans(audit)
    engine.review()
    assert world.state(plan) == "RECOMMENDED"
    move = world.objects.actions.find({"action_plan_id": plan.id, "action_type": "migrate"})[0]
    target = move.input_parameters["destination_node"]
    uuid = next(p.uuid for p in graph.providers() if p.name == target)
    graph.apply([PatchProvider(uuid=uuid, status="disabled")])
    engine.review()
    state, text = message(world, plan)
    assert (state, target in text) == ("SUPERSEDED", True)


def test_a_plan_that_enables_its_destination_is_not_out_of_step(world: World) -> None:
    content = generate(hosts=3, instances=4, seed=1, load=0.2)
    graph = world.graph(content)
    compute = [p for p in graph.providers() if p.type == "compute"]
    instance = next(c for c in graph.consumers() if c.type == "instance" and c.state == "active")
    source = next(p for p in compute if p.uuid in instance.allocations)
    target = next(p for p in compute if p.uuid != source.uuid)
    graph.apply([PatchProvider(uuid=target.uuid, status="disabled")])
    enable = {"resource_id": target.uuid, "resource_name": target.name, "state": "enabled"}
    move = {
        "migration_type": "live",
        "resource_id": instance.uuid,
        "source_node": source.name,
        "destination_node": target.name,
    }
    actions = [("change_nova_service_state", enable, ()), ("migrate", move, (0,))]
    plan = world.plan(actions, state="RECOMMENDED")  # type: ignore[arg-type]
    world.engine(graph=graph).review()
    assert world.state(plan) == "RECOMMENDED"
