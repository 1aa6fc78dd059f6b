"""Goals of audits that serve no aim of their own: fixed actions, and trials of the machinery."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.optimize.goals.base import Goal, Indicator, Subject, count


class Unclassified(Goal):
    """Do what the audit's parameters say."""

    name = "unclassified"
    display_name = "Unclassified"
    indicators = (count("proposed_actions_count", "Actions that the strategy asks for by name."),)

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the number of proposals."""
        return {"proposed_actions_count": len(subject.proposals)}

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return none, as in Watcher: nothing is told about how well no aim is served.

        Clients give every figure a line of its own in lists of plans.
        """
        return []


class Dummy(Unclassified):
    """Try the way from an audit to its actions, without touching a cloud."""

    name = "dummy"
    display_name = "Dummy goal"
    first = "dummy"
