"""Simulated annealing on a `State` until the time is over, in steps of many changes at once.

The search for where `islands.py` cannot run: all of it is numpy.

A step judges thousands of shifts or swaps of instances drawn at random and makes the best ones that
share no host and no service, as far as Metropolis' rule accepts them (Metropolis and others, 1953;
Kirkpatrick, Gelatt and Vecchi, 1983). The temperature falls with the time that is left, from one at
which most changes are accepted to one at which hardly any is that raises the cost. The best
assignment that was met is kept, so the search can end at any time.

Transient resources make a scattered assignment a trap: whoever has moved takes room twice. While it
is hot, a pull towards the start outweighs that there are many other hosts and only one start. How
strong it should be is found out by short searches first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tachyon.graph.view.columns import F64, I64
from tachyon.optimize.reassignment.problem import Problem, scarce
from tachyon.optimize.reassignment.state import State

#: Cells (instances × hosts) that are judged at once for shifts, and pairs for swaps.
SHIFT_CELLS = 8_000
SWAP_PAIRS = 2_000
#: Most changes that are looked at in one step, best first.
TRIED = 256
#: Temperatures by which an instance of mean transient need is drawn to its start: those that are
#: tried, each for a share of the time. What suits best depends on how scarce these resources are.
PULLS = (0.0, 5.0, 20.0)
PROBE = 0.08
#: Share of the steps that shift instances; the others exchange them.
SHIFTING = 0.5
#: Changes of less are rounding.
EPSILON = 1e-6


class Search:
    """An anytime search; `best` is the cheapest assignment found so far.

    Args:
        problem: what is searched.
        rng: draws instances and noise.
        left: returns the share of the time that is left, 1 at first; asked after each step.
        heat: temperatures at the beginning and at the end, in parts of the mean cost of an
            instance after the first descent.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        left: Callable[[], float],
        heat: tuple[float, float] = (10.0, 3e-2),
    ) -> None:
        self.problem = problem
        self.rng = rng
        self.left = left
        self.heat = heat
        self.state = State(problem)
        self.best: I64 = self.state.place.copy()
        self.best_cost = self.state.cost
        self.movable = np.flatnonzero(problem.movable)
        self.scarce = scarce(problem)
        self.pull: F64 = np.zeros(problem.instances)
        self.steps = 0
        self.made = 0

    def run(self) -> None:
        """Search until no time is left."""
        if not self.movable.size or self.problem.hosts < 2:
            return
        self._descend()
        unit = self.best_cost / self.movable.size
        until = self.left()
        found: list[float] = []
        if self.scarce.any():
            for pull in PULLS:
                found.append(self._anneal(unit, pull, until, until - PROBE))
                until -= PROBE
        self._anneal(unit, PULLS[int(np.argmin(found))] if found else 0.0, until, 0.0)
        self.state.restore(self.best)

    def _descend(self) -> None:
        """Shift instances while that pays: a first good assignment, soon."""
        size = self._shift_rows()
        fruitless = 0
        while self.left() > 0 and fruitless < 2:
            order = self.rng.permutation(self.movable)
            made = 0
            for first in range(0, order.size, size):
                if self.left() <= 0:
                    break
                made += self._shift(order[first : first + size], 0.0)
            self._keep()
            fruitless = fruitless + 1 if made <= order.size // 500 else 0

    def _anneal(self, unit: float, pull: float, since: float, until: float) -> float:
        """Search from the start, from hot to cold, and return the least cost that was met.

        Args:
            unit: cost that `heat` counts in.
            pull: temperatures by which instances of mean transient need are drawn to the start.
            since: the share of the time that is left at the beginning.
            until: the share that is left at the end.
        """
        first, last = self.heat
        self.pull = pull * self.scarce
        self.state.restore(self.problem.start)
        least = self.state.cost
        while (left := self.left()) > max(until, 0.0):
            share = min(1.0, (left - until) / max(since - until, 1e-9))
            temperature = unit * last * (first / last) ** share
            self.steps += 1
            if self.rng.random() < SHIFTING:
                self.made += self._shift(self._draw(self._shift_rows()), temperature)
            else:
                self.made += self._swap(temperature)
            least = min(least, self.state.cost)
            self._keep()
        return least

    def _shift_rows(self) -> int:
        return max(4, min(256, SHIFT_CELLS // self.problem.hosts))

    def _draw(self, count: int) -> I64:
        return self.movable[self.rng.integers(0, self.movable.size, count)]

    def _keep(self) -> None:
        if self.state.cost < self.best_cost - EPSILON:
            self.best_cost = self.state.cost
            self.best = self.state.place.copy()

    def _shift(self, rows: I64, temperature: float) -> int:
        change = self.state.shifts(rows)
        at = np.arange(rows.size)
        noisy = change
        if temperature:
            starts = self.problem.start[rows]
            pull = temperature * self.pull[rows]
            away = self.state.place[rows] != starts
            change += np.where(away, 0.0, pull)[:, None]
            change[at[away], starts[away]] -= pull[away]
            noisy = change + temperature * self.rng.gumbel(size=change.shape)
        targets = noisy.argmin(axis=1)
        return self._make(
            rows[:, None], targets[:, None], change[at, targets], noisy[at, targets], temperature
        )

    def _swap(self, temperature: float) -> int:
        rows, others = self._draw(SWAP_PAIRS), self._draw(SWAP_PAIRS)
        change = self.state.swaps(rows, others)
        homes, hosts = self.state.place[rows], self.state.place[others]
        change += temperature * (
            self._drawn(rows, homes, hosts) + self._drawn(others, hosts, homes)
        )
        return self._make(
            np.column_stack([rows, others]),
            np.column_stack([hosts, homes]),
            change,
            change,
            temperature,
        )

    def _drawn(self, rows: I64, homes: I64, hosts: I64) -> F64:
        """Return by how much more a move is away from the start, in temperatures."""
        starts = self.problem.start[rows]
        step = (hosts != starts).astype(np.float64) - (homes != starts)
        drawn: F64 = self.pull[rows] * step
        return drawn

    def _make(self, rows: I64, hosts: I64, change: F64, order: F64, temperature: float) -> int:
        """Make the best of k changes that share no host and no service; return how many.

        Args:
            rows: k × 1 or k × 2; who moves in each change.
            hosts: where to, of the same shape.
            change: k; of the cost.
            order: k; the lowest are looked at first.
            temperature: a change is accepted if it is below this times an exponential variate.
        """
        bound = temperature * self.rng.exponential(size=change.size) if temperature else 0.0
        accepted = np.flatnonzero(change < bound - EPSILON)
        if not accepted.size:
            return 0
        accepted = accepted[np.argsort(order[accepted], kind="stable")[:TRIED]]
        chosen = self._disjoint(rows[accepted], hosts[accepted])
        accepted = accepted[chosen]
        if self.problem.moves_max >= 0:
            accepted = accepted[:1]
        return self._apply(rows[accepted], hosts[accepted], float(change[accepted].sum()))

    def _apply(self, rows: I64, hosts: I64, worth: float) -> int:
        """Make changes, k × 1 or k × 2, that together should cost `worth`; return how many stay.

        Those that break a spread or a dependency are taken back, and all of them if that does not
        mend it.
        """
        state, cost = self.state, self.state.cost
        homes = state.place[rows]
        state.move(rows.reshape(-1), hosts.reshape(-1))
        stays = ~state.broken(rows.reshape(-1)).reshape(rows.shape).any(axis=1)
        if not stays.all():
            state.move(rows[~stays].reshape(-1), homes[~stays].reshape(-1))
            if state.broken(rows.reshape(-1)).any():
                state.move(rows[stays].reshape(-1), homes[stays].reshape(-1))
                return 0
        if self.problem.service_cost and stays.all() and state.cost - cost > max(0.0, worth):
            # What each change costs alone leaves out that several raise the highest count at once.
            state.move(rows.reshape(-1), homes.reshape(-1))
            return 0
        return int(stays.sum())

    def _disjoint(self, rows: I64, hosts: I64) -> list[int]:
        """Return which changes, first come first served, share neither hosts nor services."""
        state, problem = self.state, self.problem
        homes = state.place[rows].tolist()
        services = problem.service[rows].tolist()
        nobody = problem.services - 1
        busy: set[int] = set()
        served: set[int] = {-1}
        chosen = []
        for at, (sources, targets, of) in enumerate(
            zip(homes, hosts.tolist(), services, strict=True)
        ):
            if busy.isdisjoint(sources) and busy.isdisjoint(targets) and served.isdisjoint(of):
                chosen.append(at)
                busy.update(sources, targets)
                served.update(s for s in of if s != nobody)
        return chosen
