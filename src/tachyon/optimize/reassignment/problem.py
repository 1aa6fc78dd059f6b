"""The rebalancing problem as arrays: who needs what, what hosts offer, what costs how much.

The model is that of the machine reassignment problem (ROADEF/EURO challenge 2012), of which the
placement of instances on compute hosts is a case: hosts are machines, instances processes, server
groups services, availability zones locations, host aggregates neighbourhoods. Made
from a session by the strategy `rebalance`, searched by `islands.py` or `search.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tachyon.graph.view.columns import F64, I64, Bool

#: No limit on the members of a service on one host.
ANY = np.iinfo(np.int32).max


class Problem(Struct, frozen=True, kw_only=True):
    """N instances on M hosts with R resources, J terms of the load cost and S services.

    Amounts are whole numbers kept as floats, exact up to 2**53.

    Attributes:
        need: N × R; what an instance takes.
        start: N; the host on which it stands, and which costs nothing.
        movable: N; whether it may move at all.
        capacity: M × R.
        transient: R; whether a moved instance still takes the resource on its first host.
        term_slope: R × J; by how much a unit of a resource that is used on a host raises a term.
        term_base: M × J; a host's terms when nothing is used. The load cost is the sum of all
            positive terms; weights are multiplied in.
        place_cost: N; of standing elsewhere than at the start.
        host_cost: M × M; of standing on the column's host, having started on the row's.
        service_cost: of each instance that the service with the most moved ones has moved.
        service: N; −1 for none. The last service (S − 1) holds those without, and has no rules.
        most: S; how many members of a service may stand on one host.
        spread: S; the least number of locations that a service stands in.
        depends: pairs (a, b): where service a stands, b stands in the same neighbourhood.
        location, neighbourhood: M.
        kind, allowed: N and K × M; the hosts that an instance may be moved to, by kinds.
        moves_max: most instances that stand elsewhere than at the start; −1: any number.
    """

    need: F64
    start: I64
    movable: Bool
    capacity: F64
    transient: Bool
    term_slope: F64
    term_base: F64
    place_cost: F64
    host_cost: NDArray[np.float64]
    service_cost: float
    service: I64
    most: I64
    spread: I64
    depends: Sequence[tuple[int, int]]
    location: I64
    neighbourhood: I64
    kind: I64
    allowed: Bool
    moves_max: int = -1

    @property
    def instances(self) -> int:
        """N."""
        return self.start.size

    @property
    def hosts(self) -> int:
        """M."""
        return len(self.capacity)

    @property
    def services(self) -> int:
        """S."""
        return self.most.size

    def taken(self, instances: int | I64, hosts: int | I64, *, strict: bool) -> F64:
        """Return what instances take on hosts, and give back there when they leave (… × R).

        Args:
            instances: a row, or k of them.
            hosts: a host, or one for each instance.
            strict: whether transient resources are held at the start all the time: neither is
                more taken there, nor any given back.
        """
        taken: F64 = self.need[instances]
        if strict:
            at_start = np.asarray(self.start[instances] == hosts)
            taken = taken * ~(at_start[..., None] & self.transient)
        return taken


def terms(
    capacity: F64,
    safety: F64,
    load_weights: F64,
    balance: Sequence[tuple[int, int, float, float]],
) -> tuple[F64, F64]:
    """Return the slopes (R × J) and bases (M × J) of the load cost.

    Args:
        capacity: M × R.
        safety: M × R.
        load_weights: R; the cost of a unit used beyond the safety capacity.
        balance: objectives (resource 1, resource 2, target, weight): each unit by which
            target × free of resource 1 exceeds the free of resource 2 costs the weight.
    """
    weighted = np.flatnonzero(load_weights > 0)
    slopes = np.zeros((capacity.shape[1], weighted.size + len(balance)))
    bases = np.zeros((capacity.shape[0], slopes.shape[1]))
    for column, resource in enumerate(weighted.tolist()):
        weight = load_weights[resource]
        slopes[resource, column] = weight
        bases[:, column] = -weight * safety[:, resource]
    for column, (first, second, target, weight) in enumerate(balance, start=weighted.size):
        slopes[first, column] -= weight * target
        slopes[second, column] += weight
        bases[:, column] = weight * (target * capacity[:, first] - capacity[:, second])
    return slopes, bases


def scarce(problem: Problem) -> F64:
    """Return each instance's need of transient resources, 1 on average (N); 0 without any."""
    need = problem.need[:, problem.transient]
    mean = need.mean(axis=0) if need.size else np.zeros(need.shape[1])
    if not (mean > 0).any():
        return np.zeros(problem.instances)
    share: F64 = (need[:, mean > 0] / mean[mean > 0]).mean(axis=1)
    return share


def one_by_one(problem: Problem) -> Problem:
    """Return the problem without the moves that only many at once could make.

    Of a server group that has as many members on every host as may be, nobody can go first.
    """
    members = np.zeros((problem.services, problem.hosts), np.int64)
    np.add.at(members, (problem.service, problem.start), 1)
    full: Bool = np.all(members >= problem.most[:, None], axis=1)
    return replace(problem, movable=problem.movable & ~full[problem.service])
