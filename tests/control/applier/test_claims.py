"""Plans are claimed once, survive the death of any applier, and never stay between states."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tachyon.control.applier.actions.base import Action
from tachyon.errors import ActionFailed, InvalidInput, StateConflict
from tests.control.world import DOWN_TIME, World, background, settle
from tests.waiting import until

SLOW: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("nop", {"message": "a"}, ()),
    ("sleep", {"duration": 3600}, (0,)),
    ("nop", {"message": "b"}, (1,)),
]


class Counting(Action):
    """Counts how often it is executed."""

    name = "counting"
    description = ""
    schema = {"type": "object"}
    count: list[int] = []

    def execute(self) -> None:
        self.count.append(1)


@pytest.mark.integration
def test_of_many_appliers_one_executes_a_plan(world: World) -> None:
    Counting.count = []
    plans = [world.plan([("counting", {}, ())] * 3) for _ in range(4)]
    appliers = [world.applier(f"host{n}", types={"counting": Counting}) for n in range(4)]
    threads = [background(applier) for applier in appliers]
    until(lambda: all(world.state(plan) == "SUCCEEDED" for plan in plans))
    for applier in appliers:
        applier.stop()
    for thread in threads:
        thread.join(30)
    assert len(Counting.count) == 12


def test_cancelling_interrupts_at_once_and_ends(world: World) -> None:
    plan = world.plan(SLOW)
    applier = world.applier()
    applier.look()
    until(lambda: world.states(plan)[1] == "ONGOING")
    world.objects.action_plans.transition(plan.uuid, "CANCELLING", by_user=True)
    applier.cancel_action_plan(action_plan_uuid=plan.uuid)
    assert applier.join(30)
    assert (world.state(plan), world.states(plan)) == (
        "CANCELLED",
        ["SUCCEEDED", "CANCELLED", "CANCELLED"],
    )
    assert world.events.named("action_plan.cancel") == [
        "action_plan.cancel.start",
        "action_plan.cancel.end",
    ]
    assert world.events.named("action.cancel")[:2] == ["action.cancel.start", "action.cancel.end"]


def test_a_cancel_that_nobody_told_of_is_found_at_the_next_look(world: World) -> None:
    plan = world.plan(SLOW)
    applier = world.applier()
    applier.look()
    until(lambda: world.states(plan)[1] == "ONGOING")
    world.objects.action_plans.transition(plan.uuid, "CANCELLING", by_user=True)
    settle(applier)
    assert world.state(plan) == "CANCELLED"


def crashed(world: World, state: str = "ONGOING", action: str = "ONGOING") -> Any:
    """A plan whose applier died in the middle of its second action."""
    plan = world.plan([("nop", {"message": "a"}, ()), *[("nop", {"message": "b"}, (0,))] * 2])
    world.objects.action_plans.transition(plan.uuid, "ONGOING", hostname="dead")
    first, second, _ = world.objects.actions.find({"action_plan_id": plan.id})
    for one, states in ((first, ["ONGOING", "SUCCEEDED"]), (second, ["ONGOING"])):
        for name in states:
            world.objects.actions.transition(one.uuid, name)
    if action == "CANCELLING":
        world.objects.actions.transition(second.uuid, "CANCELLING")
    if state == "CANCELLING":
        world.objects.action_plans.transition(plan.uuid, "CANCELLING")
    return plan


def test_a_dead_appliers_plan_is_taken_up_where_it_stood(world: World) -> None:
    dead, alive = world.applier("dead"), world.applier("alive")
    plan = crashed(world)
    alive.look()
    assert world.objects.action_plans.get(plan.uuid).hostname == "dead"
    world.clock.advance(DOWN_TIME + 1)
    alive = world.applier("alive")
    settle(alive)
    assert (world.state(plan), world.states(plan)) == ("SUCCEEDED", ["SUCCEEDED"] * 3)
    assert world.objects.action_plans.get(plan.uuid).hostname == "alive"
    ended = [d["uuid"] for e, _, d in world.events.sent if e == "action.execution.start"]
    assert len(ended) == 2, "what had been done is not done again"
    assert dead.busy == 0


def test_a_dead_appliers_plan_is_cancelled_where_that_is_configured(world: World) -> None:
    plan = crashed(world)
    settle(world.applier("alive", on_crash="cancel"))
    assert (world.state(plan), world.states(plan)) == (
        "CANCELLED",
        ["SUCCEEDED", "CANCELLED", "CANCELLED"],
    )
    text = world.objects.action_plans.get(plan.uuid).status_message
    assert text is not None
    assert "Applier dead was stopped" in text


@pytest.mark.parametrize("action", ["ONGOING", "CANCELLING"])
@pytest.mark.parametrize("host", ["dead", "alive"])
def test_no_plan_stays_cancelling(world: World, host: str, action: str) -> None:
    """Neither after the death of its applier nor after its restart under the same name."""
    plan = crashed(world, "CANCELLING", action)
    world.objects.action_plans.update(plan.uuid, {"hostname": host})
    settle(world.applier("alive"))
    assert world.state(plan) == "CANCELLED"
    assert set(world.states(plan)) == {"SUCCEEDED", "CANCELLED"}


def test_an_applier_that_starved_leaves_its_plan_to_the_next(world: World) -> None:
    plan = world.plan(SLOW)
    starved = world.applier("starved")
    starved.look()
    until(lambda: world.states(plan)[1] == "ONGOING")
    world.clock.advance(DOWN_TIME + 1)
    other = world.applier("other")
    other.look()
    until(lambda: world.objects.action_plans.get(plan.uuid).hostname == "other")
    starved.look()
    assert starved.join(30)
    until(lambda: world.states(plan)[1] == "ONGOING")
    world.objects.action_plans.transition(plan.uuid, "CANCELLING", by_user=True)
    settle(other)
    assert world.state(plan) == "CANCELLED"


class Held(Counting):
    """Lasts until the test lets it end."""

    going, done = threading.Event(), threading.Event()

    def execute(self) -> None:
        self.going.set()
        assert self.done.wait(30)
        if self.parameters:
            raise ActionFailed("it did not work")


@pytest.mark.parametrize("given", [{}, {"fails": True}])
def test_an_applier_that_lost_its_plan_unawares_leaves_it_alone(
    world: World, given: dict[str, Any]
) -> None:
    """What it had begun may succeed; nothing else of the plan is its business any more."""
    Held.going.clear()
    Held.done.clear()
    plan = world.plan([("held", given, ()), ("held", {}, (0,)), ("held", {}, (1,))])
    starved = world.applier("starved", types={"held": Held}, max_workers=1)
    starved.look()
    assert Held.going.wait(30)
    world.objects.action_plans.update(plan.uuid, {"hostname": "other"})
    Held.done.set()
    assert starved.join(30)
    found = world.objects.action_plans.get(plan.uuid)
    assert (found.state, found.hostname) == ("ONGOING", "other")
    assert world.states(plan) == ["ONGOING" if given else "SUCCEEDED", "PENDING", "PENDING"]
    assert world.events.named("action_plan.cancel") == []
    settle(world.applier("other", types={"held": Held}))
    assert world.state(plan) == ("FAILED" if given else "SUCCEEDED")


def test_a_plan_that_cannot_be_looked_at_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is claimed nor when it is taken over."""
    bad, crash, good = world.plan(SLOW[:1]), crashed(world), world.plan(SLOW[:1])
    applier = world.applier()
    overlap = applier._in_the_way

    def broken(plan: Any) -> Any:
        if plan.uuid == bad.uuid:
            raise KeyError("a defect")
        return overlap(plan)

    monkeypatch.setattr(applier, "_in_the_way", broken)
    settle(applier)
    assert [world.state(p) for p in (bad, crash, good)] == ["PENDING", "SUCCEEDED", "SUCCEEDED"]


def test_stopping_hands_an_unfinished_plan_back(world: World) -> None:
    plan = world.plan(SLOW)
    applier = world.applier("one", shutdown_timeout=0.1)
    applier.look()
    until(lambda: world.states(plan)[1] == "ONGOING")
    applier.stop()
    found = world.objects.action_plans.get(plan.uuid)
    assert (found.state, found.hostname) == ("PENDING", None)
    other = world.applier("other", shutdown_timeout=0.1)
    other.look()
    until(lambda: world.states(plan)[1] == "ONGOING")
    assert world.objects.action_plans.get(plan.uuid).hostname == "other"
    other.stop()


def test_stopping_lets_what_runs_end(world: World) -> None:
    going, done = threading.Event(), threading.Event()

    class Long(Counting):
        def execute(self) -> None:
            going.set()
            assert done.wait(30)

    plan = world.plan([("long", {}, ()), ("long", {}, (0,))])
    applier = world.applier(types={"long": Long})
    applier.look()
    assert going.wait(30)
    stopper = threading.Thread(target=applier.stop)
    stopper.start()
    ((execution, _),) = applier._running.values()
    until(execution._paused.is_set)
    done.set()
    stopper.join(30)
    assert world.states(plan) == ["SUCCEEDED", "PENDING"]
    assert world.state(plan) == "PENDING"


def move(instance: str, source: str, target: str) -> tuple[str, dict[str, Any], tuple[int, ...]]:
    given = {"resource_id": instance, "source_node": source, "destination_node": target}
    return "slow_move", given, ()


class SlowMove(Counting):
    def execute(self) -> None:
        self.surroundings.wait(3600)


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (move("vm1", "a", "b"), move("vm2", "a", "b"), False),
        (move("vm1", "a", "b"), move("vm1", "a", "c"), True),
        (
            move("vm1", "a", "b"),
            ("change_nova_service_state", {"resource_id": "u", "resource_name": "b"}, ()),
            True,
        ),
    ],
)
def test_a_plan_waits_for_one_that_touches_the_same(
    world: World, first: Any, second: Any, waits: bool
) -> None:
    types = {"slow_move": SlowMove, "change_nova_service_state": SlowMove}
    applier = world.applier(workers=3, types=types, shutdown_timeout=0.1)
    one, two = world.plan([first]), world.plan([second])
    forced = world.plan([second], force=True)
    applier.look()
    until(lambda: world.state(one) == "ONGOING")
    assert world.state(two) == ("PENDING" if waits else "ONGOING")
    assert world.state(forced) == "ONGOING"
    for plan in (one, two, forced):
        if world.state(plan) == "ONGOING":
            world.objects.action_plans.transition(plan.uuid, "CANCELLING")
    if waits:
        settled = lambda: world.state(one) == world.state(forced) == "CANCELLED"  # noqa: E731
        applier.look()
        until(settled)
        applier.look()
        until(lambda: world.state(two) == "ONGOING")
    applier.stop()


def test_a_dead_appliers_plan_waits_for_what_it_is_in_the_way_of(world: World) -> None:
    """Its applier may have died before it saw another one, claimed at the same moment."""
    act = move("vm1", "a", "b")
    older, younger = world.plan([act]), world.plan([act])
    living = world.applier("living", types={"slow_move": SlowMove})
    living.look()
    until(lambda: world.states(older) == ["ONGOING"])
    world.objects.action_plans.transition(younger.uuid, "ONGOING", hostname="dead")
    other = world.applier("other", types={"slow_move": SlowMove}, shutdown_timeout=0.1)
    other.look()
    assert world.objects.action_plans.get(younger.uuid).hostname == "dead"
    world.objects.action_plans.transition(older.uuid, "CANCELLING")
    # No look: it would take the younger one over, were the older one over by then.
    living.cancel_action_plan(action_plan_uuid=older.uuid)
    until(lambda: world.state(older) == "CANCELLED")
    other.look()
    until(lambda: world.states(younger) == ["ONGOING"])
    other.stop()


class Push(Counting):
    """Moves something; can be taken back."""

    name = "push"

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        return "push", {"n": -self.parameters["n"]}


def test_a_rollback_is_a_plan_of_the_inverse_in_reverse(world: World) -> None:
    applier = world.applier(types={"push": Push, "counting": Counting})
    plan = world.plan([("push", {"n": 1}, ()), ("counting", {}, (0,)), ("push", {"n": 3}, (1,))])
    with pytest.raises(StateConflict):
        applier.rollback_action_plan(action_plan_uuid=plan.uuid)
    settle(applier)
    uuid = applier.rollback_action_plan(action_plan_uuid=plan.uuid)
    back = world.objects.action_plans.get(uuid)
    assert (back.state, back.rollback_of) == ("PENDING", plan.uuid)
    actions = world.objects.actions.find({"action_plan_id": back.id})
    assert [a.input_parameters["n"] for a in actions] == [-3, -1]
    assert [a.parents for a in actions] == [[], [actions[0].uuid]]
    with pytest.raises(StateConflict):
        applier.rollback_action_plan(action_plan_uuid=plan.uuid)
    settle(applier)
    assert world.state(back) == "SUCCEEDED"


def test_what_cannot_be_taken_back_is_said(world: World) -> None:
    applier = world.applier(rollback_max_age=60)
    nothing = world.plan([("nop", {"message": ""}, ())])
    old = world.plan([("stop", {"resource_id": "x"}, ())], state="FAILED")
    settle(applier)
    with pytest.raises(InvalidInput, match="nothing"):
        applier.rollback_action_plan(action_plan_uuid=nothing.uuid)
    world.clock.advance(61)
    with pytest.raises(InvalidInput, match="ago"):
        applier.rollback_action_plan(action_plan_uuid=old.uuid)
