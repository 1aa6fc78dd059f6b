"""Bring single instances from one host to the best of others: what relieving strategies share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.strategies.hosts import held
from tachyon.optimize.strategies.packing import Packer


def ranked(packer: Packer, targets: Bool, preference: F64) -> F64:
    """Return for `Packer.place` the targets (P) in the order of a preference (P), least first."""
    rank: F64 = np.where(targets[packer.rows], preference[packer.rows], np.inf)
    return rank


def largest_first(session: Session, instances: list[int]) -> list[int]:
    """Return instances by their VCPUs, the most first; those with as many keep their order."""
    rows: I64 = np.array(instances, np.int64)
    vcpus = held(session.view, "VCPU")
    found: list[int] = rows[np.argsort(-vcpus[rows], kind="stable")].tolist()
    return found


def move_first(packer: Packer, instances: Iterable[int], rank: F64) -> int:
    """Move the first of some instances that finds a place; return its row, −1 for none."""
    for row in instances:
        if packer.place(row, rank) >= 0:
            return row
    return -1


def move_all(packer: Packer, instances: Iterable[int], rank: F64) -> list[int]:
    """Move all of some instances, or none of them; return those moved."""
    rows = list(instances)
    return rows if len(packer.place_all(rows, rank)) == len(rows) else []
