"""`storage_capacity_balance`: take volumes from pools that are too full to others.

Spec storage-capacity-balance. A pool is too full when the used share of its capacity is at the
threshold. It gives volumes without snapshots, detached ones first, then attached ones that are not
bootable, then the rest, small ones first, until it is below the threshold. Each goes to the pool
with the largest free share that stays below the threshold and serves the volume's type; where none
serves it, to one for whose backend there is a type that is else alike (a retype).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from msgspec import Struct

from tachyon.errors import Conflict
from tachyon.graph.deltas import Move
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.simulation import Session
from tachyon.optimize.folding import fold
from tachyon.optimize.scored import Scored
from tachyon.optimize.strategies import options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.volumes import (
    Retypes,
    Volume,
    backend_of,
    gigabytes,
    retype,
    serves,
    twin_type,
    volume_types,
    volumes,
    why_fixed,
)


class _Pool(Struct, kw_only=True):
    """A pool and what is used of it while volumes move; capacities in GB."""

    row: int
    record: ResourceProvider
    backend: ResourceProvider | None
    total: float
    free: float

    @property
    def used(self) -> float:
        """The used share."""
        return (self.total - self.free) / self.total


class StorageCapacityBalance(Strategy):
    """Take volumes from full pools to others."""

    name = "storage_capacity_balance"
    display_name = "Storage Capacity Balance Strategy"
    goal = "workload_balancing"
    models = ("storage",)
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "volume_threshold": options.threshold(
                "Used share of a pool's capacity, in per cent, from which on it is too full.",
                80.0,
                most=100.0,
            ),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: the size of the volume, in GB."
            ),
        }
    )

    def execute(self, session: Session, context: Context) -> None:
        """Record moves of volumes between pools, and propose retypes."""
        threshold = self.parameters["volume_threshold"] / 100.0
        pools = self._pools(session, context)
        full = [pool for pool in pools.values() if pool.used >= threshold]
        mask = np.zeros(session.view.provider_rows, np.bool_)
        mask[[pool.row for pool in full]] = True
        context.focus = mask
        if "DISK_GB" in session.view.class_index:
            judged = np.zeros(session.view.provider_rows, np.bool_)
            judged[list(pools)] = True
            context.scored = Scored(view=fold(session).view, hosts=judged, weights={"DISK_GB": 1.0})
        others = [pool for pool in pools.values() if pool.used < threshold]
        if not full or not others:
            return
        self._relieve(context, full, _Moves(session, context, others, threshold))

    def _pools(self, session: Session, context: Context) -> dict[int, _Pool]:
        """Return the pools that count by row: in scope, in service, with known capacity."""
        mask = session.mask(types=["pool"])
        if context.scope is not None:
            mask &= context.scope
        found: dict[int, _Pool] = {}
        unknown = []
        for row in np.flatnonzero(mask).tolist():
            record, backend = session.view.provider_at(row), backend_of(session, row)
            capability = record.extra.get("pool_name", record.name.partition("#")[2])
            if {record.name, capability} & set(self.options.ex_pools):
                continue
            if backend is not None and (backend.state != "up" or backend.status != "enabled"):
                continue
            total = gigabytes(record.extra.get("total_capacity_gb"))
            free = gigabytes(record.extra.get("free_capacity_gb"))
            if not total or free is None:
                unknown.append(record.name)
                continue
            found[row] = _Pool(row=row, record=record, backend=backend, total=total, free=free)
        if unknown:
            context.warnings.append(f"pools of unknown capacity are left out: {', '.join(unknown)}")
        return found

    def _relieve(self, context: Context, full: list[_Pool], moves: _Moves) -> None:
        by_pool: dict[int, list[Volume]] = {}
        found = volumes(
            moves.session,
            context,
            [pool.row for pool in full],
            check_optimize_metadata=self.options.check_optimize_metadata,
        )
        for volume in found:
            by_pool.setdefault(volume.pool, []).append(volume)
        limit, made = self.parameters["migration_limit"], 0
        for pool in full:
            for volume in sorted(by_pool.get(pool.row, ()), key=_turn):
                if pool.used < moves.threshold or (limit and made >= limit):
                    break
                if not self._goes(moves.session, volume):
                    continue
                context.step(made, limit, f"{made} volumes")
                if moves.migrate(volume) or moves.retype(volume):
                    pool.free += volume.size
                    made += 1

    def _goes(self, session: Session, volume: Volume) -> bool:
        return (
            volume.size > 0
            and volume.size >= self.parameters["minimum_gain"]
            and why_fixed(session, volume) is None
        )


class _Moves:
    """Brings volumes to pools that stay below the threshold, the freest first.

    Args:
        session: where moves are recorded.
        context: where retypes are proposed.
        others: the pools that may take volumes.
        threshold: the used share of a pool from which on it is too full.
    """

    def __init__(
        self, session: Session, context: Context, others: list[_Pool], threshold: float
    ) -> None:
        self.session = session
        self.context = context
        self.others = others
        self.threshold = threshold
        self.types = volume_types(session)
        self.retypes = Retypes(session, self.types)

    def _fitting(self, volume: Volume) -> list[_Pool]:
        least = 1.0 - self.threshold
        found = [p for p in self.others if p.free - volume.size > least * p.total]
        return sorted(found, key=lambda p: (-p.free / p.total, p.row))

    def migrate(self, volume: Volume) -> bool:
        """Move a volume to a pool that serves its type; False where there is none."""
        for pool in self._fitting(volume):
            if not serves(volume, pool.record, pool.backend, self.types):
                continue
            if not self.retypes.take(pool.row, volume.size):
                continue
            move = Move(consumer_uuid=volume.record.uuid, to_provider=pool.record.uuid)
            try:
                self.session.record(move)
            except Conflict:
                # Provisioned to the brim, whatever is free.
                self.retypes.give(pool.row, volume.size)
                continue
            pool.free -= volume.size
            return True
        return False

    def retype(self, volume: Volume) -> bool:
        """Give a volume a like type of another pool's backend; False where there is none."""
        for pool in self._fitting(volume):
            wanted = twin_type(volume, pool.record, pool.backend, self.types)
            if wanted is None or not self.retypes.plan(volume, wanted):
                continue
            retype(self.context, volume, wanted)
            pool.free -= volume.size
            return True
        return False


def _turn(volume: Volume) -> tuple[int, int, int]:
    """Return when it is a volume's turn: detached, attached, attached and bootable; small first."""
    return (volume.in_use + (volume.in_use and volume.bootable), volume.size, volume.row)
