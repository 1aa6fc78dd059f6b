"""A session put as a machine reassignment problem, for the strategy `rebalance`.

Instances are processes, server groups services, availability zones locations, and the first host
aggregate of a host is its neighbourhood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tachyon.errors import InvalidInput
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.folding import fold
from tachyon.optimize.migration import states
from tachyon.optimize.reassignment.problem import ANY, Problem, terms

if TYPE_CHECKING:
    from tachyon.optimize.strategies.context import Context
    from tachyon.optimize.strategies.rebalance import Rebalance

#: Without weights, the load cost of a host that is wholly beyond its safety capacity.
_WHOLE_HOST = 1000.0


class Statement:
    """A session put as a problem.

    Attributes:
        problem: whose instances and hosts are rows of the view:
        rows: N; of the instances.
        hosts: M; of the hosts.
        at: by row of a provider, its number among the hosts, or −1.
    """

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
        self.at = np.full(self.view.provider_rows, -1, np.int64)
        self.at[self.hosts] = np.arange(self.hosts.size)
        self.problem = self._problem(strategy)

    def _problem(self, strategy: Rebalance) -> Problem:
        view, given = self.view, self.parameters
        folded = self.folded.view
        need = folded.consumers.demand[self.rows].astype(np.float64)
        capacity = folded.capacity[self.hosts].astype(np.float64)
        # What stands there and is none of the audit's takes its room all the same.
        start = self.at[self.folded.homes()[self.rows].astype(np.int64)]
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

    def _movable(self) -> Bool:
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
