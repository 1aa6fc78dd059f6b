"""The compiled search: simulated annealing on as many threads as wanted, each an island.

Where capacity leaves next to no room, the ways between good assignments lead through ones that hold
too much, and what is large finds no way at all. So capacity may be exceeded at a price, which each
island sets for itself: it rises while more is held in excess than the time left allows, and falls
while less is, until excess is over altogether and capacity is a rule again (strategic oscillation:
Glover, 1977). A pull towards the start outweighs, while it is hot, that there are many other hosts
and only one start: whoever has moved takes transient room twice. In the end all go on from the best
island's assignment and finish it as temperature falls to nothing.

Islands are in step: each judges the same number of changes in each round, so the result depends on
the seed and on the clock alone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from math import exp

import numpy as np
from msgspec import Struct

from tachyon.graph.view.columns import F64, I32, I64
from tachyon.optimize.reassignment.arrays import Live, Tables, live_of, tables_of
from tachyon.optimize.reassignment.kernel import anneal
from tachyon.optimize.reassignment.problem import Problem, scarce
from tachyon.optimize.reassignment.state import State

#: Changes that an island judges in a round: some 5 ms.
ROUND = 100_000
#: Temperatures at the beginning and at the end of an annealing, in parts of `Islands.unit`.
HEAT = (8.0, 2e-2)
#: Share of the time, at the end, in which all go on from the best one, capacity is a rule for all,
#: and the temperature falls on to `COLD` of the last one: where load costs nothing any more, moves
#: are what is left to save.
TAIL = 0.2
COLD = 1e-3
#: Share of exchanges among the changes.
SWAPPING = 0.4


class Manner(Struct, frozen=True):
    """A way of annealing.

    Attributes:
        pull: temperatures by which an instance of mean transient need is drawn to its start.
        excess: penalties of what is held beyond capacities that are allowed at the beginning, as a
            share of the cost.
    """

    pull: float
    excess: float

    def allowed(self, annealed: float) -> float:
        """Return the share that is allowed when a share of the annealing is done."""
        return self.excess * max(0.0, 1.0 - annealed / CLOSED) ** 2


#: Those of the islands, in turn.
MANNERS = (Manner(3.0, 0.1), Manner(15.0, 0.03))
#: Share of the annealing after which no excess is allowed, and after which an island that still
#: has some goes on from the best assignment of all, with capacity as a rule.
CLOSED, LOST = 0.7, 0.9
#: The price of excess, in penalties: at first, the least and the most; and how fast it may change,
#: as the exponent over the whole annealing, while some is allowed and then.
PRICES = (1.0, 0.3, 1e6)
PRICING = (20.0, 60.0)


class _Island:
    """An assignment that one thread anneals; `best` is the cheapest that it met."""

    def __init__(self, state: State, seed: int, manner: Manner) -> None:
        self.state = state
        self.manner = manner
        self._log: I32 = np.empty((2, 2 * ROUND), np.int32)
        #: Whether capacity is a rule.
        self.firm = False
        self._price = PRICES[0]
        self._annealed = 0.0
        self.live = live_of(state, seed)
        self.best: I32 = self.live.place.copy()
        self.best_cost = state.cost

    def run(self, tables: Tables, temperature: float, pull: F64, price: float) -> None:
        """Judge a round of changes."""
        self.best_cost = float(
            anneal(
                tables, self.live, ROUND, temperature, SWAPPING, pull, price, self._log[0],
                self._log[1], self.best, self.best_cost,
            )
        )  # fmt: skip

    def priced(self, annealed: float) -> float:
        """Return the price of excess when a share of the annealing is done; 0 allows none."""
        if self.firm:
            return 0.0
        change = exp(PRICING[annealed > CLOSED] * (annealed - self._annealed))
        self._annealed = annealed
        held = float(self.live.over.sum())
        if held > self.manner.allowed(annealed) * float(self.live.cost[0]):
            self._price *= change
        else:
            self._price /= change
        self._price = min(max(self._price, PRICES[1]), PRICES[2])
        return self._price

    def start(self, place: I64) -> None:
        """Go on from an assignment, with figures free of rounding."""
        self.state.restore(place)
        fresh = live_of(self.state, 1)
        for name in Live._fields:
            if name != "random":
                getattr(self.live, name)[...] = getattr(fresh, name)


class Islands:
    """An anytime search; `best` is the cheapest assignment found so far.

    Args:
        problem: what is searched.
        rng: draws the seeds.
        left: returns the share of the time that is left, 1 at first; asked after each round.
        threads: islands.
        place: an assignment that is only refined, capacity being a rule all the time: what is
            found then is near.
        heat: temperature at the beginning of the refinement, in parts of `unit`; in the end it is
            that of a search.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        left: Callable[[], float],
        threads: int = 2,
        place: I64 | None = None,
        heat: float = HEAT[0],
    ) -> None:
        self.problem = problem
        self.left = left
        self.state = State(problem, place)
        self._refining, self._heat = place is not None, heat
        self.best: I64 = self.state.place.copy()
        self.best_cost = self.state.cost
        self.steps = 0
        seeds = rng.integers(1, 2**63, threads).tolist()
        self._tables = tables_of(self.state)
        self._islands = [
            _Island(State(problem, place), seed, manner)
            for seed, manner in zip(seeds, cycle(MANNERS), strict=False)
        ]
        self._scarce = scarce(problem)
        # What hosts beyond their capacity hold can only be a rule: nobody may be able to mend it.
        for island in self._islands:
            island.firm = bool(island.live.counts[2])
        #: The load cost of a mean instance where nothing is free, by the instances of a mean host.
        self.unit = 0.0
        if problem.instances:
            whole = float(np.abs(self.state.slope).sum(axis=1).mean())
            self.unit = whole * problem.hosts / problem.instances

    def run(self) -> None:
        """Search until no time is left."""
        if not self._tables.rows.size or self.problem.hosts < 2:
            return
        with ThreadPoolExecutor(len(self._islands), "rebalance") as pool:
            finishing = False
            while (left := self.left()) > 0:
                if left <= TAIL and not finishing:
                    finishing = True
                    self._gather()
                rounds = [
                    pool.submit(island.run, self._tables, *self._conditions(island, 1.0 - left))
                    for island in self._islands
                ]
                for one in rounds:
                    one.result()
                self.steps += len(rounds) * ROUND
                self._keep()
        self.state.restore(self.best)

    def _conditions(self, island: _Island, done: float) -> tuple[float, F64, float]:
        """Return temperature, pull and price when a share of the time is over."""
        if self._refining:
            heat = self._heat * (HEAT[1] * COLD / self._heat) ** done
            return self.unit * heat, np.zeros_like(self._scarce), 0.0
        annealed = min(1.0, done / (1.0 - TAIL))
        temperature = self.unit * HEAT[0] * (HEAT[1] / HEAT[0]) ** annealed
        if annealed < 1.0:
            if annealed > LOST and island.live.counts[2] and not island.firm:
                island.start(self.best)
                island.firm = True
            pull = temperature * island.manner.pull * self._scarce
            return temperature, pull, island.priced(annealed)
        temperature *= COLD ** ((done - 1.0 + TAIL) / TAIL)
        return temperature, np.zeros_like(self._scarce), 0.0

    def _gather(self) -> None:
        """Let all islands go on from the cheapest assignment that was met."""
        for island in self._islands:
            island.start(self.best)

    def _keep(self) -> None:
        for island in self._islands:
            if island.best_cost < self.best_cost:
                self.best_cost = island.best_cost
                self.best = island.best.astype(np.int64)


def prepare() -> None:
    """Compile the search, or load what is kept of an earlier time, before any clock runs."""
    nothing = np.zeros((1, 1))
    everywhere = np.ones((1, 2), np.bool_)
    zero = np.zeros(1, np.int64)
    problem = Problem(
        need=nothing, start=zero, movable=np.ones(1, np.bool_), capacity=np.zeros((2, 1)),
        transient=np.zeros(1, np.bool_), term_slope=nothing, term_base=np.zeros((2, 1)),
        place_cost=np.zeros(1), host_cost=np.zeros((2, 2)), service_cost=0.0, service=zero,
        most=np.ones(1, np.int64), spread=zero, depends=[], location=np.zeros(2, np.int64),
        neighbourhood=np.zeros(2, np.int64), kind=zero, allowed=everywhere,
    )  # fmt: skip
    state = State(problem)
    _Island(state, 1, MANNERS[0]).run(tables_of(state), 0.0, np.zeros(1), 0.0)
