"""How two sessions differ, or a session and the graph."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tachyon.graph.deltas import PROVIDER_FIELDS
from tachyon.graph.simulation.metrics import ClassMetrics
from tachyon.graph.simulation.session import Placement, Session
from tachyon.graph.view.columns import Bool


class PlacementDifference(Struct, frozen=True):
    """A consumer that stands elsewhere, or holds something else; None where it does not exist."""

    left: Placement | None
    right: Placement | None


class FieldDifference(Struct, frozen=True):
    """Fields of a provider that differ, by name: the left value and the right one."""

    left: dict[str, Any]
    right: dict[str, Any]


class Comparison(Struct, frozen=True):
    """Consumers and providers that differ, by uuid, and the metrics of both sides."""

    placements: dict[str, PlacementDifference]
    providers: dict[str, FieldDifference]
    left: dict[str, ClassMetrics]
    right: dict[str, ClassMetrics]


def compare(
    left: Session, right: Session, left_mask: Bool | None = None, right_mask: Bool | None = None
) -> Comparison:
    """Compare two sessions, on the same base or not; a mask restricts the metrics of a side."""
    return Comparison(
        placements=_placements(left, right),
        providers=_providers(left, right),
        left=left.metrics(left_mask),
        right=right.metrics(right_mask),
    )


def _placements(left: Session, right: Session) -> dict[str, PlacementDifference]:
    if left.view is right.view:
        touched = dict.fromkeys(
            s.state.consumer_uuid(row) for s in (left, right) for row in s.state.placed_rows()
        )
    else:
        touched = dict.fromkeys([*left.placements(), *right.placements()])
    found: dict[str, PlacementDifference] = {}
    for uuid in touched:
        here, there = _placement(left, uuid), _placement(right, uuid)
        if here != there:
            found[uuid] = PlacementDifference(here, there)
    return found


def _placement(session: Session, uuid: str) -> Placement | None:
    row = session.state.find_consumer(uuid)
    return None if row is None else session.placement(uuid)


def _providers(left: Session, right: Session) -> dict[str, FieldDifference]:
    if left.view is right.view:
        rows = dict.fromkeys([*left.state.fields, *right.state.fields])
        uuids = [left.view.providers.uuid[row] for row in rows]
    else:
        uuids = list(
            dict.fromkeys(
                view.providers.uuid[row]
                for view in (left.view, right.view)
                for row in view.provider_order.tolist()
            )
        )
    found: dict[str, FieldDifference] = {}
    for uuid in uuids:
        here, there = _fields(left, uuid), _fields(right, uuid)
        names = [n for n in PROVIDER_FIELDS if here.get(n) != there.get(n)]
        if names or bool(here) != bool(there):
            found[uuid] = FieldDifference(
                {n: here[n] for n in names if n in here}, {n: there[n] for n in names if n in there}
            )
    return found


def _fields(session: Session, uuid: str) -> dict[str, Any]:
    row = session.view.providers.index.get(uuid, -1)
    if not 0 <= row < session.view.provider_rows or session.view.providers.record[row] is None:
        return {}
    return {name: session.state.provider_field(row, name) for name in PROVIDER_FIELDS}
