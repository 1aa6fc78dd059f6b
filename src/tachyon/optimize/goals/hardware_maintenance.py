"""The goal of clearing hosts and pools for work on the hardware."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tachyon.graph.view.columns import Bool
from tachyon.optimize.goals.base import Goal, Indicator, Subject, count, ratio
from tachyon.optimize.migration import MIGRATION_TYPE

#: What is counted: indicator of those that should go (its plan's bears the prefix), what they are,
#: and the global efficacy.
_KINDS = (
    ("live_migrate_instance_count", "Instances to migrate live", "live_instance_migrate_ratio"),
    ("cold_migrate_instance_count", "Instances to migrate cold", "cold_instance_migrate_ratio"),
    ("volume_migrate_count", "Detached volumes to migrate", "volume_migrate_ratio"),
    ("volume_update_count", "Attached volumes to migrate", "volume_update_ratio"),
)


class HardwareMaintenance(Goal):
    """Migrate all instances and volumes of a zone of hosts and pools."""

    name = "hardware_maintenance"
    display_name = "Hardware Maintenance"
    indicators = tuple(
        spec
        for name, text, _ in _KINDS
        for spec in (
            count(name, f"{text}, planned or not."),
            count(f"planned_{name}", f"{text} that are in the plan."),
        )
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return for each kind how many should go, and how many the plan takes."""
        wanted = subject.asked()
        planned = subject.leaving() | subject.proposed("volume_migrate")
        found: dict[str, float] = {}
        for (name, _, _), mask in zip(_KINDS, self._masks(subject), strict=True):
            found[name] = int((mask & wanted).sum())
            found[f"planned_{name}"] = int((mask & wanted & planned).sum())
        return found

    @staticmethod
    def _masks(subject: Subject) -> tuple[Bool, Bool, Bool, Bool]:
        c, codes = subject.session.view.consumers, subject.session.view.codes
        instances, volumes = subject.of_type("instance"), subject.of_type("volume")

        def in_states(kind: str) -> Bool:
            found = [codes.state.find(s) for s, k in MIGRATION_TYPE.items() if k == kind]
            mask: Bool = np.isin(c.state, [code for code in found if code >= 0])
            return mask

        attached = np.array([text is not None for text in c.attachments], np.bool_)
        return (
            instances & in_states("live"),
            instances & in_states("cold"),
            volumes & ~attached,
            volumes & attached,
        )

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return for each kind the planned share."""
        return [
            ratio(
                efficacy,
                f"{text}: share that is in the plan.",
                values[f"planned_{name}"],
                values[name],
            )
            for name, text, efficacy in _KINDS
        ]
