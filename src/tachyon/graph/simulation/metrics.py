"""Statistics of the load on providers, per resource class or measured metric."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.graph.view.view import View


class ClassMetrics(Struct, frozen=True, kw_only=True):
    """The load of one class over the providers that have capacity for it.

    Utilisation is used / capacity of each provider (so an overcommitted one is above 1).

    Attributes:
        providers: how many providers have capacity for the class.
        providers_used: how many of them have anything allocated.
        used, capacity: sums, in the class's unit.
        mean, std_deviation, min, max: of the utilisation; the deviation is the population's.
        imbalance: max / mean − 1, how far the fullest provider stands above the average.
    """

    providers: int
    providers_used: int
    used: float
    capacity: float
    mean: float
    std_deviation: float
    min: float
    max: float
    imbalance: float


def class_metrics(view: View, used: I64, mask: Bool | None = None) -> dict[str, ClassMetrics]:
    """Return the metrics of every class and metric column.

    Args:
        view: the base, for capacities.
        used: P × C usage to judge.
        mask: P; the providers to count (None: all).
    """
    found: dict[str, ClassMetrics] = {}
    capacity = view.capacity
    for column, name in enumerate(view.classes):
        rows = counted(view, column, mask)
        scale = view.scale(column)
        held, room = used[rows, column], capacity[rows, column]
        found[name] = _describe(held / room, held, room, scale)
    return found


def counted(view: View, column: int, mask: Bool | None) -> I64:
    """Return the provider rows that count for a column: living, with capacity, in the mask."""
    key = ("counted", column)
    rows: I64 | None = view.memo.get(key)
    if rows is None:
        rows = np.flatnonzero(view.capacity[:, column] > 0)
        view.memo[key] = rows
    return rows if mask is None else rows[mask[rows]]


def imbalance(maximum: F64, mean: F64) -> F64:
    """Return max / mean − 1, 0 where nothing is used."""
    safe = np.where(mean > 0, mean, 1.0)
    return np.where(mean > 0, maximum / safe - 1.0, 0.0)


def _describe(load: F64, held: I64, room: F64, scale: int) -> ClassMetrics:
    if not load.size:
        return ClassMetrics(
            providers=0,
            providers_used=0,
            used=0,
            capacity=0,
            mean=0,
            std_deviation=0,
            min=0,
            max=0,
            imbalance=0,
        )
    mean = float(load.mean())
    highest = float(load.max())
    used = int(held.sum())
    return ClassMetrics(
        providers=int(load.size),
        providers_used=int(np.count_nonzero(held)),
        used=used if scale == 1 else used / scale,
        capacity=float(room.sum()) / scale,
        mean=mean,
        std_deviation=float(load.std()),
        min=float(load.min()),
        max=highest,
        imbalance=highest / mean - 1.0 if mean > 0 else 0.0,
    )
