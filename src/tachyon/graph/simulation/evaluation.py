"""What many candidate changes would lead to, each judged from the same state, none recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from tachyon.graph.simulation.metrics import class_metrics, counted, imbalance
from tachyon.graph.simulation.state import VirtualState
from tachyon.graph.view.columns import F64, I32, I64, Bool
from tachyon.graph.view.view import View

#: Below this share of what it was made from, a variance is worked out anew.
_SHAKY = 1e-6

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
        self.view: View = state.view
        self.mask = mask
        self.source = state.homes()[consumers]
        self.target = targets
        self.demand = self.view.consumers.demand[consumers]
        used = state.used()
        # Metrics are worked out when asked for; the state may have gone on by then.
        self.used = used if used is self.view.used else used.copy()
        self.known: Bool = (self.source >= 0) & (self.source != targets)

    def feasible(self) -> Bool:
        """Return which moves pass every check of recording a MOVE."""
        inv = self.view.inventories
        first = self.view.resource_columns
        wanted = self.demand[:, :first]
        fits = self.used.take(self.target, 0)[:, :first] + wanted
        # Without inventory the capacity is 0, so that nothing fits.
        ok = fits <= inv.capacity.take(self.target, 0)[:, :first]
        for limit, bites, breaks in (
            (inv.min_unit, "min", np.less),
            (inv.max_unit, "max", np.greater),
            (inv.step_size, "step", _off_step),
        ):
            if _bites(self.view, limit, bites):
                ok &= ~breaks(wanted, limit.take(self.target, 0)[:, :first])
        ok |= wanted == 0
        feasible = self.known.copy()
        for column in range(first):
            # A reduction along so short an axis costs many times as much.
            feasible &= ok[:, column]
        return feasible

    @cached_property
    def share(self) -> F64:
        """P × C: 1 / capacity of the providers that count, 0 of the others."""
        view = self.view
        if self.mask is None and "inverse_capacity" in view.memo:
            known: F64 = view.memo["inverse_capacity"]
            return known
        counts = view.capacity > 0
        if self.mask is not None:
            counts &= self.mask[:, np.newaxis]
        share = np.divide(1.0, view.capacity, out=np.zeros(view.capacity.shape), where=counts)
        if self.mask is None:
            view.memo["inverse_capacity"] = share
        return share

    @cached_property
    def sizes(self) -> I64:
        """C: how many providers count for each column; 1 where there is none."""
        sizes: I64 = np.maximum(np.count_nonzero(self.share, axis=0), 1)
        return sizes

    def metric(self, name: str) -> F64:
        """Return a metric after each move, K × C; NaN where there is no move."""
        if name in ("mean", "std_deviation"):
            out = self._moments(name)
        else:
            out = np.zeros(self.demand.shape)
            for column in range(self.demand.shape[1]):
                out[:, column] = self._column(column, name)
        out[~self.known] = np.nan
        return out

    def _moments(self, name: str) -> F64:
        """Mean or deviation with two loads replaced; centred, so that nothing cancels."""
        counts = self.share > 0
        load: F64 = self.used * self.share
        centre = load.sum(axis=0) / self.sizes
        lost = self.demand * -self.share.take(self.source, 0)
        won = self.demand * self.share.take(self.target, 0)
        change = (lost + won) / self.sizes
        if name == "mean":
            moved: F64 = centre + change
            return moved
        centred = np.where(counts, load - centre, 0.0)
        squares = np.einsum("pc,pc->c", centred, centred)
        lost *= 2.0 * centred.take(self.source, 0) + lost
        won *= 2.0 * centred.take(self.target, 0) + won
        variance = (squares + lost + won) / self.sizes - change**2
        deviation: F64 = np.sqrt(np.maximum(variance, 0.0))
        # A move that makes nearly all loads equal leaves little but rounding of what it removed.
        shaky = variance * self.sizes < _SHAKY * (squares + np.abs(lost) + np.abs(won))
        for k, column in np.argwhere(shaky & self.known[:, np.newaxis]).tolist():
            deviation[k, column] = self._deviation(k, column)
        return deviation

    def _deviation(self, k: int, column: int) -> float:
        """Work the deviation after one move out from all loads."""
        used = self.used[:, column].copy()
        used[self.source[k]] -= self.demand[k, column]
        used[self.target[k]] += self.demand[k, column]
        rows = counted(self.view, column, self.mask)
        return float((used[rows] / self.view.capacity[rows, column]).std())

    def _column(self, column: int, name: str) -> F64:
        rows = counted(self.view, column, self.mask)
        if not rows.size:
            return np.zeros(self.target.size)
        share = self.share[:, column]
        used = self.used[:, column]
        wanted = self.demand[:, column]
        source, target = self.source, self.target
        at_source, at_target = share[source] > 0, share[target] > 0
        if name == "providers_used":
            in_use = np.full(source.size, np.count_nonzero(used[rows]), np.float64)
            for at, counts, moved in ((source, at_source, -wanted), (target, at_target, wanted)):
                in_use += counts & (used[at] + moved != 0)
                in_use -= counts & (used[at] != 0)
            return in_use
        low, high = _extremes(used * share, rows, source, target)
        after_s = np.where(at_source, (used[source] - wanted) * share[source], np.nan)
        after_t = np.where(at_target, (used[target] + wanted) * share[target], np.nan)
        if name == "min":
            return np.fmin(low, np.fmin(after_s, after_t))
        highest = np.fmax(high, np.fmax(after_s, after_t))
        return highest if name == "max" else imbalance(highest, self._moments("mean")[:, column])


def _off_step(amount: I64, step: I64) -> Bool:
    off: Bool = amount % np.maximum(step, 1) != 0
    return off


def _bites(view: View, limit: I64, name: str) -> bool:
    """Tell whether a unit rule can refuse anything in this view: most clouds set none."""
    key = ("bites", name)
    if key not in view.memo:
        has = view.inventories.has
        most = view.consumers.demand.max(initial=0)
        view.memo[key] = bool((limit[has] < most).any() if name == "max" else (limit > 1).any())
    return bool(view.memo[key])


def _extremes(load: F64, rows: I64, source: I32, target: I64) -> tuple[F64, F64]:
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
