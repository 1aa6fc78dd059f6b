"""A search and the way to what it finds, within one time limit.

Some time is kept for the way. In what of it is not needed the search goes on: from what was found,
or, where that is out of reach, from where the way has led.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import I64
from tachyon.optimize.reassignment.problem import Problem, one_by_one
from tachyon.optimize.reassignment.reached import Reached, reach, reach_on
from tachyon.optimize.reassignment.search import Search
from tachyon.optimize.reassignment.state import State
from tachyon.optimize.reassignment.statement import Statement

if TYPE_CHECKING:
    from tachyon.optimize.reassignment.islands import Islands

LOG = logging.getLogger(__name__)

#: Seconds that are kept for the way to what the compiled search finds, those for each instance,
#: and the least and the largest share of the time.
_KEPT = (4.0, 2e-4)
_SHARES = (0.1, 0.3)
#: How often the search goes on, each time for half of what is left where not all was reached.
_SEARCHES = 5
#: Temperatures at which a search goes on, in parts of `Islands.unit`: from what was found and
#: reached, and from where the way ended, which is far from what was found.
_WARM, _HOT = 0.1, 1.0
#: Seconds that are kept to look for a shorter plan, those for each instance, and the largest share
#: of the time.
_AGAIN = (0.5, 2e-4)
_AGAIN_MOST = 0.04
#: Seconds that are not worth another search.
_BRIEF = 0.1


class Anytime:
    """Finds a cheap placement that moves lead to.

    Attributes:
        steps: changes that were judged.
        found: what the cheapest placement costs that was found; `Reached.cost` is what its plan
            leads to.

    Args:
        session: the state before all moves.
        statement: of that state.
        rng: draws the seeds.
        left: returns the share of the time limit that is left.
        limit: seconds.
        threads: that search side by side, where numba is.
        compiled: the compiled search, if there is one.
        tell: hears of each placement found (N) that is cheaper than those before.
    """

    def __init__(
        self,
        session: Session,
        statement: Statement,
        rng: np.random.Generator,
        left: Callable[[], float],
        limit: float,
        threads: int,
        compiled: ModuleType | None,
        tell: Callable[[I64], None],
    ) -> None:
        self._session, self._statement = session, statement
        self._rng, self._left, self._threads, self._tell = rng, left, threads, tell
        self._compiled, self._limit = compiled, limit
        instances = statement.problem.instances
        least, most = _SHARES
        self._kept = min(max(_share(_KEPT, instances, limit), least), most)
        self._again = min(_share(_AGAIN, instances, limit), _AGAIN_MOST)
        self.steps = 0
        self.found = State(statement.problem).cost

    def run(self) -> Reached:
        """Search until the time is over; returns how to go to the cheapest that can be reached."""
        reached = self._run()
        # The way may meet what is cheaper than where it leads.
        self._hear(reached.place, reached.cost)
        return reached

    def _run(self) -> Reached:
        session, statement, left = self._session, self._statement, self._left
        # Who can never go is no part of the search.
        problem = one_by_one(statement.problem)
        best = self._search(problem, self._kept)
        before = left()
        reached = reach(session, statement, best, left)
        took = before - left()
        free = True
        for _ in range(_SEARCHES):
            rest = left()
            if self._compiled is None:
                break
            there = bool((reached.place == best).all())
            # What is out of reach is left; from where the way has led there may be more to gain.
            free = free and there
            end = 2.0 * took if there else rest / 2
            if not free:
                end = max(end, self._again)
            if (rest - end) * self._limit < _BRIEF:
                break
            best = self._search(problem, end, reached.place, _WARM if free else _HOT)
            if (best == reached.place).all():
                continue
            before = left()
            if free:
                other = reach(session, statement, best, left)
                reached = min(reached, other, key=lambda one: one.cost)
            else:
                reached = reach_on(session, statement, reached, best, left)
            took = before - left()
        if free or left() <= 0.0:
            return reached
        # Several ways one after the other are longer than one that knows where it leads.
        again = reach(session, statement, reached.place, left)
        return min(reached, again, key=lambda one: (one.cost, len(one.steps)))

    def _search(
        self, problem: Problem, end: float, place: I64 | None = None, heat: float = _WARM
    ) -> I64:
        """Return the best placement found until a share of the time is left (N)."""
        search: Search | Islands
        if self._compiled is None:
            search = Search(problem, self._rng, self._left)
        else:
            left = _until(self._left, end)
            search = self._compiled.Islands(problem, self._rng, left, self._threads, place, heat)
        search.run()
        self.steps += search.steps
        self._hear(search.best, search.best_cost)
        return search.best

    def _hear(self, place: I64, cost: float) -> None:
        if cost < self.found:
            self.found = cost
            self._tell(place)


def _share(seconds: tuple[float, float], instances: int, limit: float) -> float:
    """Return the share of a time limit that some seconds, and some for each instance, make."""
    return (seconds[0] + seconds[1] * instances) / limit


def prepared() -> ModuleType | None:
    """Return the compiled search, if numba is there and finds a place to keep what it compiles.

    It is compiled or loaded here, before any clock runs.
    """
    try:
        found = importlib.import_module("tachyon.optimize.reassignment.islands")
    except ImportError:
        return None
    except RuntimeError as error:
        LOG.warning("rebalance searches without numba: %s", error)
        return None
    found.prepare()
    return found


def _until(left: Callable[[], float], end: float) -> Callable[[], float]:
    """Return what tells the share that is left of the time until only `end` of all is left."""
    whole = max(left() - end, 1e-9)
    return lambda: max(0.0, (left() - end) / whole)
