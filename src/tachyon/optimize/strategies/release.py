"""Empty hosts wholly or leave them alone: what all strategies of consolidation have in common.

A host that keeps one instance stays switched on, so a host is either emptied entirely or every
move off it is taken back. Which host comes next, and where instances go, is the strategy's choice.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.folding import hosts_in_use, hosts_of_new
from tachyon.optimize.strategies.packing import Packer


class Release:
    """Who stands where, and which hosts can be emptied at all.

    Args:
        packer: places what has to go; only hosts that it has open take anything.
        movable: N; the consumers that may be moved (None: as the packer's rules say).
        migration_limit: most consumers that are moved in all; 0: any number.
        minimum_gain: least number of hosts released per migration.

    Attributes:
        in_use: P; hosts in scope that held consumers at the start.
        donors: P; those of them from which every consumer may be moved.
        members: by host row, who stands there.
    """

    def __init__(
        self,
        packer: Packer,
        *,
        movable: Bool | None = None,
        migration_limit: int = 0,
        minimum_gain: float = 0.0,
    ) -> None:
        self.packer = packer
        self.migration_limit = migration_limit
        self.minimum_gain = minimum_gain
        session, eligibility = packer.session, packer.eligibility
        view = session.view
        movable = eligibility.movable if movable is None else movable
        homes = session.homes().astype(np.int64)
        placed = np.flatnonzero(view.consumers.alive & (homes >= 0))
        self.in_use: Bool = hosts_in_use(session) & eligibility.hosts
        stuck = np.zeros(view.provider_rows, np.bool_)
        stuck[homes[placed[~movable[placed]]]] = True
        stuck[hosts_of_new(session)] = True
        self.donors: Bool = self.in_use & eligibility.sources & ~stuck
        self.members = members(homes, placed, np.flatnonzero(self.in_use))
        self.released: list[int] = []
        before = view.consumers.home
        self.moved: set[int] = set(np.flatnonzero(before != homes).tolist())

    def empty(self, row: int, size: F64, rank: F64 | None = None) -> bool:
        """Place all that stands on a host elsewhere, or leave everything as it is.

        Args:
            row: of the host; it is closed when it has been emptied.
            size: N; the largest consumer goes first.
            rank: H; which hosts are tried first, see `Packer.place`.
        """
        members = self.members[row]
        new = sum(member not in self.moved for member in members)
        if self.migration_limit and len(self.moved) + new > self.migration_limit:
            return False
        if members and 1 / len(members) < self.minimum_gain:
            return False
        packer = self.packer
        was_open = packer.set_open(row, wanted=False)
        order = [members[k] for k in np.argsort(-size[members], kind="stable").tolist()]
        targets = packer.place_all(order, rank)
        if len(targets) < len(order):
            packer.set_open(row, wanted=was_open)
            return False
        for member, target in zip(order, targets, strict=True):
            self.members.setdefault(target, []).append(member)
            self.moved.add(member)
        self.members[row] = []
        self.released.append(row)
        return True

    def moves(self, row: int, target: int, member: int) -> None:
        """Note a move that the caller made."""
        self.members[row].remove(member)
        self.members.setdefault(target, []).append(member)
        self.moved.add(member)

    def room_for(self, more: int = 1) -> bool:
        """Tell whether the limit leaves room for so many more migrations."""
        return not self.migration_limit or len(self.moved) + more <= self.migration_limit


def members(homes: I64, placed: I64, hosts: Iterable[int] | I64) -> dict[int, list[int]]:
    """Return by host row the consumers that stand there, in row order.

    Args:
        homes: N; the host of each consumer.
        placed: rows of the consumers that count.
        hosts: rows of the hosts that are wanted.
    """
    order = placed[np.argsort(homes[placed], kind="stable")]
    sorted_homes = homes[order]
    rows = np.asarray(list(hosts), np.int64)
    starts = np.searchsorted(sorted_homes, rows, "left").tolist()
    ends = np.searchsorted(sorted_homes, rows, "right").tolist()
    return {
        row: order[start:end].tolist()
        for row, start, end in zip(rows.tolist(), starts, ends, strict=True)
    }
