"""General rebalancing: the cheapest placement under all hard rules, found in a given time.

The objective is that of the machine reassignment problem (ROADEF/EURO challenge 2012): load beyond
safety capacities, unbalanced free resources, and the moves themselves each cost something. The
search ends when its time is over and keeps the best that it met, so a longer one is never worse.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from msgspec.structs import replace

from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import I64
from tachyon.optimize.folding import fold
from tachyon.optimize.goals.workload_balancing import balanced_hosts
from tachyon.optimize.planners.ordering import Step, order_moves
from tachyon.optimize.reassignment.problem import Problem
from tachyon.optimize.reassignment.search import Search
from tachyon.optimize.reassignment.state import State
from tachyon.optimize.reassignment.statement import Statement
from tachyon.optimize.reassignment.way import Way
from tachyon.optimize.scored import Scored
from tachyon.optimize.strategies import characters, measured_load, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measured_load import Measured
from tachyon.optimize.strategies.measurements import MetricNeed

if TYPE_CHECKING:
    from tachyon.optimize.reassignment.islands import Islands

LOG = logging.getLogger(__name__)

_NUMBER = {"type": "number", "minimum": 0}
_NAME = {"type": "string", "minLength": 1}

#: Seconds that are kept for the way to what the compiled search finds, and the least and largest
#: share of the time; and how often the search goes on from where that way ends, each time for half
#: of what is left.
_KEPT = (1.5, 0.1, 0.3)
_REFINED = 3


class Rebalance(Strategy):
    """Minimise the weighted cost of load, imbalance and moves under all hard rules."""

    name = "rebalance"
    display_name = "Rebalance"
    goal = "workload_balancing"
    schema: ClassVar[dict[str, Any]] = options.parameters(
        {
            "time_limit": {
                "description": "Seconds that the search may take.",
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 5,
            },
            "threads": {
                "description": "Threads that search side by side; without numba it is one.",
                "type": "integer",
                "minimum": 1,
                "maximum": 64,
                "default": 2,
            },
            "load_weights": {
                "description": "Cost of each unit used beyond the safety capacity of a host, by "
                "resource class or metric. Empty: every metric that is measured, else VCPU and "
                "MEMORY_MB, such that a mean host's whole capacity costs 1000.",
                "type": "object",
                "additionalProperties": _NUMBER,
                "default": {},
            },
            "safety": {
                "description": "Share of a host's capacity beyond which its load costs something, "
                "for hosts that do not tell safety capacities of their own.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.8,
            },
            "balance": {
                "description": "On each host, each unit by which target times the free resource_1 "
                "exceeds the free resource_2 costs the weight.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["resource_1", "resource_2", "target", "weight"],
                    "properties": {
                        "resource_1": {"description": "A class or metric.", **_NAME},
                        "resource_2": {"description": "A class or metric.", **_NAME},
                        "target": {"description": "Units of the second per unit.", **_NUMBER},
                        "weight": {"description": "Cost of a unit.", **_NUMBER},
                    },
                },
                "default": [],
            },
            "weights": {
                "description": "Weights of the costs of moves.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "process_move": {
                        "description": "Of each moved instance's own cost: its memory in GB, or "
                        "what it tells as move_cost.",
                        **_NUMBER,
                        "default": 1,
                    },
                    "service_move": {
                        "description": "Of the most members that one server group has moved.",
                        **_NUMBER,
                        "default": 0,
                    },
                    "machine_move": {
                        "description": "Of machine_move_costs.",
                        **_NUMBER,
                        "default": 0,
                    },
                },
                "default": {"process_move": 1, "service_move": 0, "machine_move": 0},
            },
            "machine_move_costs": {
                "description": "Cost of moving any instance from one host (row) to another "
                "(column), hosts in the order in which they came into the graph.",
                "type": "array",
                "items": {"type": "array", "items": _NUMBER},
                "default": [],
            },
            "transient": {
                "description": "Resource classes that a moved instance goes on taking on its first "
                "host until all is done (local disks).",
                "type": "array",
                "items": _NAME,
                "default": [],
            },
            "services": {
                "description": "By server group: in how many availability zones its members stand "
                "at least, and which groups have a member in each host aggregate where it has one.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "spread_minimum": {
                            "description": "Zones.",
                            "type": "integer",
                            "minimum": 0,
                        },
                        "depends_on": {"description": "Groups.", "type": "array", "items": _NAME},
                    },
                },
                "default": {},
            },
            "cold_migration": options.cold_migration(default=False),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain("Least cost that each migration has to save."),
            **measured_load.PARAMETERS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The load of instances, and what characters ask about."""
        return (*measured_load.needs(self.parameters), *characters.needs(self.parameters))

    def clock(self) -> float:
        """Return the seconds that `time_limit` is measured by."""
        return monotonic()

    def found(self, rows: I64, hosts: I64) -> None:
        """Hear which hosts the search has found for instances, by the view's rows of both.

        How the moves can be ordered is looked for afterwards, and may leave some of them out.
        """

    def weights(self, view: View) -> dict[str, float]:
        """Return the load weights; raises `InvalidInput` for an unknown column."""
        return measured_load.weights(self.parameters["load_weights"], view)

    def execute(self, session: Session, context: Context) -> None:
        """Search until the time is over and record the way to the best placement found."""
        compiled = _compiled()
        if compiled is not None:
            compiled.prepare()
        began = self.clock()
        limit = float(self.parameters["time_limit"])
        statement = self._stated(session, context)
        problem = statement.problem

        def left() -> float:
            context.step(int(min(self.clock() - began, limit)), int(limit), "searching")
            return max(0.0, 1.0 - (self.clock() - began) / limit)

        seconds, least, most = _KEPT
        kept = min(most, max(least, seconds / limit))
        before = found = State(problem).cost
        threads = self.parameters["threads"]
        search: Search | Islands
        if compiled is None:
            search = Search(problem, context.rng, left)
        else:
            search = compiled.Islands(problem, context.rng, _until(left, kept), threads)
        search.run()
        steps = search.steps
        if search.best_cost < found:
            found = search.best_cost
            self.found(statement.rows, statement.hosts[search.best])
        reached = _reached(session, statement, search.best, left)
        for _ in range(_REFINED):
            if compiled is None or reached.cost <= found or (rest := left()) <= 0:
                break
            # What was out of reach is left; from where the way has led there may be more to gain.
            search = compiled.Islands(
                _one_by_one(problem), context.rng, _until(left, rest / 2), threads, reached.place
            )
            search.run()
            steps += search.steps
            reached = _further(session, statement, reached, search.best, left)
        after, way = reached.cost, reached.steps
        uuid = session.view.providers.uuid
        for row, target in way:
            name = session.state.consumer_uuid(row)
            session.record(Move(consumer_uuid=name, to_provider=uuid[target]))
        context.facts |= {"cost_before": before, "cost_after": after, "cost_found": found}
        context.facts["steps"] = steps
        context.facts["search"] = "numpy" if compiled is None else "compiled"

    def _stated(self, session: Session, context: Context) -> Statement:
        """Put the session as a problem, with the load that was measured, if any was."""
        eligibility = self.eligibility(session, context)
        measured = Measured.of(self, session, context, eligibility)
        if measured is None:
            return Statement(self, session, context)
        seen = measured.seen(session)
        statement = Statement(self, seen, context)
        problem, known = statement.problem, measured.hosts[statement.hosts]
        # Of whom the load is not known stays; so do those beside, and nobody comes there.
        statement.problem = replace(
            problem,
            movable=problem.movable & known[problem.start],
            allowed=problem.allowed & known,
        )
        hosts = balanced_hosts(session, context.scope) & measured.hosts
        weights = self.weights(seen.view)
        context.scored = Scored(view=fold(seen).view, hosts=hosts, weights=weights)
        return statement


class _Reached(NamedTuple):
    """Steps that lead to a placement (N), what it costs, and whether they lead there strictly."""

    cost: float
    steps: list[Step]
    strict: bool
    place: I64


def _until(left: Callable[[], float], end: float) -> Callable[[], float]:
    """Return what tells the share that is left of the time until only `end` of all is left."""
    whole = max(left() - end, 1e-9)
    return lambda: max(0.0, (left() - end) / whole)


def _one_by_one(problem: Problem) -> Problem:
    """Return the problem without the moves that only many at once could make.

    Of a server group that stands apart on every host there is, nobody can go first.
    """
    count = np.bincount(problem.service, minlength=problem.services)
    full = count >= problem.most * problem.hosts
    return replace(problem, movable=problem.movable & ~full[problem.service])


def _compiled() -> ModuleType | None:
    """Return the compiled search, if numba is there and finds a place to keep what it compiles."""
    try:
        return importlib.import_module("tachyon.optimize.reassignment.islands")
    except ImportError:
        return None
    except RuntimeError as error:
        LOG.warning("rebalance searches without numba: %s", error)
        return None


def _reached(
    session: Session, statement: Statement, best: I64, left: Callable[[], float]
) -> _Reached:
    """Return how a placement is reached, or the cheapest one on the way to it."""
    problem = statement.problem
    away = np.flatnonzero(best != problem.start)
    wanted = [(int(statement.rows[i]), int(statement.hosts[best[i]])) for i in away.tolist()]
    steps = order_moves(session.fork(), wanted, {}, set())
    if steps is not None:
        return _led(statement, steps, strict=False)
    found: list[_Reached] = []
    for strict in (False, True):
        way = Way(session.fork(), problem, statement.rows, statement.hosts, strict=strict)
        steps = way.to(best, partial(_later, left, 0.75 * left()))
        found.append(_led(statement, steps, strict=strict))
        if (found[-1].place == best).all():
            break
    return min(found, key=lambda one: one.cost)


def _further(
    session: Session,
    statement: Statement,
    reached: _Reached,
    best: I64,
    left: Callable[[], float],
) -> _Reached:
    """Return how to go on to another placement from one that is reached, if that is cheaper."""
    way = Way(
        session.fork(), statement.problem, statement.rows, statement.hosts, strict=reached.strict
    )
    way.follow(reached.steps)
    steps = way.to(best, partial(_later, left, left() / 2))
    return min(reached, _led(statement, steps, strict=reached.strict), key=lambda one: one.cost)


def _led(statement: Statement, steps: list[Step], *, strict: bool) -> _Reached:
    place = statement.problem.start.copy()
    at = {row: k for k, row in enumerate(statement.rows.tolist())}
    for row, target in steps:
        place[at[row]] = statement.at[target]
    return _Reached(State(statement.problem, place).cost, steps, strict, place)


def _later(left: Callable[[], float], share: float) -> bool:
    """Tell whether no more than a share of the time is left."""
    return left() <= share
