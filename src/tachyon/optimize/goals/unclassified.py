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
        """Return the number of proposals."""
        spec = self.indicators[0]
        return [
            Indicator(
                name=spec.name,
                description=spec.description,
                unit=spec.unit,
                value=values[spec.name],
            )
        ]


class Dummy(Unclassified):
    """Try the way from an audit to its actions, without touching a cloud."""

    name = "dummy"
    display_name = "Dummy goal"
    first = "dummy"
