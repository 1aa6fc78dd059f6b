"""Goals, strategies and scoring engines: from what is installed to what the database lists.

Called by every decision engine when it starts, and by `tachyon sync`. A row whose plug-in changed
is not rewritten but replaced (soft-deleted, and a new one made), so that what refers to the old
one still shows what it was made from. What is over stays as it ended; audits and plans that could
still run are called off, for nobody knows whether they fit what is there now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from tachyon.control.objects import Collection, Goal, Objects, Strategy
from tachyon.control.objects.columns import DISPLAY_NAME, shortened
from tachyon.errors import DuplicateRecord
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.scoring.registry import Scoring

#: Attempts when other processes synchronise at the same time.
_ATTEMPTS = 5
_LIVE_AUDITS = ("PENDING", "ONGOING", "SUSPENDED")
_LIVE_PLANS = ("RECOMMENDED", "PENDING")


class Installed(Struct, frozen=True, kw_only=True):
    """What is installed, as rows by name."""

    goals: Mapping[str, Mapping[str, Any]]
    strategies: Mapping[str, Mapping[str, Any]]
    goal_of: Mapping[str, str]
    scoring_engines: Mapping[str, Mapping[str, Any]]


class Synchronised(Struct, kw_only=True):
    """What a synchronisation did: names by kind, and sentences that somebody should read."""

    added: dict[str, list[str]] = field(default_factory=dict)
    replaced: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def installed(plugins: Plugins | None = None, scoring: Scoring | None = None) -> Installed:
    """Return what the entry points of this process name."""
    plugins, scoring = plugins or Plugins(), scoring or Scoring()
    return Installed(
        goals={
            name: {
                "display_name": shortened(goal.display_name, DISPLAY_NAME),
                "efficacy_specification": [
                    {
                        "name": spec.name,
                        "description": spec.description,
                        "unit": spec.unit,
                        "schema": json.dumps(spec.schema),
                    }
                    for spec in goal.indicators
                ],
            }
            for name, goal in plugins.goals.items()
        },
        strategies={
            name: {
                "display_name": shortened(strategy.display_name, DISPLAY_NAME),
                "parameters_spec": strategy.schema,
            }
            for name, strategy in plugins.strategies.items()
            if strategy.goal in plugins.goals
        },
        goal_of={name: strategy.goal for name, strategy in plugins.strategies.items()},
        scoring_engines={
            name: {"description": shortened(engine.description), "metainfo": engine.metainfo}
            for name, engine in scoring.engines().items()
        },
    )


def synchronise(objects: Objects, found: Installed | None = None) -> Synchronised:
    """Make the database list what is installed; many processes may do so at once.

    Raises:
        DuplicateRecord: others synchronise without end.
    """
    found = found or installed()
    for _ in range(_ATTEMPTS - 1):
        try:
            return objects.atomically(lambda: _Run(objects, found).run())
        except DuplicateRecord:
            # Another process was faster with a name; what it wrote is seen now.
            continue
    return objects.atomically(lambda: _Run(objects, found).run())


class _Run:
    """One synchronisation, inside one transaction."""

    def __init__(self, objects: Objects, found: Installed) -> None:
        self._objects = objects
        self._found = found
        self._done = Synchronised()

    def run(self) -> Synchronised:
        self._goals()
        self._strategies()
        self._scoring_engines()
        return self._done

    def _goals(self) -> None:
        goals = self._objects.goals
        for old, new in self._compare("goal", goals, self._found.goals):
            if new is None:
                self._forget_goal(old)
            else:
                self._move("audit_templates", {"goal_id": old.id}, {"goal_id": new.id})
                self._move("audits", {"goal_id": old.id}, {"goal_id": new.id})
                # Their strategies are compared next, and replaced: their goal is another row.

    def _strategies(self) -> None:
        goals = {goal.name: goal.id for goal in self._objects.goals.find()}
        rows = {
            name: {**row, "goal_id": goals[self._found.goal_of[name]]}
            for name, row in self._found.strategies.items()
        }
        for old, new in self._compare("strategy", self._objects.strategies, rows):
            to = None if new is None else new.id
            self._move("audit_templates", {"strategy_id": old.id}, {"strategy_id": to})
            self._call_off(old, "changed" if new else "is no longer installed")
            if new is not None:
                self._move("audits", {"strategy_id": old.id}, {"strategy_id": new.id})
                self._move("action_plans", {"strategy_id": old.id}, {"strategy_id": new.id})

    def _scoring_engines(self) -> None:
        for _ in self._compare(
            "scoring_engine", self._objects.scoring_engines, self._found.scoring_engines
        ):
            continue

    def _compare(
        self, kind: str, collection: Collection[Any], rows: Mapping[str, Mapping[str, Any]]
    ) -> Iterable[tuple[Any, Any]]:
        """Bring one kind up to date; yield what was replaced, by None when it is gone."""
        known = {record.name: record for record in collection.find()}
        for name, row in rows.items():
            old = known.pop(name, None)
            if old is None:
                collection.create(name=name, **row)
                self._done.added.setdefault(kind, []).append(name)
            elif any(getattr(old, key) != value for key, value in row.items()):
                collection.soft_delete(old.id)
                new = collection.create(name=name, **row)
                self._done.replaced.setdefault(kind, []).append(name)
                yield old, new
        for name, old in known.items():
            collection.soft_delete(old.id)
            self._done.removed.setdefault(kind, []).append(name)
            yield old, None

    def _move(self, plural: str, where: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        collection: Collection[Any] = getattr(self._objects, plural)
        for record in collection.find(where):
            collection.update(record.id, changes)

    def _forget_goal(self, goal: Goal) -> None:
        for template in self._objects.audit_templates.find({"goal_id": goal.id}):
            self._done.warnings.append(
                f"audit template {template.name} is for goal {goal.name}, which is no longer "
                "installed"
            )
        reason = f"Goal {goal.name} is no longer installed."
        self._cancel_audits({"goal_id": goal.id}, reason)

    def _call_off(self, strategy: Strategy, what: str) -> None:
        """Cancel what could still run with a strategy."""
        reason = f"Strategy {strategy.name} {what}."
        self._cancel_audits({"strategy_id": strategy.id}, reason)
        plans = self._objects.action_plans
        for plan in plans.find({"strategy_id": strategy.id, "state__in": _LIVE_PLANS}):
            plans.transition(plan.id, "CANCELLED", status_message=reason)
            self._done.cancelled.append(f"action plan {plan.uuid}")
            for action in self._objects.actions.find(
                {"action_plan_id": plan.id, "state": "PENDING"}
            ):
                self._objects.actions.transition(action.id, "CANCELLED", status_message=reason)

    def _cancel_audits(self, where: Mapping[str, Any], reason: str) -> None:
        audits = self._objects.audits
        for audit in audits.find({**where, "state__in": _LIVE_AUDITS}):
            audits.transition(audit.id, "CANCELLED", status_message=reason)
            self._done.cancelled.append(f"audit {audit.name}")
