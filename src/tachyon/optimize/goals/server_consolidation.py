"""The goal of doing the same work on fewer compute nodes."""

from __future__ import annotations

from collections.abc import Mapping

from tachyon.optimize.folding import compute_hosts, hosts_in_use
from tachyon.optimize.goals.base import (
    COUNT,
    Goal,
    Indicator,
    IndicatorSpec,
    Subject,
    migrations,
)


class ServerConsolidation(Goal):
    """Release compute nodes by migrating all their instances elsewhere."""

    name = "server_consolidation"
    display_name = "Server Consolidation"
    indicators = (
        IndicatorSpec(
            name="compute_nodes_count",
            description="Compute nodes that are up, enabled or not, in the audit's scope.",
            schema=COUNT,
        ),
        IndicatorSpec(
            name="released_compute_nodes_count",
            description="Compute nodes that hold instances now and none after the plan.",
            schema=COUNT,
        ),
        IndicatorSpec(
            name="instance_migrations_count",
            description="Instances that the plan migrates.",
            schema=COUNT,
        ),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        session = subject.session
        nodes = compute_hosts(session, subject.scope)
        before, after = hosts_in_use(session.base()), hosts_in_use(session)
        return {
            "compute_nodes_count": int((nodes & session.view.providers.up).sum()),
            "released_compute_nodes_count": int((nodes & before & ~after).sum()),
            "instance_migrations_count": migrations(session),
        }

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the compute nodes that the plan releases."""
        nodes = values["compute_nodes_count"]
        ratio = 100.0 * values["released_compute_nodes_count"] / nodes if nodes else 0.0
        return [
            Indicator(
                name="released_nodes_ratio",
                description="Released compute nodes as a share of the compute nodes.",
                unit="%",
                value=ratio,
            )
        ]
