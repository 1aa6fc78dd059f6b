"""Goals of audits that serve no aim of their own: fixed actions, and trials of the machinery."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.optimize.goals.base import Goal, Indicator, Subject, count, ratio


class Unclassified(Goal):
    """Do what the audit's parameters say."""

    name = "unclassified"
    display_name = "Unclassified"
    indicators = (
        count("proposed_actions_count", "Actions that the strategy asks for by name."),
        count("resource_actions_count", "Those of them that name a resource."),
        count("known_resource_actions_count", "Those of them whose resource is in the graph."),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        named = [p.resource_id for p in subject.proposals if p.resource_id is not None]
        return {
            "proposed_actions_count": len(subject.proposals),
            "resource_actions_count": len(named),
            "known_resource_actions_count": sum(subject.knows(uuid) for uuid in named),
        }

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the actions about a resource that can find it; none without any.

        Where nothing is done to the cluster, nothing is told about how well: the stock client gives
        each figure a line of its own in its lists of plans, and its functional suite reads every
        line of those that the strategy `dummy` makes as a plan.
        """
        if not values["resource_actions_count"]:
            return []
        return [
            ratio(
                "known_resources_ratio",
                "Actions whose resource is in the graph, as a share of those that name one.",
                values["known_resource_actions_count"],
                values["resource_actions_count"],
            )
        ]

    def objective(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """Return the fewest actions in vain: none of two plans serves an aim better."""
        return (values["known_resource_actions_count"] - values["resource_actions_count"],)


class Dummy(Unclassified):
    """Try the way from an audit to its actions, without touching a cloud."""

    name = "dummy"
    display_name = "Dummy goal"
    first = "dummy"
