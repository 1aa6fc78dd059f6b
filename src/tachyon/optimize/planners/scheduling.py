"""Tasks as a graph of actions: what waits for what, so that limits hold in every execution.

Whoever executes a plan may start everything whose parents have ended. A limit of n things at a
time is therefore part of the graph itself: its tasks are put on n lanes, and on each lane one
waits for the one before it. Tasks are placed in the order in which they could start, by the
estimates of their durations, so that a slow migration holds up its own lane only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Sequence

from msgspec import Struct

from tachyon.optimize.planners.tasks import Task

#: How many tasks that could be next are compared by when they could start.
WINDOW = 16


class Slot(Struct, frozen=True):
    """Where a planner wants a task.

    Attributes:
        priority: of tasks that could start, the one with the highest is placed first.
        phase: a task waits for all tasks of higher phases that it can wait for; None: for none.
        lanes: what is limited, and how many tasks of it may run at a time.
    """

    priority: float
    phase: float | None
    lanes: tuple[tuple[Hashable, int], ...]


class Placed(Struct, frozen=True):
    """A task with the positions (in the list of placed tasks) of its parents."""

    task: Task
    parents: list[int]
    end: float


def schedule(tasks: Sequence[Task], slot_of: Callable[[Task], Slot]) -> list[Placed]:
    """Return the tasks in an order that the graph allows, each after its parents."""
    return _Scheduling(tasks, slot_of).run()


class _Scheduling:
    def __init__(self, tasks: Sequence[Task], slot_of: Callable[[Task], Slot]) -> None:
        self.tasks = tasks
        self.slots = [slot_of(task) for task in tasks]
        self.placed: list[Placed] = []
        self.position: dict[int, int] = {}
        self.lanes: dict[tuple[Hashable, int], list[int]] = {}
        #: By phase, the placed tasks that none of the same phase waits for.
        self.open: dict[float, set[int]] = {}
        #: By placed task, the tasks of higher phases that it waits for, itself or by a parent.
        self.covered: list[frozenset[int]] = []
        self.sets: dict[frozenset[int], frozenset[int]] = {}
        self.last_on: dict[str, int] = {}

    def run(self) -> list[Placed]:
        missing = [len(task.needs) for task in self.tasks]
        children: dict[int, list[int]] = {}
        for number, task in enumerate(self.tasks):
            for need in task.needs:
                children.setdefault(need, []).append(number)
        ready = [self._entry(n) for n, count in enumerate(missing) if not count]
        heapq.heapify(ready)
        window: list[int] = []
        while ready or window:
            while ready and (len(window) < WINDOW or ready[0] < self._entry(window[0])):
                window.append(heapq.heappop(ready)[1])
                window.sort(key=self._entry)
            number = min(window, key=lambda n: (-self.slots[n].priority, self._start(n), n))
            window.remove(number)
            self._place(number)
            for child in children.get(number, ()):
                missing[child] -= 1
                if not missing[child]:
                    heapq.heappush(ready, self._entry(child))
        return self.placed

    def _entry(self, number: int) -> tuple[float, int]:
        return -self.slots[number].priority, number

    def _start(self, number: int) -> float:
        """Estimate when a task could start at the earliest."""
        needs = [self.placed[self.position[n]].end for n in self.tasks[number].needs]
        tails = [self._tail(lane) for lane in self.slots[number].lanes]
        ends = [self.placed[tail].end for tail in tails if tail is not None]
        return max([0.0, *needs, *ends])

    def _tail(self, lane: tuple[Hashable, int]) -> int | None:
        """Return the last task of the lane that is free first; None for an empty lane."""
        tails = self.lanes.get(lane, [])
        if len(tails) < lane[1]:
            return None
        return min(tails, key=lambda at: (self.placed[at].end, at))

    def _place(self, number: int) -> None:
        task, slot = self.tasks[number], self.slots[number]
        parents = {self.position[need] for need in task.needs}
        at = len(self.placed)
        for lane in slot.lanes:
            tail = self._tail(lane)
            tails = self.lanes.setdefault(lane, [])
            if tail is not None:
                tails.remove(tail)
                parents.add(tail)
            tails.append(at)
        if task.resource_id is not None:
            if task.resource_id in self.last_on:
                parents.add(self.last_on[task.resource_id])
            self.last_on[task.resource_id] = at
        self.covered.append(self._wait_for_phases(slot, parents))
        end = max([0.0, *(self.placed[p].end for p in parents)]) + task.seconds
        self.position[number] = at
        self.placed.append(Placed(task, sorted(self._reduced(parents)), end))
        if slot.phase is not None:
            same = self.open.setdefault(slot.phase, set())
            same -= parents
            same.add(at)

    def _wait_for_phases(self, slot: Slot, parents: set[int]) -> frozenset[int]:
        if slot.phase is None:
            return frozenset()
        higher: set[int] = set()
        for phase, tasks in self.open.items():
            if phase > slot.phase:
                higher |= tasks
        waited = frozenset(higher)
        if any(self.covered[p] == waited for p in parents):
            return self._kept(waited)
        parents |= higher.difference(*(self.covered[p] for p in parents))
        return self._kept(waited)

    def _kept(self, waited: frozenset[int]) -> frozenset[int]:
        """Return an equal set of which there is one only: thousands of tasks wait for the same."""
        return self.sets.setdefault(waited, waited)

    def _reduced(self, parents: set[int]) -> set[int]:
        """Leave out parents that another parent waits for itself."""
        return parents - {q for p in parents for q in self.placed[p].parents}
