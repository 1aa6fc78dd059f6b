"""A checker of the machine reassignment problem, written from its statement alone.

It reads the challenge's own files and shares no code with importer, strategy or search: plain
lists, one rule after the other.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple


class Machine(NamedTuple):
    neighbourhood: int
    location: int
    capacity: list[int]
    safety: list[int]
    move_cost: list[int]


class Service(NamedTuple):
    spread: int
    depends: list[int]


class Process(NamedTuple):
    service: int
    need: list[int]
    move_cost: int


class Balance(NamedTuple):
    first: int
    second: int
    target: int
    weight: int


def _numbers(path: Path) -> list[int]:
    data = path.read_bytes()
    return [int(word) for word in (gzip.decompress(data) if path.suffix == ".gz" else data).split()]


class Instance:
    """An instance as the model file has it; `start` is the original assignment."""

    def __init__(self, model: Path, assignment: Path) -> None:
        numbers = iter(_numbers(model))

        def take(count: int) -> list[int]:
            return [next(numbers) for _ in range(count)]

        def one() -> int:
            return next(numbers)

        count = one()
        self.resources = [(one(), one()) for _ in range(count)]
        machines = one()
        self.machines = [
            Machine(one(), one(), take(count), take(count), take(machines)) for _ in range(machines)
        ]
        self.services = []
        for _ in range(one()):
            spread, depends = one(), one()
            self.services.append(Service(spread, take(depends)))
        self.processes = [Process(one(), take(count), one()) for _ in range(one())]
        self.balance = [Balance(one(), one(), one(), one()) for _ in range(one())]
        self.weights = take(3)
        assert next(numbers, None) is None
        self.start = _numbers(assignment)

    def problems(self, solution: list[int]) -> list[str]:
        """Return the hard rules that an assignment breaks."""
        found: list[str] = []
        used = self._used(solution)
        for number, machine in enumerate(self.machines):
            for resource, (transient, _) in enumerate(self.resources):
                total = used[number][resource]
                if transient:
                    total += sum(
                        p.need[resource]
                        for p, was, now in zip(self.processes, self.start, solution, strict=True)
                        if was == number and now != number
                    )
                if total > machine.capacity[resource]:
                    found.append(f"machine {number}: {total} of resource {resource}")
        members: dict[int, list[int]] = defaultdict(list)
        for process, machine_of in zip(self.processes, solution, strict=True):
            members[process.service].append(machine_of)
        for number, service in enumerate(self.services):
            on = members[number]
            if len(set(on)) < len(on):
                found.append(f"service {number}: two processes on one machine")
            if len({self.machines[m].location for m in on}) < service.spread:
                found.append(f"service {number}: too few locations")
            here = {self.machines[m].neighbourhood for m in on}
            for other in service.depends:
                there = {self.machines[m].neighbourhood for m in members[other]}
                if not here <= there:
                    found.append(f"service {number}: service {other} is not in its neighbourhoods")
        return found

    def cost(self, solution: list[int]) -> int:
        """Return the weighted cost of an assignment."""
        used = self._used(solution)
        cost = 0
        for number, machine in enumerate(self.machines):
            for resource, (_, weight) in enumerate(self.resources):
                cost += weight * max(0, used[number][resource] - machine.safety[resource])
            free = [c - u for c, u in zip(machine.capacity, used[number], strict=True)]
            for b in self.balance:
                cost += b.weight * max(0, b.target * free[b.first] - free[b.second])
        moved = [
            (process, was, now)
            for process, was, now in zip(self.processes, self.start, solution, strict=True)
            if was != now
        ]
        of_service: dict[int, int] = defaultdict(int)
        for process, _, _ in moved:
            of_service[process.service] += 1
        weights = self.weights
        cost += weights[0] * sum(process.move_cost for process, _, _ in moved)
        cost += weights[1] * max(of_service.values(), default=0)
        cost += weights[2] * sum(self.machines[was].move_cost[now] for _, was, now in moved)
        return cost

    def _used(self, solution: list[int]) -> list[list[int]]:
        used = [[0] * len(self.resources) for _ in self.machines]
        for process, machine in zip(self.processes, solution, strict=True):
            for resource, amount in enumerate(process.need):
                used[machine][resource] += amount
        return used
