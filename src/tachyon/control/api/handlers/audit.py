"""Audits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from tachyon.control.api import fields as f
from tachyon.control.api import paging, parameters, patch, selection
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links, plain_moment, reference, stamps, url
from tachyon.control.objects import Audit, AuditTemplate, Goal, Strategy
from tachyon.control.objects.audit import MACHINE, AuditType
from tachyon.control.objects.columns import NAME
from tachyon.errors import InvalidInput, RecordNotFound, ServiceUnavailable, TransitionNotAllowed

LOG = logging.getLogger(__name__)

_TYPES = get_args(AuditType)


def _audit_type(value: Any, _call: Call) -> str:
    if value not in _TYPES:
        raise ValueError(f"Value should be one of: {', '.join(_TYPES)}.")
    return str(value)


def _state(value: Any, _call: Call) -> str:
    if not isinstance(value, str) or value not in MACHINE.states:
        raise InvalidInput(f"Invalid state: {str(value)[:255]}")
    return value


def _name(value: Any, call: Call) -> str:
    """Read a name; one that is too long is cut, as clients expect of a new audit."""
    found: str = f.text(1024).read(value, call)
    return found[:NAME]


NEW: f.Fields = {
    "audit_type": f.required(f.Field(_audit_type, {"enum": list(_TYPES)})),
    "audit_template_uuid": f.UUID_FIELD,
    "goal": f.IDENTIFIER,
    "strategy": f.IDENTIFIER,
    "name": f.Field(_name, {"type": "string", "minLength": 1}),
    "interval": f.INTERVAL,
    "parameters": f.MAPPING,
    "auto_trigger": f.BOOLEAN,
    "start_time": f.since(f.MOMENT, 1),
    "end_time": f.since(f.MOMENT, 1),
    "force": f.BOOLEAN,
}
CHANGES: f.Fields = {
    "name": f.required(f.text(NAME)),
    "state": f.required(f.Field(_state, {"enum": sorted(MACHINE.states)})),
    "interval": f.INTERVAL,
    "parameters": f.MAPPING,
    "auto_trigger": f.required(f.STRICT_BOOLEAN),
    "start_time": f.since(f.MOMENT, 1),
    "end_time": f.since(f.MOMENT, 1),
    "force": f.required(f.since(f.STRICT_BOOLEAN, 2)),
}


def _render(call: Call, audits: Sequence[Audit]) -> list[dict[str, Any]]:
    return [_show(call, audit, full=call.detail) for audit in audits]


def _show(call: Call, audit: Audit, *, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "uuid": audit.uuid,
        "name": audit.name,
        "audit_type": audit.audit_type,
        "state": audit.state,
        **reference(call, "goal", audit.goal),
        **reference(call, "strategy", audit.strategy),
        "interval": audit.interval,
        "scope": audit.scope,
        "auto_trigger": audit.auto_trigger,
        "next_run_time": plain_moment(audit.next_run_time),
        "links": links(call, "audits", audit.uuid),
    }
    if not full:
        return shown
    shown |= {"parameters": audit.parameters, "hostname": audit.hostname, **stamps(audit)}
    if call.since(1):
        shown["start_time"] = plain_moment(audit.start_time)
        shown["end_time"] = plain_moment(audit.end_time)
    if call.since(2):
        shown["force"] = audit.force
    if call.since(5):
        shown["status_message"] = audit.status_message
    return shown


def find(call: Call) -> Answer:
    """List audits, all or those of a goal or a strategy (from 1.8 on also by other fields)."""
    where = selection.filters(call, "goal", "strategy")
    where |= {k: call.query[k] for k in ("name", "state", "audit_type") if k in call.query}
    return paging.page(call, call.objects.audits, "audits", where, _render)


def get(call: Call) -> Answer:
    """Show an audit."""
    return Answer(_show(call, _get(call, deleted=call.deleted), full=True))


def _get(call: Call, *, deleted: bool = False) -> Audit:
    return call.objects.audits.get(call.path["audit"], deleted=deleted)


def create(call: Call) -> Answer:
    """Create an audit; one that runs once starts at once."""
    given = f.decode(NEW, call.body, call)
    template = _template(call, given)
    goal, strategy = _subject(call, given, template)
    selection.check_strategy(call, goal, strategy)
    _check_times(given["audit_type"], given)
    defaults = {} if template is None else template.default_parameters
    audit = call.objects.audits.create(
        name=given.get("name") or _made_up((strategy or template or goal).name),
        audit_type=given["audit_type"],
        goal_id=goal.id,
        strategy_id=None if strategy is None else strategy.id,
        scope=[] if template is None else template.scope,
        parameters=parameters.complete(strategy, {**defaults, **given.get("parameters", {})}),
        interval=given.get("interval"),
        auto_trigger=given.get("auto_trigger", False),
        start_time=given.get("start_time"),
        end_time=given.get("end_time"),
        force=given.get("force", False),
    )
    if audit.audit_type == "ONESHOT":
        trigger(call, audit)
    where = url(call, "audits", audit.uuid)
    return Answer(_show(call, audit, full=True), location=where)


def _made_up(source: str) -> str:
    """Return a name for an audit that was given none: what it is from, and the moment."""
    stamp = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{source[: NAME - len(stamp) - 1]}-{stamp}"


def trigger(call: Call, audit: Audit) -> None:
    """Wake a decision engine up; without a bus, engines find the audit when they next look."""
    try:
        call.services.engine.trigger_audit(audit_uuid=audit.uuid)
    except ServiceUnavailable as error:
        LOG.warning("audit %s waits for the next look of an engine: %s", audit.uuid, error)


def _template(call: Call, given: Mapping[str, Any]) -> AuditTemplate | None:
    ident = given.get("audit_template_uuid")
    if (ident is None) == ("goal" not in given):
        raise InvalidInput("Either audit_template_uuid or goal should be provided.")
    if ident is None:
        return None
    try:
        return call.objects.audit_templates.get(ident)
    except RecordNotFound as error:
        raise InvalidInput(f"The audit template UUID or name {ident} is invalid") from error


def _subject(
    call: Call, given: Mapping[str, Any], template: AuditTemplate | None
) -> tuple[Goal, Strategy | None]:
    goal = call.objects.goals.get(given["goal"]) if template is None else template.goal
    if "strategy" in given:
        return goal, call.objects.strategies.get(given["strategy"])
    return goal, None if template is None else template.strategy


def _check_times(audit_type: str, given: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` unless interval and times go with the type of the audit."""
    if audit_type == "CONTINUOUS" and given.get("interval") is None:
        raise InvalidInput(f"Interval of audit must be specified for {audit_type}.")
    if audit_type == "ONESHOT":
        if given.get("interval") is not None:
            raise InvalidInput(f"Interval of audit must not be set for {audit_type}.")
        if given.get("start_time") or given.get("end_time"):
            raise InvalidInput(f"The start or end time of audit must not be set for {audit_type}")
    _check_order(given.get("start_time"), given.get("end_time"))


def _check_order(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and end <= start:
        raise InvalidInput("The end time of an audit must be later than its start time.")


_READ_ONLY = frozenset(
    {
        *("audit_type", "audit_template_uuid", "goal", "goal_id", "goal_uuid", "goal_name"),
        *("strategy", "strategy_id", "strategy_uuid", "strategy_name", "scope", "type"),
        *("next_run_time", "hostname", "status_message"),
    }
)


def update(call: Call) -> Answer:
    """Change an audit; its state as far as users may."""
    audit = _get(call)
    document = {
        "name": audit.name,
        "state": audit.state,
        "interval": audit.interval,
        "parameters": audit.parameters,
        "auto_trigger": audit.auto_trigger,
        "start_time": plain_moment(audit.start_time),
        "end_time": plain_moment(audit.end_time),
        "force": audit.force,
    }
    operations = patch.parse(call.body)
    changes = patch.apply(operations, document, CHANGES, call, read_only=_READ_ONLY)
    if "parameters" in changes:
        changes["parameters"] = parameters.complete(audit.strategy, changes["parameters"] or {})
    if "interval" in changes and audit.audit_type == "CONTINUOUS":
        if changes["interval"] is None:
            raise InvalidInput("'/interval' is a mandatory attribute and can not be removed")
        if changes["interval"] != audit.interval:
            # The engine works the next round out anew.
            changes["next_run_time"] = None
    if "start_time" in changes or "end_time" in changes:
        _check_order(
            changes.get("start_time", audit.start_time), changes.get("end_time", audit.end_time)
        )
    state = changes.pop("state", None)
    if state is not None:
        audit = call.objects.audits.transition(audit.id, state, by_user=True, **changes)
    elif changes:
        audit = call.objects.audits.update(audit.id, changes)
    return Answer(_show(call, audit, full=True))


def delete(call: Call) -> Answer:
    """Delete an audit that is over or suspended; its plans stay."""
    audit = _get(call)
    try:
        call.objects.audits.soft_delete(audit.id)
    except TransitionNotAllowed as error:
        state = error.details["old"]
        raise InvalidInput(f"Couldn't delete when state is '{state}'.") from error
    return Answer()


def dry_run(call: Call) -> Answer:
    """Show what an audit would propose now; no plan is stored."""
    audit = _get(call)
    return Answer(call.services.engine.dry_run_audit(audit_uuid=audit.uuid))
