"""What a run found becomes a plan in the database, together with the state of its audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tachyon.control.applier.overlap import touched
from tachyon.control.engine.running import Found
from tachyon.control.objects import ActionPlan, Audit, Objects
from tachyon.errors import RecordNotFound, StateConflict, TransitionNotAllowed

#: What ends a plan that nobody has started.
_OVER = (StateConflict, TransitionNotAllowed, RecordNotFound)


def store(
    objects: Objects, audit: Audit, found: Found, conclude: Callable[[], Audit]
) -> ActionPlan:
    """Create the plan of a run and bring its audit on, both or neither.

    Args:
        objects: the database.
        audit: as it was when the run began.
        found: what the run found.
        conclude: brings the audit into the state after the run; raises `StateConflict` when the
            audit is no longer this engine's, and then nothing is stored.
    """

    def write() -> ActionPlan:
        conclude()
        if audit.audit_type == "CONTINUOUS":
            withdraw(objects, {"audit_id": audit.id}, "CANCELLED", _NEWER)
        strategy = objects.strategies.get(found.strategy.name)
        actions = found.outcome.plan.actions
        plan = objects.action_plans.create(
            uuid=found.outcome.plan.uuid,
            audit_id=audit.id,
            strategy_id=strategy.id,
            state="RECOMMENDED" if actions else "SUCCEEDED",
            global_efficacy=[_indicator(i) for i in found.outcome.global_efficacy],
            session_id=found.session_id,
            metrics=found.metrics,
        )
        objects.actions.create_many(
            [
                {
                    "uuid": action.uuid,
                    "action_plan_id": plan.id,
                    "action_type": action.action_type,
                    "input_parameters": action.input_parameters,
                    "parents": action.parents,
                }
                for action in actions
            ]
        )
        objects.efficacy_indicators.create_many(
            [
                {
                    "name": i.name,
                    "description": i.description,
                    "unit": i.unit,
                    "data": i.value,
                    "action_plan_id": plan.id,
                }
                for i in found.outcome.indicators
            ]
        )
        return _started(objects, plan) if audit.auto_trigger and actions else plan

    return objects.atomically(write)


def _started(objects: Objects, plan: ActionPlan) -> ActionPlan:
    """Start a plan by itself, unless it would get in the way of one under way.

    Part of the transaction that stores it: no engine can die between the two.
    """
    mine = touched(objects.actions.find({"action_plan_id": plan.id}))
    under_way = {"state__in": ("PENDING", "ONGOING", "CANCELLING")}
    state, text = "PENDING", None
    for other in () if plan.audit.force else objects.action_plans.find(under_way):
        theirs = touched(objects.actions.find({"action_plan_id": other.id}))
        if mine.overlaps(theirs):
            state = "SUPERSEDED"
            text = f"Action plan was superseded because action plan {other.uuid} is under way."
            break
    return objects.action_plans.transition(
        plan.uuid, state, expected="RECOMMENDED", status_message=text
    )


_NEWER = "Action plan was cancelled because a newer round of its audit recommends another one."


def withdraw(objects: Objects, where: dict[str, Any], state: str, text: str) -> list[ActionPlan]:
    """Bring the recommended plans that satisfy filters into a state; returns them."""
    done = []
    for plan in objects.action_plans.find({**where, "state": "RECOMMENDED"}):
        try:
            done.append(
                objects.action_plans.transition(
                    plan.uuid, state, expected="RECOMMENDED", status_message=text
                )
            )
        except _OVER:
            continue  # somebody has started or removed it meanwhile
        for action in objects.actions.find({"action_plan_id": plan.id, "state": "PENDING"}):
            try:
                objects.actions.transition(
                    action.uuid, "CANCELLED", expected="PENDING", status_message=text
                )
            except _OVER:
                continue
    return done


def _indicator(indicator: Any) -> dict[str, Any]:
    return {
        "name": indicator.name,
        "description": indicator.description,
        "unit": indicator.unit,
        "value": indicator.value,
    }


def as_answer(found: Found) -> dict[str, Any]:
    """Return what a run found as clients of a dry run read it."""
    return {
        "strategy": found.strategy.name,
        "actions": [
            {
                "uuid": action.uuid,
                "action_type": action.action_type,
                "input_parameters": action.input_parameters,
                "parents": action.parents,
            }
            for action in found.outcome.plan.actions
        ],
        "efficacy_indicators": [_indicator(i) for i in found.outcome.indicators],
        "global_efficacy": [_indicator(i) for i in found.outcome.global_efficacy],
        "metrics": found.metrics,
        "warnings": found.warnings,
    }
