"""General rebalancing: the cheapest placement under all hard rules, found in a given time.

The objective is that of the machine reassignment problem (ROADEF/EURO challenge 2012): load beyond
safety capacities, unbalanced free resources, and the moves themselves each cost something. The
search ends when its time is over and keeps the best that it met, so a longer one is never worse.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tachyon.errors import InvalidInput
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64
from tachyon.optimize.folding import fold
from tachyon.optimize.migration import states
from tachyon.optimize.planners.ordering import Step, order_moves
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.options import migration_limit, minimum_gain, parameters
from tachyon.optimize.strategies.rebalance_problem import ANY, Problem, terms
from tachyon.optimize.strategies.rebalance_search import Search
from tachyon.optimize.strategies.rebalance_state import State
from tachyon.optimize.strategies.rebalance_way import Way

if TYPE_CHECKING:
    from tachyon.optimize.strategies.rebalance_islands import Islands

LOG = logging.getLogger(__name__)

_NUMBER = {"type": "number", "minimum": 0}
_NAME = {"type": "string", "minLength": 1}

#: Without weights, the load cost of a host that is wholly beyond its safety capacity.
_WHOLE_HOST = 1000.0
#: Share of the time that is kept for what the compiled search finds and no moves lead to.
_KEPT = 0.2


class Rebalance(Strategy):
    """Minimise the weighted cost of load, imbalance and moves under all hard rules."""

    name = "rebalance"
    display_name = "Rebalance"
    goal = "workload_balancing"
    schema: ClassVar[dict[str, Any]] = parameters(
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
            "cold_migration": {
                "description": "Whether stopped instances may be migrated (cold).",
                "type": "boolean",
                "default": False,
            },
            "migration_limit": migration_limit(),
            "minimum_gain": minimum_gain("Least cost that each migration has to save."),
        }
    )

    def clock(self) -> float:
        """Return the seconds that `time_limit` is measured by."""
        return monotonic()

    def found(self, rows: I64, hosts: I64) -> None:
        """Hear which hosts the search has found for instances, by the view's rows of both.

        How the moves can be ordered is looked for afterwards, and may leave some of them out.
        """

    def weights(self, view: View) -> dict[str, float]:
        """Return the load weights; raises `InvalidInput` for an unknown column."""
        given: dict[str, float] = {n: w for n, w in self.parameters["load_weights"].items() if w}
        for name in given:
            view.column(name)
        measured = [m.name for m in view.metrics]
        usual = [name for name in ("VCPU", "MEMORY_MB") if name in view.class_index]
        return given or dict.fromkeys(measured or usual or view.classes, 1.0)

    def execute(self, session: Session, context: Context) -> None:
        """Search until the time is over and record the way to the best placement found."""
        compiled = _compiled()
        if compiled is not None:
            compiled.prepare()
        began = self.clock()
        limit = float(self.parameters["time_limit"])
        statement = _Statement(self, session, context)
        problem = statement.problem

        def left() -> float:
            context.step(int(min(self.clock() - began, limit)), int(limit), "searching")
            return max(0.0, 1.0 - (self.clock() - began) / limit)

        before = found = State(problem).cost
        reached: list[tuple[float, list[Step]]] = []
        steps = 0
        for search in _searches(compiled, problem, context, left, self.parameters["threads"]):
            search.run()
            steps += search.steps
            if search.best_cost < found:
                found = search.best_cost
                self.found(statement.rows, statement.hosts[search.best])
            reached.append(_reached(session, statement, search.best, left))
            if reached[-1][0] <= found:
                break
        after, way = min(reached, key=lambda one: one[0])
        uuid = session.view.providers.uuid
        for row, target in way:
            name = session.state.consumer_uuid(row)
            session.record(Move(consumer_uuid=name, to_provider=uuid[target]))
        context.facts |= {"cost_before": before, "cost_after": after, "cost_found": found}
        context.facts["steps"] = steps
        context.facts["search"] = "numpy" if compiled is None else "compiled"


def _searches(
    compiled: ModuleType | None,
    problem: Problem,
    context: Context,
    left: Callable[[], float],
    threads: int,
) -> Iterator[Search | Islands]:
    """Yield a search, and another one for the case that not all can be reached of the first's.

    What the compiled search finds stands so close that some of it may be out of reach. The steps of
    the one in numpy are few and small; it has the rest of the time.
    """
    if compiled is None:
        yield Search(problem, context.rng, left)
        return
    share = 1.0 - _KEPT
    yield compiled.Islands(
        problem, context.rng, lambda: max(0.0, (left() - _KEPT) / share), threads
    )
    if (rest := left()) > 0:
        yield Search(problem, context.rng, lambda: left() / rest)


def _compiled() -> ModuleType | None:
    """Return the compiled search, if numba is there and finds a place to keep what it compiles."""
    try:
        return importlib.import_module("tachyon.optimize.strategies.rebalance_islands")
    except ImportError:
        return None
    except RuntimeError as error:
        LOG.warning("rebalance searches without numba: %s", error)
        return None


class _Statement:
    """A session put as a problem; `rows` and `hosts` are the view's rows of both."""

    def __init__(self, strategy: Rebalance, session: Session, context: Context) -> None:
        self.parameters = strategy.parameters
        self.folded = fold(session)
        self.view = session.view
        self.eligibility = strategy.eligibility(
            session, context, states(cold=self.parameters["cold_migration"])
        )
        order = self.view.provider_order
        self.hosts: I64 = order[self.eligibility.hosts[order]]
        self.rows: I64 = np.flatnonzero(self.eligibility.instances)
        self._at = np.full(self.view.provider_rows, -1, np.int64)
        self._at[self.hosts] = np.arange(self.hosts.size)
        self.problem = self._problem(strategy)

    def _problem(self, strategy: Rebalance) -> Problem:
        view, given = self.view, self.parameters
        folded = self.folded.view
        need = folded.consumers.demand[self.rows].astype(np.float64)
        capacity = folded.capacity[self.hosts].astype(np.float64)
        # What stands there and is none of the audit's takes its room all the same.
        start = self._at[self.folded.homes()[self.rows].astype(np.int64)]
        others = self.folded.used_matrix()[self.hosts].astype(np.float64)
        np.subtract.at(others, start, need)
        room = capacity - others
        slopes, bases = self._terms(strategy, room, capacity, others)
        room[:, view.resource_columns :] = np.inf
        service, most, spread, depends = self._services()
        weights = given["weights"]
        kinds, kind = np.unique(self.eligibility.kind[self.rows], return_inverse=True)
        limit = given["migration_limit"]
        return Problem(
            need=need,
            start=start,
            movable=self._movable(),
            capacity=room,
            transient=np.isin(np.array(view.classes), self._columns("transient")),
            term_slope=slopes,
            term_base=bases,
            place_cost=weights["process_move"] * self._move_costs() + given["minimum_gain"],
            host_cost=weights["machine_move"] * self._host_costs(),
            service_cost=float(weights["service_move"]),
            service=service,
            most=most,
            spread=spread,
            depends=depends,
            location=self._numbered([r.availability_zone for r in self._records()]),
            neighbourhood=self._numbered(
                [min(r.aggregates, default=None) for r in self._records()]
            ),
            kind=kind.reshape(-1),
            allowed=self.eligibility.matrix(kinds)[:, self.hosts],
            moves_max=limit or -1,
        )

    def _columns(self, name: str) -> list[str]:
        for one in self.parameters[name]:
            self.view.column(one)
        return list(self.parameters[name])

    def _records(self) -> list[Any]:
        return [self.view.provider_at(row) for row in self.hosts.tolist()]

    @staticmethod
    def _numbered(names: Sequence[str | None]) -> I64:
        known: dict[str | None, int] = {}
        return np.array([known.setdefault(name, len(known)) for name in names], np.int64)

    def _terms(self, strategy: Rebalance, room: F64, capacity: F64, others: F64) -> tuple[F64, F64]:
        view = self.view
        weights = np.zeros(len(view.classes))
        for name, weight in strategy.weights(view).items():
            weights[view.column(name)] = weight
        if not self.parameters["load_weights"]:
            mean = capacity.mean(axis=0) if capacity.size else np.ones(weights.size)
            weights *= np.divide(_WHOLE_HOST, mean, out=np.zeros_like(mean), where=mean > 0)
        safety = self.parameters["safety"] * capacity
        for at, record in enumerate(self._records()):
            for name, amount in (record.extra.get("safety_capacity") or {}).items():
                if name in view.class_index:
                    safety[at, view.class_index[name]] = amount
        balance = [
            (view.column(b["resource_1"]), view.column(b["resource_2"]), b["target"], b["weight"])
            for b in self.parameters["balance"]
        ]
        return terms(room, safety - others, weights, balance)

    def _movable(self) -> np.typing.NDArray[np.bool_]:
        """Return who may move: members of affinity groups and whoever has hints stay."""
        view = self.view
        movable = self.eligibility.movable[self.rows].copy()
        movable &= np.array([view.consumers.scheduler_hints[r] is None for r in self.rows.tolist()],
                            np.bool_)  # fmt: skip
        groups = view.consumers.group
        for key in view.records["server_group"]:
            group = view.server_group(key)
            if group is not None and group.policy == "affinity":
                code = view.codes.group.find(key)
                if code >= 0 and (view.consumers.alive & (groups == code)).sum() > 1:
                    movable &= groups[self.rows] != code
        return movable

    def _move_costs(self) -> F64:
        column = self.view.class_index.get("MEMORY_MB")
        costs = np.zeros(self.rows.size)
        if column is not None:
            costs = self.folded.view.consumers.demand[self.rows, column] / 1024.0
        for at, row in enumerate(self.rows.tolist()):
            text = self.view.consumers.extra[row]
            if text is not None and '"move_cost"' in text:
                costs[at] = float(self.view.consumer_at(row).extra["move_cost"])
        return costs

    def _host_costs(self) -> F64:
        given = self.parameters["machine_move_costs"]
        size = self.hosts.size
        if not given:
            return np.zeros((size, size))
        if len(given) != size or any(len(row) != size for row in given):
            raise InvalidInput.at([("machine_move_costs", f"is no table of {size} × {size} hosts")])
        return np.array(given, np.float64)

    def _services(self) -> tuple[I64, I64, I64, list[tuple[int, int]]]:
        """Return the service of each instance, and by service its rules; the last has none."""
        codes, groups = self.view.codes.group, self.view.consumers.group[self.rows]
        names = len(codes.values)
        service = np.where(groups >= 0, groups, names).astype(np.int64)
        most = np.full(names + 1, ANY, np.int64)
        spread = np.zeros(names + 1, np.int64)
        for key in self.view.records["server_group"]:
            group, code = self.view.server_group(key), codes.find(key)
            if group is not None and code >= 0 and group.policy == "anti-affinity":
                most[code] = group.rules.get("max_server_per_host", 1)
        depends = []
        for name, rule in self.parameters["services"].items():
            code = codes.find(name)
            if code < 0:
                continue
            spread[code] = rule.get("spread_minimum", 0)
            others = (codes.find(other) for other in rule.get("depends_on", ()))
            depends += [(code, other) for other in others if other >= 0]
        return service, most, spread, depends


def _reached(
    session: Session, statement: _Statement, best: I64, left: Callable[[], float]
) -> tuple[float, list[Step]]:
    """Return how a placement is reached, or the cheapest one on the way to it, and its cost."""
    problem = statement.problem
    away = np.flatnonzero(best != problem.start)
    wanted = [(int(statement.rows[i]), int(statement.hosts[best[i]])) for i in away.tolist()]
    steps = order_moves(session.fork(), wanted, {}, set())
    if steps is not None:
        return _cost_after(statement, steps), steps
    found = []
    for strict in (False, True):
        way = Way(session.fork(), problem, statement.rows, statement.hosts, strict=strict)
        steps = way.to(best, partial(_later, left, max(left() - _KEPT / 4, 0.0)))
        found.append((_cost_after(statement, steps), steps))
    return min(found, key=lambda one: one[0])


def _later(left: Callable[[], float], share: float) -> bool:
    """Tell whether no more than a share of the time is left."""
    return left() <= share


def _cost_after(statement: _Statement, steps: Sequence[Step]) -> float:
    homes = statement.problem.start.copy()
    at = {row: k for k, row in enumerate(statement.rows.tolist())}
    for row, target in steps:
        homes[at[row]] = statement._at[target]
    return State(statement.problem, homes).cost
