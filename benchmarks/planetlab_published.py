"""The published policies of dynamic consolidation, written from the paper.

Beloglazov and Buyya (2012): a host whose CPU use a detector finds too high gives machines away,
the quickest to migrate first (MMT), until the detector is content; then, from the least used host
up, a host is emptied wholly if its machines find room on hosts that are on. Machines go, the most
demanding first, to the host whose power rises least (PABFD). Only the CPU is looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.planetlab_data import Day, Fleet
from tachyon.graph.view.columns import F64, I64, Bool

#: Given the hosts' use as shares of their capacity, the newest last (K × L), how many values of
#: those were seen, and the hosts' seconds of the longest migration (K): which are overloaded (K).
Detector = Callable[[F64, F64], Bool]

#: Values of a machine that detectors look back on.
HISTORY = 30
#: What adaptive detectors fall back on where too little was seen, and how little that is.
_FALLBACK = 0.7
_SEEN = {"deviation": 12, "regression": 10}


def static(threshold: float) -> Detector:
    """THR: use above a fixed share."""
    return lambda use, _: use[:, -1] > threshold


def interquartile(safety: float) -> Detector:
    """IQR: the threshold is 1 − safety × interquartile range."""
    return _adaptive(safety, _range_of_quartiles)


def median_deviation(safety: float) -> Detector:
    """MAD: the threshold is 1 − safety × median absolute deviation."""
    return _adaptive(safety, _median_deviation)


def _adaptive(safety: float, spread: Callable[[F64], F64]) -> Detector:
    def detect(use: F64, _: F64) -> Bool:
        if use.shape[1] < _SEEN["deviation"]:
            return use[:, -1] > _FALLBACK
        return use[:, -1] > 1.0 - safety * spread(use)

    return detect


def _range_of_quartiles(use: F64) -> F64:
    ordered = np.sort(use, axis=1)
    size = use.shape[1]
    low, high = (round(q * (size + 1)) - 1 for q in (0.25, 0.75))
    found: F64 = ordered[:, high] - ordered[:, low]
    return found


def _median_deviation(use: F64) -> F64:
    middle = np.median(use, axis=1, keepdims=True)
    found: F64 = np.median(np.abs(use - middle), axis=1)
    return found


def regression(safety: float, interval: float) -> Detector:
    """LR: safety × the use that a weighted line through the last values foretells is 1 or more.

    Weights are tricube; the line is followed for as long as the longest migration takes.
    """
    length = _SEEN["regression"]
    x = np.arange(1.0, length + 1.0)
    weight = (1.0 - ((length - x) / (length - 1.0)) ** 3) ** 3
    mean = float(weight @ x / weight.sum())
    spread = float(weight @ (x - mean) ** 2)

    def detect(use: F64, longest: F64) -> Bool:
        if use.shape[1] < length:
            return use[:, -1] > _FALLBACK
        recent = use[:, -length:]
        level = recent @ weight / weight.sum()
        slope = recent @ (weight * (x - mean)) / spread
        ahead = length + np.ceil(longest / interval)
        found: Bool = safety * (level + slope * (ahead - mean)) >= 1.0
        return found

    return detect


class Published:
    """One policy over a day.

    Args:
        machines: their demand and memory.
        hosts: where they may stand.
        detector: of overload.
    """

    def __init__(self, machines: Day, hosts: Fleet, detector: Detector) -> None:
        self._day, self._fleet, self._detector = machines, hosts, detector

    def decide(self, at: int, homes: I64) -> I64:
        """Return where each machine is to stand (V), by what was measured up to a moment."""
        return _Decision(self._day, self._fleet, self._detector, at, homes).made()


class _Decision:
    """One decision; `homes` and `use` follow what was decided so far.

    As in CloudSim 3.0.3, a host's power before a placement is that measured before the decision, so
    that a host that was given a machine looks dear for the next one.
    """

    def __init__(self, day: Day, fleet: Fleet, detector: Detector, at: int, homes: I64) -> None:
        self.day, self.fleet, self.detector = day, fleet, detector
        self.past = day.demand[:, max(0, at + 1 - HISTORY) : at + 1]
        self.now = day.demand[:, at]
        self.homes = homes.copy()
        size = fleet.capacity.size
        self.use = np.zeros((size, self.past.shape[1]))
        np.add.at(self.use, homes, self.past)
        self.measured = self.use[:, -1].copy()
        self.on: Bool = self.measured > 0
        self.watts = fleet.watts(self.measured)

    def overloaded(self, hosts: I64, use: F64, longest: F64) -> Bool:
        return self.detector(use / self.fleet.capacity[hosts][:, None], longest)

    def longest(self, hosts: I64) -> F64:
        """Return the longest migration of a machine on each host."""
        found = np.zeros(self.fleet.capacity.size)
        placed = self.homes >= 0
        np.maximum.at(found, self.homes[placed], self.day.copying[placed])
        return found[hosts]

    def made(self) -> I64:
        start = self.homes.copy()
        on = np.flatnonzero(self.on)
        over = on[self.overloaded(on, self.use[on], self.longest(on))]
        given = [machine for host in over.tolist() for machine in self.give(host)]
        closed = np.zeros(self.fleet.capacity.size, np.bool_)
        closed[over] = True
        for machine in sorted(given, key=lambda one: -float(self.now[one])):
            host = self.best(machine, ~closed)
            self.put(machine, host if host >= 0 else int(start[machine]))
        self.empty(on, self.on & ~closed)
        return self.homes

    def take(self, machine: int) -> None:
        self.use[self.homes[machine]] -= self.past[machine]
        self.homes[machine] = -1

    def put(self, machine: int, host: int) -> None:
        self.use[host] += self.past[machine]
        self.homes[machine] = host

    def give(self, host: int) -> list[int]:
        """Take machines off a host, the quickest to migrate first, until it is content."""
        members = np.flatnonzero(self.homes == host)
        row = np.array([host])
        given: list[int] = []
        for machine in members[np.argsort(self.day.copying[members], kind="stable")].tolist():
            self.take(machine)
            given.append(machine)
            if not self.overloaded(row, self.use[row], self.longest(row))[0]:
                break
        return given

    def best(self, machine: int, allowed: Bool) -> int:
        """Return the host whose power rises least, −1 when none has room."""
        fleet = self.fleet
        need = self.now[machine]
        fits = allowed & (fleet.core >= need) & (fleet.capacity - self.use[:, -1] >= need)
        on = np.flatnonzero(fits & (self.use[:, -1] > 0))
        if on.size:
            use = self.use[on] + self.past[machine]
            longest = np.maximum(self.longest(on), self.day.copying[machine])
            fits[on[self.overloaded(on, use, longest)]] = False
        if not fits.any():
            return -1
        rise = fleet.watts(self.use[:, -1] + need) - self.watts
        rise[~fits] = np.inf
        return int(np.argmin(rise))

    def empty(self, on: I64, allowed: Bool) -> None:
        """Empty hosts wholly, the least used first, into others that were on."""
        taken: set[int] = set()
        share = self.measured / self.fleet.capacity
        for host in on[np.argsort(share[on], kind="stable")].tolist():
            if host in taken or not allowed[host]:
                continue
            allowed[host] = False
            members = np.flatnonzero(self.homes == host)
            moved: list[int] = []
            for machine in members[np.argsort(-self.now[members], kind="stable")].tolist():
                self.take(machine)
                target = self.best(machine, allowed)
                if target < 0:
                    self.put(machine, host)
                    break
                self.put(machine, target)
                moved.append(machine)
            else:
                taken.update(self.homes[moved].tolist())
                continue
            for machine in moved:
                self.take(machine)
                self.put(machine, host)
