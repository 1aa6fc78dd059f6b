"""The goal of taking one compute node out of service without hurting its instances."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.optimize.goals.base import MIGRATIONS, Goal, Indicator, Subject, count, ratio


class ClusterMaintaining(Goal):
    """Clear a compute node for maintenance."""

    name = "cluster_maintaining"
    display_name = "Cluster Maintaining"
    indicators = (
        count("instances_count", "Instances on the node to be maintained."),
        MIGRATIONS,
        count("stopped_instances_count", "Instances that the plan stops."),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        homes = subject.session.view.consumers.home
        on_node = subject.of_type("instance") & (homes >= 0) & subject.focused()[homes]
        return {
            "instances_count": int(on_node.sum()),
            "instance_migrations_count": subject.migrations(),
            "stopped_instances_count": int(subject.proposed("stop").sum()),
        }

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the instances that leave the node, or are stopped on it."""
        return [
            ratio(
                "handled_instances_ratio",
                "Instances that are migrated or stopped, as a share of those on the node.",
                values["instance_migrations_count"] + values["stopped_instances_count"],
                values["instances_count"],
            )
        ]
