"""The applier executes a plan's graph, and states say what happened."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tachyon.control.applier.actions.base import Action
from tachyon.control.applier.actions.nop import Nop
from tests.control.world import World, settle
from tests.waiting import PATIENCE


def nop(*parents: int, **flags: bool) -> tuple[str, dict[str, Any], tuple[int, ...]]:
    return "nop", {"message": "hello", **flags}, parents


def test_a_pending_plan_is_executed_parents_first(world: World) -> None:
    plan = world.plan([nop(), nop(0), ("sleep", {"duration": 0}, (1,))])
    settle(world.applier())
    assert (world.state(plan), world.states(plan)) == ("SUCCEEDED", ["SUCCEEDED"] * 3)
    assert world.objects.action_plans.get(plan.uuid).hostname == "one"
    ended = [d["uuid"] for event, _, d in world.events.sent if event == "action.execution.end"]
    assert ended == [a.uuid for a in world.objects.actions.find({"action_plan_id": plan.id})]
    assert world.events.named("action_plan") == [
        "action_plan.execution.start",
        "action_plan.execution.end",
    ]


@pytest.mark.parametrize("state", ["RECOMMENDED", "CANCELLED", "SUPERSEDED", "SUCCEEDED"])
def test_only_pending_plans_are_claimed(world: World, state: str) -> None:
    plan = world.plan([nop()], state=state)
    settle(world.applier())
    assert (world.state(plan), world.states(plan)) == (state, ["PENDING"])


@pytest.mark.parametrize("part", ["pre_condition", "execute", "post_condition"])
def test_a_failed_action_stops_its_descendants_and_nobody_else(world: World, part: str) -> None:
    plan = world.plan([nop(**{f"fail_{part}": True}), nop(0), nop(1), nop(), nop(3)])
    settle(world.applier())
    assert world.state(plan) == "FAILED"
    assert world.states(plan) == ["FAILED", "CANCELLED", "CANCELLED", "SUCCEEDED", "SUCCEEDED"]
    message = world.messages(plan)[0]
    assert message == f"Action failed in {part}: Failed in {part}"
    assert "because nop" in (world.messages(plan)[1] or "")
    said = world.objects.action_plans.get(plan.uuid).status_message
    assert said is not None
    assert message in said
    assert "action_plan.execution.error" in world.events.named("action_plan")
    (fault,) = [d["fault"] for e, _, d in world.events.sent if e == "action.execution.error"]
    assert fault["watcher_object.data"]["exception"] == "ActionFailed"


def test_an_action_that_has_nothing_to_do_is_skipped_and_counts_as_done(world: World) -> None:
    plan = world.plan([nop(skip_pre_condition=True), nop(0)])
    settle(world.applier())
    assert (world.state(plan), world.states(plan)) == ("SUCCEEDED", ["SKIPPED", "SUCCEEDED"])
    assert world.messages(plan)[0] == "Action was skipped automatically: Skipped in pre_condition"
    text = world.objects.action_plans.get(plan.uuid).status_message
    assert text == "One or more actions were skipped."


def test_what_a_user_skipped_is_not_executed(world: World) -> None:
    plan = world.plan([nop(), nop(0)], state="RECOMMENDED")
    first = world.objects.actions.find({"action_plan_id": plan.id})[0]
    world.objects.actions.transition(first.uuid, "SKIPPED", by_user=True, status_message="by me")
    world.objects.action_plans.transition(plan.uuid, "PENDING", by_user=True)
    settle(world.applier())
    assert (world.states(plan), world.messages(plan)[0]) == (["SKIPPED", "SUCCEEDED"], "by me")


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("unheard_of", {}, "no action type unheard_of"),
        ("sleep", {"duration": -1}, "duration"),
        ("sleep", {}, "duration"),
        ("migrate", {"resource_id": "x"}, "migration_type"),
        ("nop", {"message": "", "more": 1}, "more"),
    ],
)
def test_unknown_types_and_wrong_parameters_fail_before_anything_is_done(
    world: World, kind: str, given: dict[str, Any], said: str
) -> None:
    plan = world.plan([(kind, given, ())])
    settle(world.applier())
    assert world.states(plan) == ["FAILED"]
    message = world.messages(plan)[0] or ""
    assert message.startswith("Action failed in pre_condition: ")
    assert said in message


def test_under_any_an_alternative_runs_only_where_the_first_failed(world: World) -> None:
    applier = world.applier(rules={"dummy": "ANY"})
    good = world.plan([nop(), nop(0)])
    bad = world.plan([nop(fail_execute=True), nop(0), nop(1)])
    settle(applier)
    settle(applier)
    assert (world.state(good), world.states(good)) == ("SUCCEEDED", ["SUCCEEDED", "SKIPPED"])
    assert world.states(bad) == ["FAILED", "SUCCEEDED", "SKIPPED"]
    assert world.state(bad) == "SUCCEEDED"


class Recorder(Action):
    """Notes what is done, in order."""

    name = "recorder"
    description = ""
    schema = {"type": "object"}
    log: list[str] = []

    def execute(self) -> None:
        self.log.append(f"do {self.parameters['n']}")

    def revert(self) -> None:
        self.log.append(f"undo {self.parameters['n']}")


def test_what_was_done_is_taken_back_in_reverse_order_where_configured(world: World) -> None:
    Recorder.log = []
    types = {"recorder": Recorder, "nop": Nop}
    applier = world.applier(reverts=True, types=types)
    plan = world.plan(
        [
            ("recorder", {"n": 1}, ()),
            ("recorder", {"n": 2}, (0,)),
            nop(1, fail_execute=True),
            ("recorder", {"n": 4}, (2,)),
        ]
    )
    settle(applier)
    assert Recorder.log == ["do 1", "do 2", "undo 2", "undo 1"]
    assert world.state(plan) == "FAILED"
    assert world.messages(plan)[0] == "Action was taken back, as the plan failed."
    assert "all was taken back" in (world.objects.action_plans.get(plan.uuid).status_message or "")


def test_independent_actions_run_side_by_side(world: World) -> None:
    barrier = threading.Barrier(3, timeout=PATIENCE)

    class Meet(Recorder):
        def execute(self) -> None:
            barrier.wait()

    applier = world.applier(max_workers=3, types={"meet": Meet})
    plan = world.plan([("meet", {}, ())] * 3)
    settle(applier)
    assert world.states(plan) == ["SUCCEEDED"] * 3
