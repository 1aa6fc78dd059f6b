"""Objects that tests begin with."""

from __future__ import annotations

from msgspec import Struct

from tachyon.control.objects import ActionPlan, Audit, Goal, Objects, Strategy

SPEC = {
    "type": "object",
    "properties": {
        "para1": {"type": "number", "default": 3.2, "minimum": 1.0, "maximum": 10.2},
        "para2": {"type": "string", "default": "hello"},
    },
}


class World(Struct):
    """A goal with a strategy, an audit and its plan with a chain of actions."""

    goal: Goal
    strategy: Strategy
    audit: Audit
    plan: ActionPlan


def world(objects: Objects, name: str = "dummy", actions: int = 3) -> World:
    goal = objects.goals.create(
        name=name,
        display_name=name.title(),
        efficacy_specification=[{"name": "n", "description": "d", "unit": "%", "schema": "{}"}],
    )
    strategy = objects.strategies.create(
        name=name, display_name=name.title(), goal_id=goal.id, parameters_spec=SPEC
    )
    audit = objects.audits.create(
        name=f"{name}-audit", audit_type="ONESHOT", goal_id=goal.id, strategy_id=strategy.id
    )
    plan = add_plan(objects, audit, strategy, actions)
    return World(goal, strategy, audit, plan)


def add_plan(objects: Objects, audit: Audit, strategy: Strategy, actions: int = 3) -> ActionPlan:
    plan = objects.action_plans.create(audit_id=audit.id, strategy_id=strategy.id)
    parents: list[str] = []
    for number in range(actions):
        made = objects.actions.create(
            action_plan_id=plan.id,
            action_type="nop",
            input_parameters={"message": str(number)},
            parents=parents,
        )
        parents = [made.uuid]
    objects.efficacy_indicators.create(
        action_plan_id=plan.id, name="n", description="d", unit="%", data=12.5
    )
    return plan
