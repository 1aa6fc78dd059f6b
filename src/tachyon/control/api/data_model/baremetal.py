"""Ironic's nodes (our own, from microversion 1.8 on)."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tachyon.control.api.data_model.columns import by_uuid
from tachyon.graph.view import View
from tachyon.optimize.scope import ScopeMask


class Row(msgspec.Struct, frozen=True):
    """A node."""

    node_uuid: str
    node_name: str
    node_power_state: str | None
    node_maintenance: bool
    node_maintenance_reason: str | None
    node_extra: dict[str, Any]


def rows(view: View, scope: ScopeMask) -> list[Row]:
    """Return a row for each node in scope."""
    nodes = np.flatnonzero(view.provider_mask(types=["baremetal"]) & scope.providers)
    records = [view.provider_at(row) for row in by_uuid(view, nodes)]
    return [
        Row(
            node.uuid,
            node.name,
            node.power_state,
            node.maintenance,
            node.maintenance_reason,
            node.extra,
        )
        for node in records
    ]
