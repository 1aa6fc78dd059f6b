"""What a view says, as plain values by name: equal for views of the same generation."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import structs

from tachyon.graph.view import View


def content(view: View) -> dict[str, Any]:
    """Return every answer of a view, lists in their order; rows and columns appear nowhere."""
    providers, consumers = view.provider_order.tolist(), view.consumer_order.tolist()
    uuid = view.providers.uuid
    columns = list(enumerate(view.classes))
    return {
        "generation": view.generation,
        "providers": [view.provider_at(row) for row in providers],
        "consumers": list(view.all_consumers()),
        "flags": {
            uuid[row]: (
                bool(view.providers.enabled[row]),
                bool(view.providers.up[row]),
                bool(view.providers.maintenance[row]),
            )
            for row in providers
        },
        "used": _cells(view, view.used, providers),
        "limits": {
            (uuid[row], name): tuple(
                getattr(view.inventories, field)[row, column].item()
                for field in view.inventories.__struct_fields__
            )
            for row in providers
            for column, name in columns
            if view.inventories.has[row, column]
        },
        "homes": {
            view.consumers.uuid[row]: None
            if (home := int(view.consumers.home[row])) < 0
            else uuid[home]
            for row in consumers
        },
        "demand": {
            (view.consumers.uuid[row], name): view.consumers.demand[row, column].item()
            for row in consumers
            for column, name in columns
            if view.consumers.demand[row, column]
        },
        "holders": {
            uuid[row]: [view.consumers.uuid[c] for c in view.holders.of(row)] for row in providers
        },
        "records": {kind: dict(table) for kind, table in view.records.items()},
        "nowhere": _leftovers(view),
    }


def _cells(view: View, matrix: Any, rows: list[int]) -> dict[tuple[str, str], int]:
    return {
        (view.providers.uuid[row], name): matrix[row, column].item()
        for row in rows
        for column, name in enumerate(view.classes)
        if matrix[row, column]
    }


def _leftovers(view: View) -> list[str]:
    """What rows of removed entities still hold: nothing, in a sound view."""
    gone = ~view.providers.alive
    dead = ~view.consumers.alive
    found = []
    if view.used[gone].any() or view.capacity[gone].any() or view.inventories.has[gone].any():
        found.append("removed providers")
    if (view.consumers.home[dead] >= 0).any() or view.consumers.demand[dead].any():
        found.append("removed consumers")
    if any(dead[row] for row in view.consumers.spread):
        found.append("removed spread consumers")
    return found


def arrays(view: View) -> dict[str, Any]:
    """Return every array of a view by name."""
    groups = {
        "providers": view.providers,
        "inventories": view.inventories,
        "consumers": view.consumers,
    }
    found = {
        f"{group}.{name}": value
        for group, columns in groups.items()
        for name, value in structs.asdict(columns).items()
        if isinstance(value, np.ndarray)
    }
    return {**found, "used": view.used}
