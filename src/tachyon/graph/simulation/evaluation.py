"""What many candidate changes would lead to, each judged from the same state, none recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from tachyon.graph.simulation.metrics import class_metrics, counted, imbalance
from tachyon.graph.simulation.state import VirtualState
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.graph.view.view import View

#: Metrics that an evaluation gives for each candidate and class.
METRICS = ("mean", "std_deviation", "min", "max", "imbalance", "providers_used")


class Evaluation:
    """Metrics after each of K candidates, K × C arrays in the order of the candidates.

    `feasible` tells which candidates could be recorded; metrics of those that could not are those
    they would lead to if capacity were no matter where that is known, else NaN.
    """

    def __init__(
        self, classes: Sequence[str], feasible: Bool, compute: Callable[[str], F64]
    ) -> None:
        self.classes = tuple(classes)
        self.feasible = feasible
        self._compute = compute
        self._found: dict[str, F64] = {}

    def metric(self, name: str) -> F64:
        """Return one of `METRICS` after each candidate, K × C."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._compute(name)
        return found

    @property
    def std_deviation(self) -> F64:
        """Population standard deviation of utilisation after each candidate, K × C."""
        return self.metric("std_deviation")


def evaluate_moves(
    state: VirtualState, consumers: I64, targets: I64, mask: Bool | None = None
) -> Evaluation:
    """Judge K single moves of simple consumers to single providers, all at once.

    Args:
        state: the state to start from.
        consumers: K consumer rows, each of which stands whole on its host.
        targets: K provider rows that are hosts.
        mask: P; the providers that metrics count (None: all).
    """
    moves = _Moves(state, consumers, targets, mask)
    return Evaluation(state.view.classes, moves.feasible(), moves.metric)


class _Moves:
    """The arithmetic of single moves: of P loads only two change."""

    def __init__(
        self, state: VirtualState, consumers: I64, targets: I64, mask: Bool | None
    ) -> None:
        self.state = state
        self.view: View = state.view
        self.mask = mask
        self.targets = targets
        self.demand = self.view.consumers.demand[consumers]
        homes = self.view.consumers.home[consumers].astype(np.int64)
        moved, at = state.moved_homes()
        if moved.size:
            overlay = self._overlay(moved, at)
            homes = np.where(overlay[consumers] >= 0, overlay[consumers], homes)
        self.homes = homes

    def _overlay(self, moved: I64, at: I64) -> I64:
        overlay = np.full(self.view.consumer_rows, -1, np.int64)
        known = moved < self.view.consumer_rows
        overlay[moved[known]] = at[known]
        return overlay

    @cached_property
    def used(self) -> I64:
        return self.state.used()

    def feasible(self) -> Bool:
        """Return which moves pass every check of recording a MOVE."""
        inv = self.view.inventories
        first = self.view.resource_columns
        ok: Bool = (self.homes >= 0) & (self.homes != self.targets)
        for column in range(first):
            wanted = self.demand[:, column]
            asked = wanted > 0
            if not asked.any():
                continue
            at = self.targets
            fits = (self.used[at, column] + wanted <= inv.capacity[at, column]) & inv.has[
                at, column
            ]
            fits &= (wanted >= inv.min_unit[at, column]) & (wanted <= inv.max_unit[at, column])
            steps = inv.step_size[at, column]
            if (steps > 1).any():
                fits &= wanted % np.maximum(steps, 1) == 0
            ok &= fits | ~asked
        return ok

    def metric(self, name: str) -> F64:
        """Return a metric after each move, K × C."""
        out = np.zeros(self.demand.shape)
        for column in range(self.demand.shape[1]):
            out[:, column] = self._column(column, name)
        return out

    def _column(self, column: int, name: str) -> F64:
        view = self.view
        rows = counted(view, column, self.mask)
        if not rows.size:
            return np.zeros(self.targets.size)
        counts = np.zeros(view.provider_rows, np.bool_)
        counts[rows] = True
        used = self.used[:, column]
        capacity = view.capacity[:, column]
        share: F64 = np.divide(1.0, capacity, out=np.zeros(view.provider_rows), where=counts)
        load: F64 = used * share
        wanted = self.demand[:, column]
        source, target = self.homes, self.targets
        if name == "providers_used":
            now = np.count_nonzero(used[rows])
            emptied = counts[source] & (used[source] == wanted) & (wanted > 0)
            opened = counts[target] & (used[target] == 0) & (wanted > 0)
            emptied_or_opened: F64 = now - emptied.astype(np.float64) + opened
            return emptied_or_opened
        before_s, before_t = load[source], load[target]
        after_s: F64 = (used[source] - wanted) * share[source]
        after_t: F64 = (used[target] + wanted) * share[target]
        if name in ("mean", "std_deviation"):
            return _moments(
                load[rows], counts, source, target, before_s, before_t, after_s, after_t, name
            )
        low, high = _extremes(load, rows, source, target)
        after_s = np.where(counts[source], after_s, np.nan)
        after_t = np.where(counts[target], after_t, np.nan)
        if name == "min":
            return np.fmin(low, np.fmin(after_s, after_t))
        highest = np.fmax(high, np.fmax(after_s, after_t))
        return highest if name == "max" else imbalance(highest, self._column(column, "mean"))


def _moments(
    loads: F64,
    counts: Bool,
    source: I64,
    target: I64,
    before_s: F64,
    before_t: F64,
    after_s: F64,
    after_t: F64,
    name: str,
) -> F64:
    """Mean or deviation with two loads replaced; centred, so that nothing cancels."""
    size = loads.size
    centre = loads.mean()
    centred = loads - centre
    total, squares = centred.sum(), (centred**2).sum()
    change = np.where(counts[source], after_s - before_s, 0.0) + np.where(
        counts[target], after_t - before_t, 0.0
    )
    mean = (total + change) / size
    if name == "mean":
        moved: F64 = centre + mean
        return moved
    of_source = np.where(counts[source], (after_s - centre) ** 2 - (before_s - centre) ** 2, 0.0)
    of_target = np.where(counts[target], (after_t - centre) ** 2 - (before_t - centre) ** 2, 0.0)
    variance = (squares + of_source + of_target) / size - mean**2
    deviation: F64 = np.sqrt(np.maximum(variance, 0.0))
    return deviation


def _extremes(load: F64, rows: I64, source: I64, target: I64) -> tuple[F64, F64]:
    """Return the least and greatest load among the others than source and target."""
    kept = min(3, rows.size)
    order = rows[np.argsort(load[rows], kind="stable")]

    def pick(candidates: I64) -> F64:
        found = np.full(source.size, np.nan)
        for row in candidates[::-1].tolist():
            free = (source != row) & (target != row)
            found = np.where(free, load[row], found)
        return found

    return pick(order[:kept]), pick(order[::-1][:kept])


def evaluate_each(
    state: VirtualState, tries: Sequence[Callable[[], bool]], mask: Bool | None
) -> Evaluation:
    """Judge K candidates one after another by trying each on the state.

    A try changes the state and returns True, or leaves it and returns False; calling it again
    takes it back.
    """
    view = state.view
    size = (len(tries), len(view.classes))
    tables = {name: np.full(size, np.nan) for name in METRICS}
    feasible = np.zeros(len(tries), np.bool_)
    for k, attempt in enumerate(tries):
        feasible[k] = attempt()
        if feasible[k]:
            found = class_metrics(view, state.used(), mask)
            for column, name in enumerate(view.classes):
                for metric, table in tables.items():
                    table[k, column] = getattr(found[name], metric)
            attempt()
    return Evaluation(view.classes, feasible, tables.__getitem__)
