"""The plan that takes a finished plan back: its actions inverted, children before parents.

A plan of its own, so that it can be looked at, cancelled and resumed like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tachyon.control.applier import workflow
from tachyon.control.applier.actions import Action, Surroundings
from tachyon.control.objects import Action as ActionRecord
from tachyon.control.objects import ActionPlan, Objects
from tachyon.errors import InvalidInput, StateConflict

_FINISHED = ("SUCCEEDED", "FAILED", "CANCELLED")
_LIVE = ("RECOMMENDED", "PENDING", "ONGOING", "CANCELLING", "SUCCEEDED")


def plan_of_rollback(
    objects: Objects, types: Mapping[str, type[Action]], uuid: str, max_age: float
) -> ActionPlan:
    """Create the plan that takes a finished plan back, PENDING.

    Raises:
        InvalidInput: nothing was done that could be taken back, or it is too long ago.
        StateConflict: the plan has not ended, or is taken back already.
    """

    def create() -> ActionPlan:
        plan = objects.action_plans.get(uuid)
        if plan.state not in _FINISHED:
            raise StateConflict(f"plan {uuid} is {plan.state}: only a finished plan is taken back")
        ended = plan.updated_at or plan.created_at
        if ended is not None and objects.database.clock() - ended > timedelta(seconds=max_age):
            raise InvalidInput(f"plan {uuid} ended more than {max_age:g} s ago")
        earlier = objects.action_plans.find({"rollback_of": uuid, "state__in": _LIVE})
        if earlier:
            raise StateConflict(f"plan {uuid} is taken back by plan {earlier[0].uuid} already")
        rows = _inverted(objects.actions.find({"action_plan_id": plan.id}), types)
        if not rows:
            raise InvalidInput(f"plan {uuid} did nothing that could be taken back")
        new = objects.action_plans.create(
            audit_id=plan.audit_id,
            strategy_id=plan.strategy_id,
            state="PENDING",
            rollback_of=plan.uuid,
            status_message=f"Takes back action plan {plan.uuid}.",
        )
        objects.actions.create_many([{**row, "action_plan_id": new.id} for row in rows])
        return new

    return objects.atomically(create)


def _inverted(
    actions: list[ActionRecord], types: Mapping[str, type[Action]]
) -> list[dict[str, Any]]:
    """Return the rows of the inverse actions, each after its parents."""
    known = {a.uuid for a in actions}
    graph = {a.uuid: [p for p in a.parents if p in known] for a in actions}
    inverse = {a.uuid: _inverse(a, types) for a in actions if a.state == "SUCCEEDED"}
    for changes in service_changes(actions):
        first, last = changes[0], changes[-1]
        back = inverse[first.uuid]
        inverse.update(dict.fromkeys(one.uuid for one in changes))
        if back is not None and back[1]["state"] != last.input_parameters["state"]:
            inverse[first.uuid] = back
    #: By action: the new actions that stand for it; for one that has none, for its children.
    standing: dict[str, set[str]] = {}
    rows = []
    for uuid, children in workflow.reversed_graph(graph).items():
        parents = set[str]().union(*(standing[child] for child in children))
        found = inverse.get(uuid)
        if found is None:
            standing[uuid] = parents
            continue
        name = str(uuid4())
        standing[uuid] = {name}
        rows.append(
            {
                "uuid": name,
                "action_type": found[0],
                "input_parameters": found[1],
                "parents": sorted(parents),
            }
        )
    return _opened_first(rows)


def service_changes(actions: list[ActionRecord]) -> list[list[ActionRecord]]:
    """Return what was done to the compute service of each host, in order.

    A host may be disabled only while a plan runs. Of all its changes the first tells what it was
    before the plan, and that alone is what it has to become again.
    """
    found: dict[str, list[ActionRecord]] = {}
    for action in actions:
        if action.action_type == "change_nova_service_state" and action.state == "SUCCEEDED":
            given = action.input_parameters
            host = str(given.get("resource_name") or given["resource_id"])
            found.setdefault(host, []).append(action)
    return list(found.values())


def reopens(action_type: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether an action lets instances come to a host again."""
    return action_type == "change_nova_service_state" and parameters.get("state") == "enabled"


def _opened_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let services that have to be enabled be so before anything comes back to their hosts.

    A plan disables a service before instances leave; the other way round, Nova would refuse them.
    """
    first = {r["uuid"]: r for r in rows if reopens(r["action_type"], r["input_parameters"])}
    opened = {str(r["input_parameters"].get("resource_name")): uuid for uuid, r in first.items()}
    waited = {uuid: set(row["parents"]) for uuid, row in first.items()}
    for row in rows:
        if row["uuid"] in first:
            row["parents"] = []
            continue
        parents = set(row["parents"])
        for uuid in parents & first.keys():
            parents |= waited[uuid]
        opener = opened.get(str(row["input_parameters"].get("destination_node")))
        row["parents"] = sorted(parents | ({opener} if opener else set()))
    return [*first.values(), *(row for row in rows if row["uuid"] not in first)]


def _inverse(
    action: ActionRecord, types: Mapping[str, type[Action]]
) -> tuple[str, dict[str, Any]] | None:
    cls = types.get(action.action_type)
    if cls is None:
        return None
    nothing = Surroundings(wait=lambda seconds: None, keep=lambda outputs: None)
    return cls(action.input_parameters, nothing, action.outputs).inverse()
