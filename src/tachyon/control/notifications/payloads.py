"""Payloads of notifications: versioned objects, as consumers of Watcher's notifications know them.

Names, versions and fields are those of Watcher's payload classes (control plane contract, 6.3).
Where Tachyon says more (`hostname`, `start_time`, `end_time`, `force`; `service_host` beside the
misspelt `sevice_host`), the minor version is one higher, so that a consumer can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tachyon.control.objects import Action, ActionPlan, Audit, Goal, Record, Service, Strategy

NAMESPACE = "watcher"
Payload = dict[str, Any]

_TIMES = ("created_at", "updated_at", "deleted_at")
_GOAL = ("uuid", "name", "display_name", "efficacy_specification", *_TIMES)
_STRATEGY = ("uuid", "name", "display_name", "parameters_spec", *_TIMES)
_AUDIT = (
    "uuid",
    "name",
    "audit_type",
    "state",
    "parameters",
    "interval",
    "scope",
    "auto_trigger",
    "next_run_time",
    "hostname",
    "start_time",
    "end_time",
    "force",
    "status_message",
    *_TIMES,
)
_PLAN = ("uuid", "state", "global_efficacy", "hostname", "status_message", *_TIMES)
_ACTION = ("uuid", "action_type", "input_parameters", "state", "parents", "status_message", *_TIMES)

#: Versions of the payloads, by name.
VERSIONS = {
    "GoalPayload": "1.0",
    "StrategyPayload": "1.0",
    "TerseAuditPayload": "1.4",
    "AuditCreatePayload": "1.3",
    "AuditDeletePayload": "1.3",
    "AuditUpdatePayload": "1.3",
    "AuditActionPayload": "1.3",
    "AuditStateUpdatePayload": "1.1",
    "TerseActionPlanPayload": "1.3",
    "ActionPlanCreatePayload": "1.3",
    "ActionPlanDeletePayload": "1.3",
    "ActionPlanUpdatePayload": "1.3",
    "ActionPlanActionPayload": "1.3",
    "ActionPlanCancelPayload": "1.3",
    "ActionPlanStateUpdatePayload": "1.1",
    "ActionCreatePayload": "1.1",
    "ActionDeletePayload": "1.1",
    "ActionUpdatePayload": "1.1",
    "ActionExecutionPayload": "1.1",
    "ActionCancelPayload": "1.1",
    "ActionStateUpdatePayload": "1.1",
    "ServiceUpdatePayload": "1.1",
    "ServiceStatusUpdatePayload": "1.0",
    "ExceptionPayload": "1.0",
}


def versioned(name: str, data: Payload) -> Payload:
    """Return a payload in its envelope; every nested payload has one of its own."""
    return {
        "watcher_object.name": name,
        "watcher_object.version": VERSIONS[name],
        "watcher_object.namespace": NAMESPACE,
        "watcher_object.data": data,
    }


def audit_payload(name: str, audit: Audit, **more: Any) -> Payload:
    """Return the payload of an event about an audit; `more` are the event's own fields."""
    data = {
        **_terse_audit(audit),
        "goal": _goal(audit.goal),
        "strategy": _strategy(audit.strategy),
        **more,
    }
    return versioned(name, data)


def action_plan_payload(name: str, plan: ActionPlan, **more: Any) -> Payload:
    """Return the payload of an event about an action plan."""
    data = {
        **_terse_plan(plan),
        "audit": versioned("TerseAuditPayload", _terse_audit(plan.audit)),
        "strategy": _strategy(plan.strategy),
        **more,
    }
    return versioned(name, data)


def action_payload(name: str, action: Action, **more: Any) -> Payload:
    """Return the payload of an event about an action."""
    plan = versioned("TerseActionPlanPayload", _terse_plan(action.action_plan))
    data = {
        **_fields(action, _ACTION),
        "action_plan_uuid": action.action_plan.uuid,
        "action_plan": plan,
        **more,
    }
    return versioned(name, data)


def service_payload(service: Service, old: str, new: str) -> Payload:
    """Return the payload of a change of a service's status."""
    update = versioned("ServiceStatusUpdatePayload", {"old_state": old, "state": new})
    data = {
        "sevice_host": service.host,
        "service_host": service.host,
        "name": service.name,
        "last_seen_up": _moment(service.last_seen_up),
        "status_update": update,
    }
    return versioned("ServiceUpdatePayload", data)


def state_update(name: str, before: Record | None, after: Record) -> Payload:
    """Return what became of a state; both are null where the state stayed."""
    old, new = getattr(before, "state", None), getattr(after, "state", None)
    changed = old is not None and old != new
    data: Payload = {"old_state": old if changed else None, "state": new if changed else None}
    data["status_message"] = getattr(after, "status_message", None) if changed else None
    return versioned(name, data)


def exception_payload(error: BaseException) -> Payload:
    """Return what is known of an error, and where it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    data = {
        "module_name": trace.tb_frame.f_globals.get("__name__") if trace else None,
        "function_name": trace.tb_frame.f_code.co_name if trace else None,
        "exception": type(error).__name__,
        "exception_message": str(error),
    }
    return versioned("ExceptionPayload", data)


def _terse_audit(audit: Audit) -> Payload:
    strategy = audit.strategy.uuid if audit.strategy else None
    return {
        **_fields(audit, _AUDIT),
        "goal_uuid": audit.goal.uuid,
        "strategy_uuid": strategy,
    }


def _terse_plan(plan: ActionPlan) -> Payload:
    return {
        **_fields(plan, _PLAN),
        "audit_uuid": plan.audit.uuid,
        "strategy_uuid": plan.strategy.uuid,
    }


def _goal(goal: Goal) -> Payload:
    return versioned("GoalPayload", _fields(goal, _GOAL))


def _strategy(strategy: Strategy | None) -> Payload | None:
    if strategy is None:
        return None
    return versioned("StrategyPayload", _fields(strategy, _STRATEGY))


def _fields(record: Record, names: tuple[str, ...]) -> Payload:
    return {name: _plain(getattr(record, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _moment(value: datetime | None) -> str | None:
    """Return a time as the envelope has it: UTC, whole seconds."""
    if value is None:
        return None
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
