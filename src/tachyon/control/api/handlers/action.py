"""Actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tachyon.control.api import paging, patch, selection
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.fields import wrong
from tachyon.control.api.rendering import links, reference, stamps
from tachyon.control.objects import Action
from tachyon.control.objects.action import MACHINE
from tachyon.control.objects.columns import MESSAGE
from tachyon.errors import Conflict, InvalidInput, StateConflict, TransitionNotAllowed

SKIPPED = "Action skipped by user."
_WAITING = ("RECOMMENDED", "PENDING")


def _render(call: Call, actions: Sequence[Action]) -> list[dict[str, Any]]:
    return _shown(call, actions, full=call.detail)


def _shown(call: Call, actions: Sequence[Action], *, full: bool) -> list[dict[str, Any]]:
    meanings = {}
    if full:
        found = call.objects.action_descriptions.find()
        meanings = {one.action_type: one.description for one in found}
    return [_show(call, action, meanings, full=full) for action in actions]


def _show(call: Call, action: Action, meanings: dict[str, str], *, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "uuid": action.uuid,
        **reference(call, "action_plan", action.action_plan, named=False),
        "state": action.state,
        "action_type": action.action_type,
        "parents": action.parents,
        "links": links(call, "actions", action.uuid),
    }
    if full:
        shown |= {
            "description": meanings.get(action.action_type, ""),
            "input_parameters": action.input_parameters,
            **stamps(action),
        }
        if call.since(5):
            shown["status_message"] = action.status_message
    return shown


def find(call: Call) -> Answer:
    """List actions in the order in which they were planned, all or those of a plan or an audit."""
    named = [name for name in ("action_plan_uuid", "audit_uuid") if name in call.query]
    if len(named) > 1:
        raise InvalidInput("action_plan_uuid and audit_uuid exclude each other.")
    where = {name: selection.uuid_of(call.query[name], name) for name in named}
    return paging.page(call, call.objects.actions, "actions", where, _render)


def get(call: Call) -> Answer:
    """Show an action."""
    action = _get(call, deleted=call.deleted)
    return Answer(_shown(call, [action], full=True)[0])


def _get(call: Call, *, deleted: bool = False) -> Action:
    ident = selection.uuid_of(call.path["action"], "action")
    return call.objects.actions.get(ident, deleted=deleted)


def update(call: Call) -> Answer:
    """Skip an action that nobody has begun, or say why it was skipped."""
    if not call.since(5):
        raise InvalidInput("API microversion 1.5 or higher is required.")
    action = _get(call)
    asked = _asked(call)
    if asked:
        action = call.objects.atomically(lambda: _skipped(call, action, asked))
    return Answer(_shown(call, [action], full=True)[0])


def _asked(call: Call) -> dict[str, str]:
    """Return the state and the message that a patch asks for."""
    asked: dict[str, str] = {}
    for one in patch.parse(call.body):
        name = one.path[0]
        if len(one.path) > 1 or name not in ("state", "status_message") or one.op == "remove":
            raise InvalidInput(f"Couldn't apply patch '{one}'. Reason: it can not be changed so")
        if not isinstance(one.value, str):
            raise InvalidInput(wrong(name, one.value, "Value should be a string."))
        asked[name] = one.value
    if "state" in asked and asked["state"] not in MACHINE.states:
        raise InvalidInput(f"Invalid state: {asked['state'][:255]}")
    reason = asked.get("status_message")
    if reason is not None and (len(_message(reason)) > MESSAGE or "\0" in reason):
        most = MESSAGE - len(_message(""))
        raise InvalidInput(wrong("status_message", reason, f"At most {most} characters."))
    return asked


def _message(reason: str | None) -> str:
    return SKIPPED if reason is None else f"{SKIPPED} Reason: {reason}"


def _skipped(call: Call, action: Action, asked: dict[str, str]) -> Action:
    # Held until the skip is durable: an applier that claims the plan sees it, or waits.
    plan = call.objects.action_plans.lock(action.action_plan_id)
    action = call.objects.actions.get(action.id)
    state = asked.get("state", action.state)
    message = _message(asked.get("status_message"))
    if action.state == "SKIPPED" and state == "SKIPPED":
        return call.objects.actions.update(action.id, {"status_message": message})
    if "state" not in asked:
        raise Conflict(
            f"The status message of an action can be changed when it is SKIPPED, not {action.state}"
        )
    if plan.state not in _WAITING:
        raise Conflict(f"An action can't be skipped while its plan is {plan.state}")
    try:
        return call.objects.actions.transition(
            action.id, state, by_user=True, status_message=message
        )
    except (TransitionNotAllowed, StateConflict) as error:
        raise Conflict(error.message) from error
