"""An assignment of instances to hosts with everything that judging a change of it takes.

Changes are judged by the thousand (`shifts`, `swaps`) and made by the dozen (`move`): what touches
neither the same hosts nor the same services adds up exactly. Whole numbers stay whole, so `cost`
never drifts from that of `place`. The state is always feasible when the start is.
"""

from __future__ import annotations

import numpy as np

from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.reassignment.problem import Problem


class State:
    """The assignment, from the start on; `cost` is always that of `place`.

    Attributes:
        place: N; the host of each instance.
        used: M × R; `held` is the same with transient resources of those that have left.
        terms: M × J; the terms of the load cost.
        cost: Σ positive terms + costs of moves.
        moved: how many instances stand elsewhere than at the start.
    """

    def __init__(self, problem: Problem, place: I64 | None = None) -> None:
        self.problem = problem
        self.slope: F64 = np.ascontiguousarray(problem.need @ problem.term_slope)
        self._load(problem.start.copy() if place is None else place.copy())

    def _load(self, place: I64) -> None:
        p = self.problem
        self.place = place
        self.used = np.zeros_like(p.capacity)
        np.add.at(self.used, place, p.need)
        away = place != p.start
        self.held = self.used.copy()
        np.add.at(self.held, p.start[away], p.need[away] * p.transient)
        self.terms: F64 = p.term_base + self.used @ p.term_slope
        self.moved = int(away.sum())
        self.members = np.zeros((p.services, p.hosts), np.int32)
        np.add.at(self.members, (p.service, place), 1)
        self.in_location = np.zeros((p.services, int(p.location.max(initial=0)) + 1), np.int32)
        np.add.at(self.in_location, (p.service, p.location[place]), 1)
        self.locations = (self.in_location > 0).sum(axis=1)
        width = int(p.neighbourhood.max(initial=0)) + 1
        self.in_neighbourhood = np.zeros((p.services, width), np.int32)
        np.add.at(self.in_neighbourhood, (p.service, p.neighbourhood[place]), 1)
        self._dependencies(width)
        self.moved_of = np.bincount(p.service[away], minlength=p.services)
        self.cost = self._whole_cost()

    def _dependencies(self, width: int) -> None:
        """Count by neighbourhood how many services lack one they need, and who needs each."""
        p = self.problem
        self.needs: list[list[int]] = [[] for _ in range(p.services)]
        self.needed_by: list[list[int]] = [[] for _ in range(p.services)]
        self.lacking = np.zeros((p.services, width), np.int32)
        self.demanded = np.zeros((p.services, width), np.int32)
        there = self.in_neighbourhood > 0
        for a, b in {(a, b) for a, b in p.depends if a != b}:
            self.needs[a].append(b)
            self.needed_by[b].append(a)
            self.lacking[a] += ~there[b]
            self.demanded[b] += there[a]

    def _service_cost(self) -> float:
        """Return the cost of the service with the most moved members; the last one is none."""
        return self.problem.service_cost * float(self.moved_of[:-1].max(initial=0))

    def _whole_cost(self) -> float:
        p = self.problem
        away = self.place != p.start
        moves = p.place_cost[away].sum() + p.host_cost[p.start[away], self.place[away]].sum()
        return float(np.maximum(self.terms, 0).sum() + moves) + self._service_cost()

    def restore(self, place: I64) -> None:
        """Take over another assignment whole."""
        self._load(place.copy())

    def host_costs(self) -> F64:
        """Return the load cost of each host (M)."""
        costs: F64 = np.maximum(self.terms, 0).sum(axis=1)
        return costs

    # Judging many changes at once

    def shifts(self, rows: I64) -> F64:
        """Return the change of the cost for moving each of k instances to each host: k × M.

        Infinite where a rule forbids it, or where the instance stands already.
        """
        p = self.problem
        homes, starts = self.place[rows], p.start[rows]
        at = np.arange(rows.size)
        slope, terms = self.slope[rows], self.terms
        before = np.maximum(terms, 0).sum(axis=1)
        leaving = np.maximum(terms[homes] - slope, 0).sum(axis=1) - before[homes]
        change = p.host_cost[starts] + p.place_cost[rows][:, None]
        change[at, starts] = 0.0
        change -= change[at, homes][:, None]
        change += leaving[:, None]
        change -= before
        buffer = np.empty_like(change)
        for term in range(slope.shape[1]):
            np.add.outer(slope[:, term], terms[:, term], out=buffer)
            np.maximum(buffer, 0, out=buffer)
            change += buffer
        if p.service_cost:
            change += self._service_change(rows)
        change[self._shift_forbidden(rows, homes, starts)] = np.inf
        return change

    def _service_change(self, rows: I64) -> F64:
        p = self.problem
        count = self.moved_of[p.service[rows]]
        most = self.moved_of[:-1].max(initial=0)
        top = (count == most) & (p.service[rows] < p.services - 1)
        out: F64 = np.zeros((rows.size, p.hosts))
        home = self.place[rows] == p.start[rows]
        out[home & top] = p.service_cost
        back = ~home & top & ((self.moved_of[:-1] == most).sum() == 1)
        out[back, p.start[rows[back]]] = -p.service_cost
        return out

    def _shift_forbidden(self, rows: I64, homes: I64, starts: I64) -> Bool:
        p = self.problem
        need, room = p.need[rows], p.capacity - self.held
        at = np.arange(rows.size)
        forbidden: Bool = ~p.allowed[p.kind[rows]]
        for resource in range(need.shape[1]):
            forbidden |= np.greater.outer(need[:, resource], room[:, resource])
        # At its start an instance takes no more of a transient resource than it does already.
        firm = ~p.transient
        forbidden[at, starts] = (need[:, firm] > room[starts][:, firm]).any(axis=1)
        service = p.service[rows]
        forbidden |= self.members[service] >= p.most[service][:, None]
        forbidden |= self._places_forbid(rows)
        if p.moves_max >= 0 and self.moved >= p.moves_max:
            # Who has moved may move on or back; nobody else may leave.
            forbidden[homes == starts] = True
        forbidden[~p.movable[rows]] = True
        forbidden[at, homes] = True
        return forbidden

    def _places_forbid(self, rows: I64) -> Bool:
        """Return where instances may not go alone for the sake of a spread or a dependency."""
        p = self.problem
        service, homes = p.service[rows], self.place[rows]
        forbidden: Bool = np.zeros((rows.size, p.hosts), np.bool_)
        tight = np.flatnonzero(
            (self.in_location[service, p.location[homes]] == 1)
            & (self.locations[service] <= p.spread[service])
        )
        if tight.size:
            known = self.in_location[service[tight]][:, p.location] > 0
            known &= p.location[None, :] != p.location[homes[tight]][:, None]
            # Leaving the last place of a location is made good by opening another one only.
            forbidden[tight] |= known
        if p.depends:
            forbidden |= (self.lacking[service] > 0)[:, p.neighbourhood]
            here = p.neighbourhood[homes]
            last = self.in_neighbourhood[service, here] == 1
            stuck = last & (self.demanded[service, here] > 0)
            if stuck.any():
                elsewhere = p.neighbourhood[None, :] != here[stuck][:, None]
                forbidden[stuck] |= elsewhere
        return forbidden

    def swaps(self, rows: I64, others: I64) -> F64:
        """Return the change of the cost for exchanging each of k instances with another one: k.

        Infinite where capacity, the kinds or the members of services forbid it, or where both
        stand on one host. The service cost is left out; `move` tells the whole change.
        """
        homes, hosts = self.place[rows], self.place[others]
        exchange = self.slope[others] - self.slope[rows]
        here, there = self.terms[homes], self.terms[hosts]
        change: F64 = np.maximum(here + exchange, 0).sum(axis=1)
        change += np.maximum(there - exchange, 0).sum(axis=1)
        change -= np.maximum(here, 0).sum(axis=1) + np.maximum(there, 0).sum(axis=1)
        change += self._place_cost(rows, hosts) - self._place_cost(rows, homes)
        change += self._place_cost(others, homes) - self._place_cost(others, hosts)
        change[self._swap_forbidden(rows, others, homes, hosts)] = np.inf
        return change

    def _swap_forbidden(self, rows: I64, others: I64, homes: I64, hosts: I64) -> Bool:
        p = self.problem
        service, theirs = p.service[rows], p.service[others]
        forbidden: Bool = (homes == hosts) | ~p.movable[rows] | ~p.movable[others]
        forbidden |= ~p.allowed[p.kind[rows], hosts] | ~p.allowed[p.kind[others], homes]
        # Of one service, one takes the other's place among its members.
        unlike = service != theirs
        forbidden |= unlike & (self.members[service, hosts] >= p.most[service])
        forbidden |= unlike & (self.members[theirs, homes] >= p.most[theirs])
        forbidden |= self._short(rows, others, homes) | self._short(others, rows, hosts)
        if p.moves_max >= 0:
            fresh = (p.start[rows] == homes).astype(np.int64) + (p.start[others] == hosts)
            forbidden |= self.moved + fresh > p.moves_max
        return forbidden

    def _short(self, leaving: I64, coming: I64, hosts: I64) -> Bool:
        """Return on which hosts too little room is left when one instance takes another's place."""
        p = self.problem
        away, back = p.start[leaving] != hosts, p.start[coming] != hosts
        # Leaving the start gives back no transient resource; coming back to it takes none.
        given = p.need[leaving] * (~p.transient | away[:, None])
        taken = p.need[coming] * (~p.transient | back[:, None])
        short: Bool = (taken - given > (p.capacity - self.held)[hosts]).any(axis=1)
        return short

    def _place_cost(self, rows: I64, hosts: I64) -> F64:
        """Return the move costs of instances on given hosts."""
        p = self.problem
        starts = p.start[rows]
        cost: F64 = np.where(starts == hosts, 0.0, p.place_cost[rows] + p.host_cost[starts, hosts])
        return cost

    # Making changes

    def move(self, rows: I64, hosts: I64) -> None:
        """Move instances at once, whatever the rules say; everything follows."""
        p = self.problem
        homes, starts, service = self.place[rows], p.start[rows], p.service[rows]
        touched = np.unique(np.concatenate([homes, hosts]))
        self.cost -= float(np.maximum(self.terms[touched], 0).sum()) + self._service_cost()
        self.cost += float((self._place_cost(rows, hosts) - self._place_cost(rows, homes)).sum())
        need, slope = p.need[rows], self.slope[rows]
        kept = need * p.transient
        np.subtract.at(self.used, homes, need)
        np.add.at(self.used, hosts, need)
        # The start holds transient resources as long as the instance is away.
        np.subtract.at(self.held, homes, need - kept * (homes == starts)[:, None])
        np.add.at(self.held, hosts, need - kept * (hosts == starts)[:, None])
        np.subtract.at(self.terms, homes, slope)
        np.add.at(self.terms, hosts, slope)
        step = (homes == starts).astype(np.int64) - (hosts == starts)
        self.moved += int(step.sum())
        np.add.at(self.moved_of, service, step)
        np.subtract.at(self.members, (service, homes), 1)
        np.add.at(self.members, (service, hosts), 1)
        self.place[rows] = hosts
        self._count_locations(service, homes, hosts)
        self._count_neighbourhoods(service, homes, hosts)
        self.cost += float(np.maximum(self.terms[touched], 0).sum()) + self._service_cost()

    def _count_locations(self, service: I64, homes: I64, hosts: I64) -> None:
        location = self.problem.location
        np.subtract.at(self.in_location, (service, location[homes]), 1)
        np.add.at(self.in_location, (service, location[hosts]), 1)
        self.locations[service] = (self.in_location[service] > 0).sum(axis=1)

    def _count_neighbourhoods(self, service: I64, homes: I64, hosts: I64) -> None:
        neighbourhood, counts = self.problem.neighbourhood, self.in_neighbourhood
        known = np.unique(service)
        before = counts[known] > 0
        np.subtract.at(counts, (service, neighbourhood[homes]), 1)
        np.add.at(counts, (service, neighbourhood[hosts]), 1)
        after = counts[known] > 0
        for at, place in np.argwhere(before != after).tolist():
            one, step = int(known[at]), -1 if after[at, place] else 1
            self.lacking[self.needed_by[one], place] += step
            self.demanded[self.needs[one], place] -= step

    def fits(self) -> bool:
        """Tell whether no host holds more than its capacity, or than it did at the start."""
        p = self.problem
        start = np.zeros_like(p.capacity)
        np.add.at(start, p.start, p.need)
        return bool((self.held <= np.maximum(p.capacity, start)).all())

    def broken(self, rows: I64) -> Bool:
        """Return for which instances spread or dependencies of their service do not hold."""
        p = self.problem
        service = p.service[rows]
        broken: Bool = self.locations[service] < p.spread[service]
        if p.depends:
            there = self.in_neighbourhood[service] > 0
            wrong = np.where(there, self.lacking[service] > 0, self.demanded[service] > 0)
            broken |= wrong.any(axis=1)
        return broken
