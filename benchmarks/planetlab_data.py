"""The PlanetLab day as arrays: what machines ask for, and what hosts deliver and draw.

CPU use of virtual machines on PlanetLab every 300 s for 24 h, in the set-up of A. Beloglazov and
R. Buyya, "Optimal online deterministic algorithms and adaptive heuristics for energy and
performance efficient dynamic consolidation of virtual machines in Cloud data centers" (Concurrency
Computat.: Pract. Exper. 24, 2012), as CloudSim's examples fill it in: 800 hosts of two
types in turn, four types of machines with one core each. `read_planetlab` reads it as a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.importers.planetlab import MIPS
from tachyon.graph.view.columns import F64, I64

#: Seconds between two values, which is the time between two decisions as well.
INTERVAL = 300.0
#: MB a second that a migration copies: half of a host's 1 Gbit/s.
COPIED = 62.5


class Fleet(Struct, frozen=True, kw_only=True):
    """H hosts.

    Attributes:
        core, capacity: H; MIPS of one core and of all.
        power: H × 11; watts at 0, 10, … 100 % of the CPU.
    """

    core: F64
    capacity: F64
    power: F64

    def watts(self, used: F64) -> F64:
        """Return what hosts that are on draw (H) when they deliver so many MIPS (H)."""
        at = np.clip(used / self.capacity, 0.0, 1.0) * 10.0
        low = np.minimum(at.astype(np.int64), 9)
        rows = np.arange(used.size)
        below, above = self.power[rows, low], self.power[rows, low + 1]
        found: F64 = below + (above - below) * (at - low)
        return found


class Day(Struct, frozen=True, kw_only=True):
    """V machines over T moments.

    Attributes:
        mips, memory: V; the speed that a machine is sold with, and MB.
        demand: V × T; MIPS that it asks for at each moment, linear in between.
    """

    mips: F64
    memory: F64
    demand: F64

    @property
    def copying(self) -> F64:
        """V; seconds that a migration of each machine lasts."""
        found: F64 = self.memory / COPIED
        return found


def arrays(content: ClusterFile) -> tuple[Day, Fleet, I64]:
    """Return a cluster of `read_planetlab` as arrays, with each machine's host at the start."""
    hosts, machines = content.cluster.providers, content.cluster.consumers
    row = {host.uuid: at for at, host in enumerate(hosts)}
    held = [next(iter(one.allocations.items())) for one in machines]
    mips = _floats([amounts[MIPS] for _, amounts in held])
    use = np.array([content.metrics[0].values[one.uuid] for one in machines], np.float64)
    day = Day(
        mips=mips,
        memory=_floats([amounts["MEMORY_MB"] for _, amounts in held]),
        demand=use / 100.0 * mips[:, None],
    )
    fleet = Fleet(
        core=_floats([host.extra["core_mips"] for host in hosts]),
        capacity=_floats([host.inventories[MIPS].total for host in hosts]),
        power=np.array([host.extra["power_watts"] for host in hosts], np.float64),
    )
    return day, fleet, np.array([row[uuid] for uuid, _ in held], np.int64)


def _floats(values: Sequence[float]) -> F64:
    return np.array(values, np.float64)
