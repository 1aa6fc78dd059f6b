"""Audit templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tachyon.control.api import fields as f
from tachyon.control.api import paging, parameters, patch, selection
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links, reference, stamps, url
from tachyon.control.objects import AuditTemplate, Goal, Strategy
from tachyon.control.objects.columns import NAME
from tachyon.errors import Conflict, InvalidInput, RecordNotFound
from tachyon.optimize import scope


def _scope(value: Any, call: Call) -> list[dict[str, Any]]:
    """Read a scope; a string is JSON text, as some clients send it."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("Value should be a scope: a JSON list.") from None
    try:
        return scope.check(f.LIST.read(value, call))
    except InvalidInput as error:
        raise ValueError(error.message[:1000]) from error


FIELDS: f.Fields = {
    "name": f.required(f.text(NAME)),
    "description": f.text(255, least=0, lines=True),
    "goal": f.required(f.IDENTIFIER),
    "strategy": f.IDENTIFIER,
    "scope": f.Field(_scope, {"type": ["array", "string"]}),
    "default_parameters": f.since(f.MAPPING, 7),
}


def _render(call: Call, templates: Sequence[AuditTemplate]) -> list[dict[str, Any]]:
    return [_show(call, template, full=call.detail) for template in templates]


def _show(call: Call, template: AuditTemplate, *, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "uuid": template.uuid,
        "name": template.name,
        **reference(call, "goal", template.goal),
        **reference(call, "strategy", template.strategy),
        "scope": template.scope,
        "links": links(call, "audit_templates", template.uuid),
    }
    if full:
        shown |= {"description": template.description, **stamps(template)}
        if call.since(7):
            shown["default_parameters"] = template.default_parameters
    return shown


def find(call: Call) -> Answer:
    """List audit templates, all or those of a goal or a strategy."""
    where = selection.filters(call, "goal", "strategy")
    if "name" in call.query:
        where["name"] = call.query["name"]
    return paging.page(call, call.objects.audit_templates, "audit_templates", where, _render)


def get(call: Call) -> Answer:
    """Show an audit template."""
    template = _get(call, deleted=call.deleted)
    return Answer(_show(call, template, full=True))


def _get(call: Call, *, deleted: bool = False) -> AuditTemplate:
    return call.objects.audit_templates.get(call.path["audit_template"], deleted=deleted)


def create(call: Call) -> Answer:
    """Create an audit template."""
    given = f.decode(FIELDS, call.body, call)
    goal, strategy = _goal(call, given["goal"]), _strategy(call, given.get("strategy"))
    selection.check_strategy(call, goal, strategy)
    defaults = given.get("default_parameters", {})
    parameters.check_defaults(strategy, defaults)
    template = call.objects.audit_templates.create(
        name=given["name"],
        description=given.get("description"),
        goal_id=goal.id,
        strategy_id=None if strategy is None else strategy.id,
        scope=given.get("scope", []),
        default_parameters=defaults,
    )
    where = url(call, "audit_templates", template.uuid)
    return Answer(_show(call, template, full=True), location=where)


def _goal(call: Call, ident: str) -> Goal:
    try:
        return call.objects.goals.get(ident)
    except RecordNotFound as error:
        raise InvalidInput(f"Goal {ident} is invalid") from error


def _strategy(call: Call, ident: str | None) -> Strategy | None:
    if ident is None:
        return None
    try:
        return call.objects.strategies.get(ident)
    except RecordNotFound as error:
        raise InvalidInput(f"Strategy {ident} is invalid") from error


def update(call: Call) -> Answer:
    """Change an audit template; audits that were made from it stay as they are."""
    template = _get(call)
    document = {
        "name": template.name,
        "description": template.description,
        "goal": template.goal.uuid,
        "strategy": template.strategy and template.strategy.uuid,
        "scope": template.scope,
        "default_parameters": template.default_parameters,
    }
    changes = patch.apply(patch.parse(call.body), document, FIELDS, call)
    goal, strategy = template.goal, template.strategy
    if "goal" in changes:
        goal = _goal(call, changes.pop("goal"))
        changes["goal_id"] = goal.id
    if "strategy" in changes:
        strategy = _strategy(call, changes.pop("strategy"))
        changes["strategy_id"] = None if strategy is None else strategy.id
    if "goal_id" in changes or "strategy_id" in changes:
        selection.check_strategy(call, goal, strategy)
        if template.default_parameters and "default_parameters" not in changes:
            raise Conflict(
                "default_parameters belong to the strategy: give new ones with another goal or "
                "strategy"
            )
    if "default_parameters" in changes:
        parameters.check_defaults(strategy, changes["default_parameters"] or {})
    if changes:
        template = call.objects.audit_templates.update(template.id, changes)
    return Answer(_show(call, template, full=True))


def delete(call: Call) -> Answer:
    """Delete an audit template."""
    call.objects.audit_templates.soft_delete(_get(call).id)
    return Answer()
