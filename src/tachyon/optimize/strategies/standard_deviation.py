"""Even out the load of compute hosts: the strategy behind the goal workload_balancing.

Steepest descent on the weighted sum of the standard deviations of utilisation. In each round the
most loaded hosts offer all their instances to the least loaded ones, every such move is judged at
once, and the best moves between different pairs of hosts are made; their gains add up, because no
host is in two of them. An instance moves once at most.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.folding import fold
from tachyon.optimize.goals.workload_balancing import balanced_hosts, weighted_deviation
from tachyon.optimize.migration import states
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context

#: Most moves judged in one round: some 50 MB of arrays, some 30 ms.
CANDIDATES = 200_000
#: Most hosts that give in one round.
DONORS = 512

_SHARE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


class StandardDeviation(Strategy):
    """Move instances from over- to underloaded hosts while that evens out the load."""

    name = "standard_deviation"
    display_name = "Standard deviation"
    goal = "workload_balancing"
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "weights": {
                "description": "Weight of each resource class or metric whose deviation counts. "
                "Empty: every metric that is measured, else VCPU and MEMORY_MB, all alike.",
                "type": "object",
                "additionalProperties": {"type": "number", "minimum": 0},
                "default": {},
            },
            "threshold": {
                "description": "Nothing more is moved once the standard deviation of every "
                "weighted column is at or below this.",
                "type": "number",
                "minimum": 0,
                "default": 0.05,
            },
            "limits": {
                "description": "Highest shares of a host's capacity that may be used after a "
                "migration to it, by resource class or metric.",
                "type": "object",
                "additionalProperties": _SHARE,
                "default": {},
            },
            "migration_limit": {
                "description": "Most instances to migrate; 0 stands for no limit.",
                "type": "integer",
                "minimum": 0,
                "default": 0,
            },
            "minimum_gain": {
                "description": "Least gain of a migration: by how much it lowers the weighted "
                "deviation, times the number of hosts (so that it means the same at every size).",
                "type": "number",
                "minimum": 0,
                "default": 0.01,
            },
            "cold_migration": {
                "description": "Whether stopped instances may be migrated (cold).",
                "type": "boolean",
                "default": False,
            },
        },
    }

    def weights(self, view: View) -> dict[str, float]:
        """Return the parameter's weights, or what stands for none."""
        given: dict[str, float] = {n: w for n, w in self.parameters["weights"].items() if w > 0}
        for name in given:
            view.column(name)
        measured = [m.name for m in view.metrics]
        usual = [c for c in ("VCPU", "MEMORY_MB") if c in view.class_index]
        return given or dict.fromkeys(measured or usual or view.classes, 1.0)

    def limits(self, view: View) -> dict[str, float]:
        """Return the limits given."""
        limits: dict[str, float] = dict(self.parameters["limits"])
        for name in limits:
            view.column(name)
        return limits

    def execute(self, session: Session, context: Context) -> None:
        """Record moves, each of which lowers the weighted deviation."""
        hosts = balanced_hosts(session, context.scope)
        if hosts.sum() > 1:
            _Descent(self, session, context, hosts).run()


class _Descent:
    """One execution. Moves are scored host by host in `folded` and recorded in both sessions."""

    def __init__(
        self, strategy: StandardDeviation, session: Session, context: Context, hosts: Bool
    ) -> None:
        view = session.view
        self.session = session
        self.context = context
        self.parameters = strategy.parameters
        self.weights = strategy.weights(view)
        self.limits = [(view.column(n), s) for n, s in strategy.limits(view).items()]
        self.hosts = hosts
        self.folded = fold(session)
        self.eligibility = strategy.eligibility(
            session, context, states=states(cold=self.parameters["cold_migration"])
        )
        self.homes: I64 = session.homes().astype(np.int64)
        self.free_to_move: Bool = self.eligibility.movable.copy()
        self.moves = 0
        self._columns = np.array([view.column(n) for n in self.weights], np.int64)
        self._weight = np.array(list(self.weights.values()))
        self._policies()

    def _policies(self) -> None:
        """Work out how many members of each server group a host may take (−1: any number)."""
        view = self.session.view
        most = np.full(len(view.codes.group.values) + 1, -1, np.int64)
        for key in view.records["server_group"]:
            group = view.server_group(key)
            code = view.codes.group.find(key)
            if group is not None and code >= 0 and group.policy == "anti-affinity":
                most[code] = group.rules.get("max_server_per_host", 1)
        self._most: I64 = most
        #: Members of groups with a limit, wherever they are.
        groups = view.consumers.group
        self._grouped: I64 = np.flatnonzero(view.consumers.alive & (most[groups] >= 0))

    def run(self) -> None:
        """Descend until the threshold, the limit or the end of gains is reached."""
        start = self.deviation()
        while not self._done():
            made = self._round()
            if not made:
                break
            self.moves += made
            self.context.step(
                self.moves,
                self.parameters["migration_limit"] or 0,
                f"{self.moves} migrations, deviation {self.deviation():.4f} from {start:.4f}",
            )

    def deviation(self) -> float:
        """Return what is being lowered."""
        return weighted_deviation(self.folded, self.hosts, self.weights)

    def _done(self) -> bool:
        limit = self.parameters["migration_limit"]
        if limit and self.moves >= limit:
            return True
        metrics = self.folded.metrics(self.hosts)
        return all(
            metrics[name].std_deviation <= self.parameters["threshold"] for name in self.weights
        )

    def _round(self) -> int:
        """Make the best moves between different hosts; return how many."""
        consumers, targets = self._candidates()
        if not consumers.size:
            return 0
        evaluation = self.folded.evaluate_moves(consumers, targets, self.hosts)
        allowed = evaluation.feasible & self._may(consumers, targets)
        after = evaluation.std_deviation[:, self._columns] @ self._weight
        gain = self.deviation() - after
        least = self.parameters["minimum_gain"] / self.hosts.sum()
        worth = np.flatnonzero(allowed & (gain > max(least, 1e-12)))
        # Of the moves between two hosts only the best can be made; ties by row.
        order = worth[np.lexsort((targets[worth], consumers[worth], -gain[worth]))]
        pairs = self.homes[consumers[order]] * self.session.view.provider_rows + targets[order]
        order = order[np.sort(np.unique(pairs, return_index=True)[1])]
        return self._make(consumers[order].tolist(), targets[order].tolist())

    def _make(self, consumers: list[int], targets: list[int]) -> int:
        limit = self.parameters["migration_limit"]
        uuid = self.session.view.providers.uuid
        busy: set[int] = set()
        made = 0
        for row, target in zip(consumers, targets, strict=True):
            source = int(self.homes[row])
            if source in busy or target in busy:
                continue
            if limit and self.moves + made >= limit:
                break
            move = Move(
                consumer_uuid=self.session.state.consumer_uuid(row), to_provider=uuid[target]
            )
            try:
                self.session.record(move)
            except Conflict:
                # Room on the host, but not on any one of its parts.
                continue
            self.folded.record(move)
            busy.update((source, target))
            self.homes[row] = target
            self.free_to_move[row] = False
            made += 1
        return made

    def _candidates(self) -> tuple[I64, I64]:
        """Return moves to judge: K consumer rows and K target rows.

        Hosts are ranked by the slope of the deviation along their load. Each of the most loaded
        ones is paired with a window of the least loaded ones, windows one apart, so that many
        disjoint moves are found in one round.
        """
        slope = self._slope()
        homes = np.where(self.free_to_move, self.homes, -1)
        offered = np.bincount(homes[homes >= 0], minlength=self.hosts.size)
        ranked = np.flatnonzero(self.hosts)
        ranked = ranked[np.argsort(slope[ranked], kind="stable")]
        takers = ranked[slope[ranked] < slope[ranked].max()]
        donors = ranked[::-1][offered[ranked[::-1]] > 0]
        donors = donors[: max(1, min(DONORS, (ranked.size + 1) // 2))]
        if not donors.size or not takers.size:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        place = np.full(self.hosts.size, -1, np.int64)
        place[donors] = np.arange(donors.size)
        giving = np.flatnonzero((homes >= 0) & (place[homes] >= 0))
        window = max(1, min(takers.size, CANDIDATES // max(1, giving.size)))
        near = takers[: max(window, min(takers.size, donors.size + window))]
        offsets = np.arange(window)
        at = (place[homes[giving]][:, None] + offsets[None, :]) % near.size
        targets = near[at]
        consumers = np.repeat(giving, window)
        return consumers, targets.reshape(-1)

    def _slope(self) -> F64:
        """Return by provider row how steeply the weighted deviation rises with the load."""
        view = self.folded.view
        used = self.folded.used_matrix()
        slope = np.zeros(view.provider_rows)
        for column, weight in zip(self._columns.tolist(), self._weight.tolist(), strict=True):
            counted = self.hosts & (view.capacity[:, column] > 0)
            load = used[counted, column] / view.capacity[counted, column]
            deviation = load.std()
            if load.size and deviation > 0:
                slope[counted] += weight * (load - load.mean()) / deviation
        return slope

    def _may(self, consumers: I64, targets: I64) -> Bool:
        """Return which moves traits, zones, aggregates, groups and limits allow."""
        kinds, at = np.unique(self.eligibility.kind[consumers], return_inverse=True)
        may: Bool = self.eligibility.matrix(kinds)[at.reshape(-1), targets]
        if self._grouped.size:
            may &= self._groups_allow(consumers, targets)
        if self.limits:
            used = self.folded.used_matrix()
            capacity = self.folded.view.capacity
            demand = self.folded.view.consumers.demand
            for column, share in self.limits:
                allowed = capacity[targets, column] * share
                may &= used[targets, column] + demand[consumers, column] <= allowed
        return may

    def _groups_allow(self, consumers: I64, targets: I64) -> Bool:
        """Return which moves leave no more members of a group on the target than it may take."""
        groups = self.session.view.consumers.group.astype(np.int64)
        rows = self._grouped[self.homes[self._grouped] >= 0]
        width = self.hosts.size
        keys, counts = np.unique(groups[rows] * width + self.homes[rows], return_counts=True)
        wanted = groups[consumers] * width + targets
        at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
        there = np.where(keys[at] == wanted, counts[at], 0) if keys.size else np.zeros_like(at)
        most = self._most[groups[consumers]]
        allowed: Bool = (most < 0) | (there < most)
        return allowed
