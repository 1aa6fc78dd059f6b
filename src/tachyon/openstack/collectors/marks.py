"""What the collector notes for itself in the `extra` of entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from msgspec import Struct

from tachyon.graph.entities import Allocations
from tachyon.graph.view import View

#: On a provider: what the graph has of it is the last known, not the present.
STALE = "stale"
#: On an entity that an event changed: the latest one. A synchronisation takes it away.
EVENT = "event"


class Mark(Struct, frozen=True):
    """The latest event that an entity was changed by.

    `at` is when it was sent, by the clock of its sender; `updated` the state of the service's
    record that it told of, where events say that.
    """

    at: datetime
    updated: datetime | None = None

    def as_extra(self) -> dict[str, str]:
        """Return the mark as it lies in `extra`."""
        told = {"at": self.at.isoformat()}
        return told | ({"updated": self.updated.isoformat()} if self.updated else {})


def mark_of(extra: Mapping[str, Any]) -> Mark | None:
    """Return the mark in an entity's `extra`, None when no event changed it since it was read."""
    found = extra.get(EVENT)
    if not isinstance(found, dict):
        return None
    updated = found.get("updated")
    return Mark(
        at=datetime.fromisoformat(found["at"]),
        updated=datetime.fromisoformat(updated) if updated else None,
    )


def is_marked(view: View, row: int) -> bool:
    """Tell whether the consumer in a row may carry a mark; quick, without decoding."""
    return f'"{EVENT}":' in (view.consumers.extra[row] or "")


def doubtful(view: View, types: Iterable[str]) -> dict[str, Allocations]:
    """Return the consumers that an event changed since they were last read, with what they hold."""
    columns = view.consumers
    codes = [view.codes.type.find(name) for name in types]
    rows = np.flatnonzero(columns.alive & np.isin(columns.type, codes)).tolist()
    return {columns.uuid[row]: view.allocations(row) for row in rows if is_marked(view, row)}
