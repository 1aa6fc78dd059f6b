"""Goals, strategies and planners by name: plug-ins of the entry point groups below."""

from __future__ import annotations

from typing import Any

from stevedore import ExtensionManager

from tachyon.errors import PluginNotFound
from tachyon.optimize.goals.base import Goal
from tachyon.optimize.planners.base import Planner
from tachyon.optimize.strategies.base import Strategy

GOALS = "tachyon.goals"
STRATEGIES = "tachyon.strategies"
PLANNERS = "tachyon.planners"


class Plugins:
    """What is installed, by name. A plug-in that cannot be imported is listed in `broken`."""

    def __init__(self) -> None:
        self.broken: dict[str, str] = {}
        self.goals: dict[str, type[Goal]] = self._load(GOALS)
        self.strategies: dict[str, type[Strategy]] = self._load(STRATEGIES)
        self.planners: dict[str, type[Planner]] = self._load(PLANNERS)

    def _load(self, group: str) -> dict[str, Any]:
        def failed(_: Any, entry_point: Any, error: BaseException) -> None:
            self.broken[f"{group}:{entry_point.name}"] = str(error)

        manager = ExtensionManager(group, on_load_failure_callback=failed)
        return {e.name: e.plugin for e in sorted(manager, key=lambda e: e.name)}

    def goal(self, name: str) -> Goal:
        """Return a goal; raises `PluginNotFound`."""
        found = self.goals.get(name)
        if found is None:
            raise _unknown("goal", name, self.goals)
        return found()

    def strategy(self, name: str) -> type[Strategy]:
        """Return a strategy's class; raises `PluginNotFound`."""
        found = self.strategies.get(name)
        if found is None:
            raise _unknown("strategy", name, self.strategies)
        return found

    def planner(self, name: str) -> type[Planner]:
        """Return a planner's class; raises `PluginNotFound`."""
        found = self.planners.get(name)
        if found is None:
            raise _unknown("planner", name, self.planners)
        return found

    def strategy_for(self, goal: str) -> type[Strategy]:
        """Return the strategy of an audit that names only a goal; raises `PluginNotFound`."""
        return self.strategies_for(goal)[0]

    def strategies_for(self, goal: str) -> list[type[Strategy]]:
        """Return all strategies that serve a goal: the goal's own first, the others by name.

        Raises:
            PluginNotFound: there is no such goal, or no strategy for it.
        """
        first = self.goal(goal).first
        found = [s for s in self.strategies.values() if s.goal == goal]
        if not found:
            raise PluginNotFound(f"no strategy is installed for goal {goal}", goal=goal)
        return sorted(found, key=lambda s: s.name != first)


def _unknown(kind: str, name: str, known: dict[str, Any]) -> PluginNotFound:
    listed = ", ".join(known) or "none"
    return PluginNotFound(f"no {kind} {name} is installed; there are: {listed}", name=name)
