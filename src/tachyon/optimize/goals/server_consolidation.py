"""The goal of doing the same work on fewer compute nodes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tachyon.graph.view.columns import Bool
from tachyon.optimize.folding import compute_hosts, hosts_in_use, hosts_of_new
from tachyon.optimize.goals.base import MIGRATIONS, Goal, Indicator, Subject, count, ratio


class ServerConsolidation(Goal):
    """Release compute nodes by migrating all their instances elsewhere."""

    name = "server_consolidation"
    display_name = "Server Consolidation"
    first = "consolidation"
    indicators = (
        count(
            "compute_nodes_count",
            "Compute nodes that are up, enabled or not, in the audit's scope.",
        ),
        count(
            "released_compute_nodes_count",
            "Compute nodes that hold instances now and none after the plan.",
        ),
        MIGRATIONS,
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        session = subject.session
        nodes = compute_hosts(session, subject.scope)
        before, after = hosts_in_use(session.base()), self._in_use_after(subject)
        return {
            "compute_nodes_count": int((nodes & session.view.providers.up).sum()),
            "released_compute_nodes_count": int((nodes & before & ~after).sum()),
            "instance_migrations_count": subject.migrations(),
        }

    @staticmethod
    def _in_use_after(subject: Subject) -> Bool:
        """Return the hosts in use after the plan; who is left to Nova's scheduler is on none."""
        session = subject.session
        homes = session.homes()
        unmoved = homes == session.view.consumers.home
        staying = session.view.consumers.alive & (homes >= 0)
        staying &= ~(subject.proposed("migrate") & unmoved)
        mask = np.zeros(session.view.provider_rows, np.bool_)
        mask[homes[staying]] = True
        mask[[home for home in hosts_of_new(session) if home >= 0]] = True
        return mask

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the compute nodes that the plan releases."""
        return [
            ratio(
                "released_nodes_ratio",
                "Released compute nodes as a share of the compute nodes.",
                values["released_compute_nodes_count"],
                values["compute_nodes_count"],
            )
        ]
