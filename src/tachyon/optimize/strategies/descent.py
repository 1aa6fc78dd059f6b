"""Lower the deviation of load by moves, each of which helps: steepest descent.

What is lowered is Σ weight × standard deviation of utilisation over columns of a folded session.
In each round instances are offered to hosts, every such move is judged at once, and the best moves
between different pairs of hosts are made; their gains add up, because no host is in two of them.
An instance moves once at most. Strategies of workload balancing say which columns count, when it
is enough, and which hosts each instance is offered to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from msgspec import Struct, field

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.goals.workload_balancing import weighted_deviation
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility

#: Most moves judged in one round, some 3 ms; once such rounds gain nothing, so many more.
CANDIDATES = 20_000
WIDE = 60_000
#: Most hosts that give in one round.
DONORS = 512
#: Rounds without a gain after which offers by chance or in turn end.
PATIENCE = 10

#: To which hosts instances are offered: to the least loaded ones (those of the most loaded hosts),
#: to some by chance, or to the next one in turn (those of all hosts).
Offer = Literal["fullsearch", "retry", "cycle"]


class Aims(Struct, frozen=True, kw_only=True):
    """What a descent is after.

    Attributes:
        weights: of each column whose deviation counts.
        thresholds: deviation at or below which a column is even enough; once all are, it ends.
        limits: by column, the share of a destination's capacity that may be used after a move.
        migration_limit: most moves; 0: any number.
        minimum_gain: by how much a move lowers the weighted deviation at least.
        offer: which hosts an instance is offered to; `tries` of them by chance.
    """

    weights: Mapping[str, float]
    thresholds: Mapping[str, float]
    limits: Mapping[str, float] = field(default_factory=dict)
    migration_limit: int = 0
    minimum_gain: float = 0.0
    offer: Offer = "fullsearch"
    tries: int = 1


class Descent:
    """One run. Moves are scored host by host in `folded` and recorded in both sessions.

    Args:
        session: where moves are recorded.
        folded: a folded session of the same rows, with the columns that count; see `fold`.
        eligibility: who may be moved where.
        movable: N; those of them whose load is known.
        hosts: P; whose load is to be even, and between which instances move.
        aims: what is wanted.
        context: for progress, cancellation and chance.
    """

    def __init__(
        self,
        session: Session,
        folded: Session,
        eligibility: Eligibility,
        movable: Bool,
        hosts: Bool,
        aims: Aims,
        context: Context,
    ) -> None:
        view = folded.view
        self.session = session
        self.folded = folded
        self.eligibility = eligibility
        self.hosts = hosts
        self.aims = aims
        self.context = context
        self.limits = [(view.column(n), s) for n, s in aims.limits.items()]
        self.homes: I64 = session.homes().astype(np.int64)
        self.free_to_move: Bool = movable.copy()
        self.moves = 0
        self._rounds = 0
        self._candidates = CANDIDATES
        self._columns = np.array([view.column(n) for n in aims.weights], np.int64)
        self._weight = np.array(list(aims.weights.values()))
        self._thresholds = np.array([aims.thresholds[n] for n in aims.weights])
        offers: Mapping[Offer, Callable[[], tuple[I64, I64]]] = {
            "fullsearch": self._to_least_loaded,
            "retry": self._by_chance,
            "cycle": self._in_turn,
        }
        self._offer = offers[aims.offer]
        self._policies()

    def _policies(self) -> None:
        """Work out how many members of each server group a host may take (−1: any number)."""
        view = self.session.view
        most = np.full(len(view.codes.group.values) + 1, -1, np.int64)
        if any(f.name == "ServerGroupFilter" for f in self.eligibility.filters):
            for key in view.records["server_group"]:
                group = view.server_group(key)
                code = view.codes.group.find(key)
                if group is not None and code >= 0 and group.policy == "anti-affinity":
                    most[code] = group.rules.get("max_server_per_host", 1)
        self._most: I64 = most
        #: Members of groups with a limit, wherever they are.
        groups = view.consumers.group
        self._grouped: I64 = np.flatnonzero(view.consumers.alive & (most[groups] >= 0))
        #: Consumers whose choice depends on where others stand.
        self._changing: Bool = self.eligibility.changing(np.arange(groups.size))

    def run(self) -> None:
        """Descend until the thresholds, the limit or the end of gains is reached."""
        if self.hosts.sum() < 2:
            return
        start = self.deviation()
        patience = 1 if self.aims.offer == "fullsearch" else PATIENCE
        idle = 0
        while idle < patience and not self._done():
            made = self._round()
            if not made and self.aims.offer == "fullsearch" and self._candidates < WIDE:
                self._candidates = WIDE
                continue
            idle = 0 if made else idle + 1
            self.moves += made
            self.context.step(
                self.moves,
                self.aims.migration_limit,
                f"{self.moves} migrations, deviation {self.deviation():.4f} from {start:.4f}",
            )

    def deviation(self) -> float:
        """Return what is being lowered."""
        return weighted_deviation(self.folded, self.hosts, self.aims.weights)

    def _done(self) -> bool:
        limit = self.aims.migration_limit
        if limit and self.moves >= limit:
            return True
        metrics = self.folded.metrics(self.hosts)
        return all(metrics[n].std_deviation <= self.aims.thresholds[n] for n in self.aims.weights)

    def _round(self) -> int:
        """Make the best moves between different hosts; return how many."""
        self._rounds += 1
        consumers, targets = self._offer()
        if not consumers.size:
            return 0
        feasible = self.folded.evaluate_moves(consumers, targets, self.hosts).feasible
        allowed = np.flatnonzero(feasible & self._may(consumers, targets))
        consumers, targets = consumers[allowed], targets[allowed]
        evaluation = self.folded.evaluate_moves(consumers, targets, self.hosts)
        gain = self.deviation() - evaluation.std_deviation[:, self._columns] @ self._weight
        worth = np.flatnonzero(gain > max(self.aims.minimum_gain, 1e-12))
        # Of the moves between two hosts only the best can be made; ties by row.
        order = worth[np.lexsort((targets[worth], consumers[worth], -gain[worth]))]
        pairs = self.homes[consumers[order]] * self.session.view.provider_rows + targets[order]
        order = order[np.sort(np.unique(pairs, return_index=True)[1])]
        return self._make(consumers[order].tolist(), targets[order].tolist())

    def _make(self, consumers: list[int], targets: list[int]) -> int:
        limit = self.aims.migration_limit
        uuid = self.session.view.providers.uuid
        busy: set[int] = set()
        evenness = _Evenness(self.folded, self.hosts, self._columns, self._thresholds)
        made = 0
        for row, target in zip(consumers, targets, strict=True):
            source = int(self.homes[row])
            if source in busy or target in busy:
                continue
            if (limit and self.moves + made >= limit) or evenness.enough():
                break
            if self._changing[row]:
                refused = self.eligibility.refused_now(row)
                if refused is not None and refused[target]:
                    continue
            move = Move(
                consumer_uuid=self.session.state.consumer_uuid(row), to_provider=uuid[target]
            )
            try:
                self.session.record(move)
            except Conflict:
                # Room on the host, but not on any one of its parts.
                continue
            self.folded.record(move)
            evenness.shift(source, target, self.folded.view.consumers.demand[row])
            busy.update((source, target))
            self.homes[row] = target
            self.free_to_move[row] = False
            made += 1
        return made

    def _givers(self) -> I64:
        """Return the rows of the instances that may still move, those of the hosts in question."""
        homes = np.where(self.free_to_move, self.homes, -1)
        return np.flatnonzero((homes >= 0) & self.hosts[homes])

    def _to_least_loaded(self) -> tuple[I64, I64]:
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
        window = max(1, min(takers.size, self._candidates // max(1, giving.size)))
        near = takers[: max(window, min(takers.size, donors.size + window))]
        offsets = np.arange(window)
        at = (place[homes[giving]][:, None] + offsets[None, :]) % near.size
        targets = near[at]
        consumers = np.repeat(giving, window)
        return consumers, targets.reshape(-1)

    def _by_chance(self) -> tuple[I64, I64]:
        """Offer each instance to some other hosts, drawn anew in each round."""
        rows = np.flatnonzero(self.hosts)
        tries = min(self.aims.tries, rows.size - 1)
        giving = self._givers()
        giving = giving[: max(1, WIDE // tries)]
        consumers = np.repeat(giving, tries)
        place = np.zeros(self.hosts.size, np.int64)
        place[rows] = np.arange(rows.size)
        # Steps from the own host, none of them 0, so that the others are equally likely.
        steps = self.context.rng.integers(1, rows.size, size=consumers.size)
        return consumers, rows[(place[self.homes[consumers]] + steps) % rows.size]

    def _in_turn(self) -> tuple[I64, I64]:
        """Offer each instance to one host: in each round the next one behind its own."""
        rows = np.flatnonzero(self.hosts)
        giving = self._givers()[:WIDE]
        place = np.zeros(self.hosts.size, np.int64)
        place[rows] = np.arange(rows.size)
        step = 1 + (self._rounds - 1) % (rows.size - 1)
        return giving, rows[(place[self.homes[giving]] + step) % rows.size]

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
        """Return which moves filters and limits allow."""
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


class _Evenness:
    """The deviation of each weighted column while the moves of a round are made, one by one."""

    def __init__(self, folded: Session, hosts: Bool, columns: I64, thresholds: F64) -> None:
        capacity = folded.view.capacity[:, columns]
        counted = hosts[:, None] & (capacity > 0)
        self._columns = columns
        self._share: F64 = np.divide(1.0, capacity, out=np.zeros(capacity.shape), where=counted)
        self._load: F64 = folded.used_matrix()[:, columns] * self._share
        self._count: I64 = np.maximum(counted.sum(axis=0), 1)
        # Centred, so that little cancels.
        centre = self._load.sum(axis=0) / self._count
        self._load = np.where(counted, self._load - centre, 0.0)
        self._sum: F64 = self._load.sum(axis=0)
        self._squares: F64 = np.einsum("pc,pc->c", self._load, self._load)
        self._thresholds = thresholds

    def enough(self) -> bool:
        """Tell whether every column is at or below its threshold."""
        variance = self._squares / self._count - (self._sum / self._count) ** 2
        return bool((variance <= self._thresholds**2).all())

    def shift(self, source: int, target: int, demand: I64) -> None:
        """Account for a move of some demand (all columns)."""
        amounts = demand[self._columns]
        for row, sign in ((source, -1.0), (target, 1.0)):
            load = self._load[row]
            change = sign * amounts * self._share[row]
            self._sum += change
            self._squares += change * (2.0 * load + change)
            self._load[row] = load + change
