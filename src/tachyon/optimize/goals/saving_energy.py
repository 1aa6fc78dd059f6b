"""The goal of switching off what nobody uses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.goals.base import Goal, Indicator, Subject, count, ratio


class SavingEnergy(Goal):
    """Keep as many unused compute nodes powered on as standbys, and no more."""

    name = "saving_energy"
    display_name = "Saving Energy"
    indicators = (
        count("powered_on_nodes_count", "Bare metal nodes of compute hosts that are on now."),
        count("switched_off_nodes_count", "Nodes that the plan switches off."),
        count("switched_on_nodes_count", "Nodes that the plan switches on."),
    )

    def values(self, subject: Subject) -> dict[str, float]:
        """Return the counts; see the indicators' descriptions."""
        before, after = powered(subject.session.base()), powered(subject.session)
        nodes = subject.focused()
        return {
            "powered_on_nodes_count": int((nodes & before).sum()),
            "switched_off_nodes_count": int((nodes & before & ~after).sum()),
            "switched_on_nodes_count": int((nodes & ~before & after).sum()),
        }

    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the share of the nodes that are on which the plan switches off."""
        return [
            ratio(
                "switched_off_nodes_ratio",
                "Nodes switched off as a share of the nodes that are on.",
                values["switched_off_nodes_count"],
                values["powered_on_nodes_count"],
            )
        ]


def powered(session: Session) -> Bool:
    """Return by provider row which are powered on in a session (Ironic's `power on`, or `on`)."""
    view = session.view
    mask = np.array(
        [p is not None and is_on(p.power_state) is True for p in view.providers.record],
        np.bool_,
    )
    for row, fields in session.state.fields.items():
        if "power_state" in fields:
            mask[row] = is_on(fields["power_state"]) is True
    return mask


def is_on(power_state: str | None) -> bool | None:
    """Tell whether a power state means on or off; None for anything else."""
    word = (power_state or "").removeprefix("power ")
    return {"on": True, "off": False}.get(word)
