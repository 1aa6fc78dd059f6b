"""Action plans."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from tachyon.control.api import paging, patch, selection
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links, moment, reference, stamps
from tachyon.control.objects import ActionPlan
from tachyon.control.objects.action_plan import MACHINE
from tachyon.errors import (
    InvalidInput,
    NotFound,
    ServiceUnavailable,
    StateConflict,
    TransitionNotAllowed,
)

LOG = logging.getLogger(__name__)

_FINISHED = ("SUCCEEDED", "FAILED", "CANCELLED")


def _render(call: Call, plans: Sequence[ActionPlan]) -> list[dict[str, Any]]:
    return _shown(call, plans, full=call.detail)


def _shown(call: Call, plans: Sequence[ActionPlan], *, full: bool) -> list[dict[str, Any]]:
    worth = _indicators(call, plans)
    return [_show(call, plan, worth.get(plan.id, []), full=full) for plan in plans]


def _indicators(call: Call, plans: Sequence[ActionPlan]) -> dict[int, list[dict[str, Any]]]:
    """Return the efficacy indicators of plans by the plans' numbers."""
    found: dict[int, list[dict[str, Any]]] = {}
    numbers = [plan.id for plan in plans]
    if not numbers:
        return found
    names = ("action_plan_id", "name", "description", "unit", "data")
    where = {"action_plan_id__in": numbers}
    for plan, name, description, unit, value in call.objects.efficacy_indicators.values(
        names, where, deleted=True
    ):
        found.setdefault(plan, []).append(
            {"name": name, "description": description, "unit": unit, "value": value}
        )
    return found


def _show(
    call: Call, plan: ActionPlan, indicators: list[dict[str, Any]], *, full: bool
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "uuid": plan.uuid,
        "state": plan.state,
        "efficacy_indicators": indicators,
        "global_efficacy": plan.global_efficacy,
        "updated_at": moment(plan.updated_at),
        **reference(call, "audit", plan.audit, named=False),
        **reference(call, "strategy", plan.strategy),
        "links": links(call, "action_plans", plan.uuid),
    }
    if full:
        shown |= {"hostname": plan.hostname, **stamps(plan)}
        if call.since(5):
            shown["status_message"] = plan.status_message
        if call.since(8):
            shown["rollback_of"] = plan.rollback_of
    return shown


def _answer(call: Call, plan: ActionPlan) -> Answer:
    return Answer(_shown(call, [plan], full=True)[0])


def find(call: Call) -> Answer:
    """List action plans, all or those of an audit or a strategy."""
    where = selection.filters(call, "strategy")
    if "audit_uuid" in call.query:
        where["audit_uuid"] = selection.uuid_of(call.query["audit_uuid"], "audit_uuid")
    if "state" in call.query:
        where["state"] = call.query["state"]
    return paging.page(call, call.objects.action_plans, "action_plans", where, _render)


def get(call: Call) -> Answer:
    """Show an action plan."""
    return _answer(call, _get(call, deleted=call.deleted))


def _get(call: Call, *, deleted: bool = False) -> ActionPlan:
    ident = selection.uuid_of(call.path["action_plan"], "action_plan")
    return call.objects.action_plans.get(ident, deleted=deleted)


def update(call: Call) -> Answer:
    """Start (PENDING) or cancel an action plan, by its state."""
    plan = _get(call)
    operations = patch.parse(call.body)
    if not operations:
        raise InvalidInput("Couldn't apply patch '[]'. Reason: there is no operation")
    state: Any = None
    for one in operations:
        if one.path != ("state",) or one.op == "remove":
            raise InvalidInput(f"'/{'/'.join(one.path)}' can not be changed this way")
        state = one.value
    if not isinstance(state, str) or state not in MACHINE.states:
        raise InvalidInput(f"Invalid state: {str(state)[:255]}")
    return _answer(call, _moved(call, plan, state))


def _moved(call: Call, plan: ActionPlan, state: str) -> ActionPlan:
    """Bring a plan into a state that a user asks for, and tell those whom it concerns."""
    objects = call.objects

    def move() -> ActionPlan:
        moved = objects.action_plans.transition(plan.id, state, by_user=True)
        if state == "CANCELLED":
            for action in objects.actions.find({"action_plan_id": plan.id, "state": "PENDING"}):
                objects.actions.transition(action.id, "CANCELLED")
        return moved

    moved = objects.atomically(move)
    applier = call.services.applier
    try:
        if state == "PENDING":
            applier.launch_action_plan(action_plan_uuid=plan.uuid)
        elif state == "CANCELLING":
            applier.cancel_action_plan(action_plan_uuid=plan.uuid)
    except ServiceUnavailable as error:
        LOG.warning("plan %s waits for the next look of an applier: %s", plan.uuid, error)
    return moved


def start(call: Call) -> Answer:
    """Start an action plan."""
    if call.body is not None and call.body != {}:
        raise InvalidInput("Invalid input: the body must be empty or an empty object.")
    plan = _get(call)
    try:
        if plan.state != "RECOMMENDED":
            raise TransitionNotAllowed(plan.state, "PENDING")
        return _answer(call, _moved(call, plan, "PENDING"))
    except TransitionNotAllowed as error:
        state = error.details["old"]
        raise InvalidInput(f"Couldn't start when state is '{state}'.") from error


def delete(call: Call) -> Answer:
    """Delete an action plan that is not at work, with its actions and indicators."""
    plan = _get(call)
    try:
        call.objects.action_plans.soft_delete(plan.id)
    except TransitionNotAllowed as error:
        state = error.details["old"]
        raise InvalidInput(f"Couldn't delete when state is '{state}'.") from error
    return Answer()


def session(call: Call) -> Answer:
    """Show the simulation session that a plan was made in: what it is, and what it changes."""
    plan = _get(call, deleted=call.deleted)
    if plan.session_id is None:
        raise NotFound(f"Action plan {plan.uuid} was not made in a session.")
    sessions = call.services.graph.sessions
    return Answer(
        {
            "session": msgspec.to_builtins(sessions.get(plan.session_id)),
            "deltas": msgspec.to_builtins(sessions.history(plan.session_id)),
            "effect": msgspec.to_builtins(sessions.effect(plan.session_id)),
        }
    )


def metrics(call: Call) -> Answer:
    """Show the load of the cluster before and after a plan, as its strategy saw it."""
    plan = _get(call, deleted=call.deleted)
    return Answer({"before": plan.metrics.get("before"), "after": plan.metrics.get("after")})


def rollback(call: Call) -> Answer:
    """Take back what a plan that is over did, by a plan of its own, which is shown."""
    if call.body is not None and call.body != {}:
        raise InvalidInput("Invalid input: the body must be empty or an empty object.")
    plan = _get(call)
    if plan.state not in _FINISHED:
        raise InvalidInput(f"Couldn't roll back when state is '{plan.state}'.")
    ended = plan.updated_at or plan.created_at
    within = call.services.rollback_within
    if ended is not None and call.services.now() - ended > timedelta(seconds=within):
        raise InvalidInput(f"Couldn't roll back: the plan ended more than {within:g} s ago.")
    try:
        made = call.services.applier.rollback_action_plan(action_plan_uuid=plan.uuid)
    except StateConflict as error:
        raise InvalidInput(f"Couldn't roll back: {error.message}") from error
    return _answer(call, call.objects.action_plans.get(made))
