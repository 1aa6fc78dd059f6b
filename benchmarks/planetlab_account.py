"""What a day costs: energy, overload and what migrations take from machines, as papers count it.

Between two decisions demand is linear, and who stands where changes as migrations end; each stretch
in which nobody comes or goes is accounted for as a whole. The metrics are those of Beloglazov and
Buyya (2012); `Account` says where CloudSim's way of counting gives them more than one would think.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from benchmarks.planetlab_data import INTERVAL, Day, Fleet
from tachyon.graph.view.columns import F64, I64, Bool

#: The share of its CPU that a migration costs the machine while it lasts.
LOST = 0.1
#: Of rounding, in MIPS.
_SLACK = 1e-6


class Result(Struct, frozen=True, kw_only=True):
    """The figures of a day.

    Attributes:
        energy: kWh.
        uncharged: kWh of `energy` that CloudSim does not charge: the first interval of a host that
            is switched on, and the first of the day.
        migrations: how many.
        overload: share of the hours that hosts were on in which machines asked for more than the
            host has.
        slatah: the same, but a host counts as well while it takes a machine in, and while a core
            is too slow for a machine: CloudSim's count.
        pdm: share of what machines asked for that they did not get while they migrated.
        hosts: mean number of hosts that are on.
        switched_on: how often a host was switched on after the start.
    """

    energy: float
    uncharged: float
    migrations: int
    overload: float
    slatah: float
    pdm: float
    hosts: float
    switched_on: int

    @property
    def slav(self) -> float:
        """SLATAH × PDM."""
        return self.slatah * self.pdm

    @property
    def esv(self) -> float:
        """Energy × SLAV."""
        return self.energy * self.slav


class Account:
    """Adds up one interval after the other.

    Args:
        machines: whose demand counts.
        hosts: that deliver it.
    """

    def __init__(self, machines: Day, hosts: Fleet) -> None:
        self._day, self._fleet = machines, hosts
        self._joules = self._uncharged = 0.0
        self._migrations = 0
        self._active = self._overloaded = self._short = 0.0
        self._requested = self._lost = 0.0
        self._seconds = 0.0
        self._switched_on = 0

    def interval(self, at: int, before: I64, after: I64) -> None:
        """Count the interval that begins at a moment, with all migrations begun at once.

        Args:
            at: index of the moment.
            before, after: V; the host of each machine.
        """
        day = self._day
        moving = before != after
        size = self._fleet.capacity.size
        self._migrations += int(np.count_nonzero(moving))
        was, now = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        was[before] = True
        now[after] = True
        waking = now & ~was
        self._switched_on += int(np.count_nonzero(waking))
        if not self._seconds:
            waking[:] = True
        copying = day.copying
        first = day.demand[:, at]
        last = day.demand[:, min(at + 1, day.demand.shape[1] - 1)]
        ends = np.unique(np.append(copying[moving], INTERVAL))
        start = 0.0
        for end in ends.tolist():
            still = moving & (copying > start)
            self._stretch(
                end - start,
                first + (last - first) * (start / INTERVAL),
                first + (last - first) * (end / INTERVAL),
                np.where(still, before, after),
                after,
                still,
                waking,
            )
            start = end

    def _stretch(
        self,
        seconds: float,
        first: F64,
        last: F64,
        homes: I64,
        coming: I64,
        migrating: Bool,
        waking: Bool,
    ) -> None:
        """Count a stretch in which nobody arrives."""
        fleet = self._fleet
        size = fleet.capacity.size
        incoming = np.zeros(size, np.bool_)
        incoming[coming[migrating]] = True
        on = incoming.copy()
        on[homes] = True
        for demand in (first, last):
            capped = np.minimum(demand, fleet.core[homes])
            used = np.minimum(np.bincount(homes, capped, size), fleet.capacity)
            watts = fleet.watts(used)
            self._joules += seconds / 2 * float(watts[on].sum())
            self._uncharged += seconds / 2 * float(watts[on & waking].sum())
        asked = np.bincount(homes, first, size)
        capped = np.minimum(first, fleet.core[homes])
        given = np.bincount(homes, capped, size)
        overloaded = asked > fleet.capacity + _SLACK
        short = overloaded | (asked > given + _SLACK) | incoming
        self._active += seconds * np.count_nonzero(on)
        self._overloaded += seconds * np.count_nonzero(overloaded)
        self._short += seconds * np.count_nonzero(short)
        self._requested += seconds * float(first.sum())
        if migrating.any():
            share = np.minimum(
                1.0, np.divide(fleet.capacity, given, out=np.ones(size), where=given > 0)
            )
            allocated = (1.0 - LOST) * capped[migrating] * share[homes[migrating]]
            self._lost += seconds * float((first[migrating] - allocated).sum())
        self._seconds += seconds

    def result(self) -> Result:
        """Return the figures of all intervals counted."""
        return Result(
            energy=self._joules / 3.6e6,
            uncharged=self._uncharged / 3.6e6,
            migrations=self._migrations,
            overload=self._overloaded / self._active,
            slatah=self._short / self._active,
            pdm=self._lost / self._requested if self._requested else 0.0,
            hosts=self._active / self._seconds,
            switched_on=self._switched_on,
        )
