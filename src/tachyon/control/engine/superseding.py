"""Recommended plans that have had their day: too old, overtaken by another, or out of step.

Called by a decision engine now and then, and by an applier when a plan has ended. Every decision is
a compare-and-set from RECOMMENDED, so it does not matter how many take it.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from tachyon.control.applier.overlap import touched
from tachyon.control.engine.storing import withdraw
from tachyon.control.objects import Action, ActionPlan, Objects
from tachyon.errors import Conflict, ConsumerNotFound
from tachyon.graph.deltas import Move, UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view import View

LOG = logging.getLogger(__name__)

_RUN = ("PENDING", "ONGOING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED")


def supersede_old(objects: Objects, hours: float) -> list[ActionPlan]:
    """Supersede the plans that were recommended more than some hours ago (0: none)."""
    if not hours:
        return []
    before = objects.database.clock() - timedelta(hours=hours)
    text = f"Action plan was superseded because it is older than {hours:g} hours."
    return withdraw(objects, {"created_at__lt": before}, "SUPERSEDED", text)


def supersede_overtaken(objects: Objects) -> list[ActionPlan]:
    """Supersede the plans since whose making another one has changed something they touch."""
    recommended = objects.action_plans.find({"state": "RECOMMENDED"})
    if not recommended:
        return []
    since = min(p.created_at for p in recommended if p.created_at is not None)
    done = [
        (plan, touched(actions))
        for plan in objects.action_plans.find({"state__in": _RUN, "updated_at__gte": since})
        if (actions := _executed(objects, plan))
    ]
    found: list[ActionPlan] = []
    for plan in recommended if done else ():
        mine = touched(objects.actions.find({"action_plan_id": plan.id}))
        for other, theirs in done:
            later = other.updated_at is not None and plan.created_at < other.updated_at  # type: ignore[operator]
            if later and mine.overlaps(theirs):
                text = f"Action plan was superseded because action plan {other.uuid} was executed."
                found += withdraw(objects, {"id": plan.id}, "SUPERSEDED", text)
                break
    return found


def _executed(objects: Objects, plan: ActionPlan) -> list[Action]:
    return objects.actions.find({"action_plan_id": plan.id, "state": "SUCCEEDED"})


def supersede_outdated(objects: Objects, view: View) -> list[ActionPlan]:
    """Supersede the plans that the cluster as it is now does not allow any more."""
    found = []
    for plan in objects.action_plans.find({"state": "RECOMMENDED"}):
        actions = objects.actions.find({"action_plan_id": plan.id, "state": "PENDING"})
        reason = _obstacle(Session(view), actions)
        if reason is not None:
            text = f"Action plan was superseded because the cluster has changed: {reason}."
            found += withdraw(objects, {"id": plan.id}, "SUPERSEDED", text)
    return found


def _obstacle(session: Session, actions: list[Action]) -> str | None:
    """Return why the migrations of a plan cannot be carried out one after the other."""
    view = session.view
    hosts = {
        view.providers.record[row].name: view.providers.uuid[row]  # type: ignore[union-attr]
        for row in view.provider_mask(types=["compute"]).nonzero()[0].tolist()
    }
    for action in actions:
        given = action.input_parameters
        target = given.get("destination_node")
        if action.action_type == "change_nova_service_state":
            host = hosts.get(str(given.get("resource_name") or given.get("resource_id")))
            if host is not None and given.get("state") in ("enabled", "disabled"):
                session.record(UpdateProvider(provider_uuid=host, status=given["state"]))
        if action.action_type != "migrate" or not target:
            continue
        uuid = str(given.get("resource_id"))
        try:
            here = session.host(uuid)
        except ConsumerNotFound:
            return f"instance {uuid} is gone"
        if here is None or here != hosts.get(str(given.get("source_node"))):
            return f"instance {uuid} is no longer on {given.get('source_node')}"
        there = hosts.get(str(target))
        if there is None or there not in session.destinations(uuid).uuids:
            return f"instance {uuid} can no longer go to {target}"
        try:
            session.record(Move(consumer_uuid=uuid, to_provider=there))
        except Conflict as error:
            return error.message
    return None
