"""Take single instances from overloaded hosts until they are so no more, for as little as can be.

Where no host in use has room, one that Tachyon disabled is enabled again.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.release import Release
from tachyon.optimize.strategies.services import enable


def cheapest(excess: float, load: F64, cost: F64) -> I64:
    """Return instances in the order in which they should leave a host that has too much load.

    Of those that alone are enough, the cheapest is first; where none is, the one that takes away
    the most load for its cost.

    Args:
        excess: load that has to go.
        load: of each instance.
        cost: of moving each.
    """
    enough = load >= excess
    if enough.any():
        order: I64 = np.lexsort((load, np.where(enough, cost, np.inf)))
        return order
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.argsort(-load / np.maximum(cost, 1.0), kind="stable")


def reopen(packer: Packer, member: int, standbys: Iterable[int]) -> int:
    """Enable the first of some disabled hosts that has room for an instance, and move it there.

    Returns:
        The host's row; −1: none has room, and everything is as it was.
    """
    for row in standbys:
        at = packer.position[row]
        packer.admit(row)
        if packer.fits(member)[at]:
            enable(packer.session, row)
            if packer.move(member, row):
                return row
            packer.session.undo()
        packer.shut(row)
    return -1


class Relief:
    """Relieves hosts.

    Args:
        packer: with room given back where instances leave, and a row for the load in question.
        release: who stands where.
        row: of the load in the packer's table.
        movable: N; the instances that may be moved.
        cost: N; of moving each.
        standbys: hosts that may be enabled, the best first.
    """

    def __init__(
        self,
        packer: Packer,
        release: Release,
        row: int,
        movable: Bool,
        cost: F64,
        standbys: I64,
    ) -> None:
        self._packer, self._release, self._row = packer, release, row
        self._movable, self._cost = movable, cost
        self._standbys: list[int] = standbys.tolist()

    def relieve(self, host: int, excess: float) -> None:
        """Move instances off a host.

        Args:
            host: by its row, one of the packer's.
            excess: how much of the load has to go.
        """
        release = self._release
        waiting = [member for member in release.members[host] if self._movable[member]]
        while waiting and excess > 0 and release.room_for():
            rows = np.array(waiting)
            load = self._packer.demand[rows, self._row]
            for member in rows[cheapest(excess, load, self._cost[rows])].tolist():
                waiting.remove(member)
                target = self._packer.place(member)
                if target < 0:
                    target = self._opened(member)
                if target >= 0:
                    release.moves(host, target, member)
                    excess -= float(self._packer.demand[member, self._row])
                    break

    def _opened(self, member: int) -> int:
        row = reopen(self._packer, member, self._standbys)
        if row >= 0:
            self._standbys.remove(row)
        return row
