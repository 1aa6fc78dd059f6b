"""What strategies need to know of volumes and pools, read from the records of the graph."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from tachyon.graph.entities import Consumer, Flavor, ResourceProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import Bool
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import opted_out

#: Status of volumes that Cinder migrates or retypes.
MOVABLE = ("available", "in-use")
#: The type that Cinder gives volumes for which nobody chose one.
DEFAULT_TYPE = "__DEFAULT__"
_BACKEND = "volume_backend_name"


class Volume:
    """A volume as strategies see it. Its record is put together when it is looked at.

    Attributes:
        row, pool: its row, and that of its pool.
        size: in GB.
        in_use: whether it is attached.
        bootable: whether instances boot from it; False where Cinder does not say.
    """

    def __init__(self, view: View, row: int, pool: int, size: int, *, in_use: bool) -> None:
        self._view = view
        self.row = row
        self.pool = pool
        self.size = size
        self.in_use = in_use
        self.bootable = view.consumers.bootable.item(row) > 0

    @cached_property
    def record(self) -> Consumer:
        """The record."""
        return self._view.consumer_at(self.row)

    @cached_property
    def type_name(self) -> str | None:
        """The name of its type, None where it has none."""
        named = self.record.extra.get("volume_type")
        if isinstance(named, str) and named:
            return named
        flavor = self._view.flavor(self.record.flavor_id)
        return self.record.flavor_id if flavor is None else flavor.name or flavor.id


def volumes(
    session: Session,
    context: Context,
    pools: Iterable[int],
    *,
    check_optimize_metadata: bool = False,
) -> list[Volume]:
    """Return the volumes on some pools (rows) in scope that are not excluded, in row order.

    With `check_optimize_metadata`, those are left out that say so in their metadata.
    """
    view, homes = session.view, session.homes()
    c = view.consumers
    wanted = np.zeros(view.provider_rows, np.bool_)
    wanted[list(pools)] = True
    if context.scope is not None:
        wanted &= context.scope
    mask: Bool = c.alive & (c.type == view.codes.type.find("volume")) & (homes >= 0)
    mask &= wanted[homes] & ~c.locked & ~c.watcher_exclude
    if context.consumers is not None:
        mask &= context.consumers
    if context.excluded is not None:
        mask &= ~context.excluded
    if check_optimize_metadata:
        mask &= ~opted_out(view)
    rows = np.flatnonzero(mask)
    column = view.class_index.get("DISK_GB")
    sizes = np.zeros(rows.size, np.int64) if column is None else c.demand[rows, column]
    in_use = c.status[rows] == view.codes.status.find("in-use")
    found = zip(rows.tolist(), homes[rows].tolist(), sizes.tolist(), in_use.tolist(), strict=True)
    return [Volume(view, row, pool, size, in_use=used) for row, pool, size, used in found]


def why_fixed(session: Session, volume: Volume) -> str | None:
    """Return why Cinder would not migrate or retype a volume; None when it would."""
    if volume.record.status not in MOVABLE:
        return f"its status is {volume.record.status}"
    if volume.record.extra.get("migration_status") not in (None, "none", "success"):
        return f"its last migration: {volume.record.extra['migration_status']}"
    if volume.record.extra.get("snapshots"):
        return "it has snapshots"
    for attachment in volume.record.attachments:
        row = session.state.find_consumer(attachment.consumer_uuid)
        if row is None or session.state.is_new(row):
            continue
        state = session.view.codes.state.value(int(session.view.consumers.state[row]))
        if state not in ("active", "paused"):
            return f"its instance is {state}"
    return None


def volume_types(session: Session) -> dict[str, Flavor]:
    """Return the volume types by name: those that a storage host serves or that name a backend."""
    view = session.view
    served = {
        name
        for p in view.providers.record
        if p is not None and p.type == "storage"
        for name in p.extra.get("volume_types", ())
    }
    found = {}
    for key in view.records["flavor"]:
        flavor = view.flavor(key)
        if flavor is not None and (flavor.name in served or _BACKEND in flavor.extra_specs):
            found[flavor.name or flavor.id] = flavor
    return found


def backend_of(session: Session, pool: int) -> ResourceProvider | None:
    """Return the storage host of a pool."""
    parent = session.view.provider_at(pool).parent_uuid
    row = -1 if parent is None else session.view.providers.index.get(parent, -1)
    return session.view.providers.record[row] if row >= 0 else None


def backend_name(pool: ResourceProvider, backend: ResourceProvider | None) -> str:
    """Return the name by which types ask for a pool's backend (`host@backend#pool`)."""
    named = pool.extra.get(_BACKEND) or (backend.extra.get(_BACKEND) if backend else None)
    return str(named or pool.name.partition("@")[2].partition("#")[0])


class Retypes:
    """Where Cinder's scheduler can put volumes that get another type.

    It takes each to the pool with the most room of those that offer the type, in whatever order
    the plan is carried out. So there has to be room for each where all others came before.

    Args:
        session: whose base counts, for nobody knows what else is done before a retype.
        types: by name.
    """

    def __init__(self, session: Session, types: dict[str, Flavor]) -> None:
        view = session.view
        self._types = types
        self._pools: list[tuple[int, ResourceProvider, ResourceProvider | None]] = []
        #: By pool's row, the GB that can be provisioned yet.
        self._room: dict[int, float] = {}
        #: By the pools of a type, the GB that come to them in all, and the most at once.
        self._coming: dict[frozenset[int], tuple[int, int]] = {}
        column = view.class_index.get("DISK_GB")
        if column is None:
            return
        for row in np.flatnonzero(session.mask(types=["pool"], in_service=True)).tolist():
            record, backend = view.provider_at(row), backend_of(session, row)
            if backend is not None and (backend.state != "up" or backend.status != "enabled"):
                continue
            self._pools.append((row, record, backend))
            room = view.capacity.item(row, column) - view.used.item(row, column)
            free = gigabytes(record.extra.get("free_capacity_gb"))
            if free is not None:
                # Pools that provision thinly are promised more than they have.
                room = min(room, free * max(view.inventories.ratio.item(row, column), 1.0))
            self._room[row] = room

    def take(self, row: int, size: int) -> bool:
        """Take room on a pool for a volume that migrates there; False where it is promised."""
        if row not in self._room:
            return True
        self._room[row] -= size
        if self._enough():
            return True
        self.give(row, size)
        return False

    def give(self, row: int, size: int) -> None:
        """Take `take` back."""
        if row in self._room:
            self._room[row] += size

    def plan(self, volume: Volume, wanted: str) -> bool:
        """Take room for a volume that gets a type; False where there may be none.

        Where its pool offers the type, it stays there.
        """
        pools = frozenset(
            row
            for row, record, backend in self._pools
            if offers(wanted, record, backend, self._types)
        )
        if volume.pool in pools:
            return True
        before = self._coming.get(pools)
        total, most = before or (0, 0)
        self._coming[pools] = (total + volume.size, max(most, volume.size))
        if self._enough():
            return True
        if before is None:
            del self._coming[pools]
        else:
            self._coming[pools] = before
        return False

    def _enough(self) -> bool:
        """Tell whether the largest volume for each type finds room where all others came first.

        The pool with the most room has at least the mean of what is left on any of them.
        """
        for pools, (_, most) in self._coming.items():
            others = sum(t for p, (t, _) in self._coming.items() if p & pools) - most
            room = np.sort([self._room[row] for row in pools])[::-1]
            left = np.cumsum(room) - others
            if not (left >= most * np.arange(1, room.size + 1)).any():
                return False
        return True


def retype(context: Context, volume: Volume, wanted: str) -> None:
    """Propose that a volume gets another type."""
    context.propose(
        "volume_migrate",
        volume.record.uuid,
        {
            "migration_type": "retype",
            "destination_type": wanted,
            "resource_name": volume.record.name or volume.record.uuid,
        },
    )


def serves(
    volume: Volume,
    pool: ResourceProvider,
    backend: ResourceProvider | None,
    types: dict[str, Flavor],
) -> bool:
    """Tell whether a pool can hold a volume with the type that it has."""
    return offers(volume.type_name, pool, backend, types)


def offers(
    name: str | None,
    pool: ResourceProvider,
    backend: ResourceProvider | None,
    types: dict[str, Flavor],
) -> bool:
    """Tell whether a pool can hold volumes of a type (None: of none)."""
    if name in (None, DEFAULT_TYPE):
        return True
    if backend is not None and name in backend.extra.get("volume_types", ()):
        return True
    kind = types.get(name or "")
    asked = None if kind is None else kind.extra_specs.get(_BACKEND)
    return asked is None or asked == backend_name(pool, backend)


def twin_type(
    volume: Volume,
    pool: ResourceProvider,
    backend: ResourceProvider | None,
    types: dict[str, Flavor],
) -> str | None:
    """Return the type that asks for the pool's backend and is else like the volume's."""
    mine = types.get(volume.type_name or "")
    specs = _other_specs(mine)
    for name, flavor in sorted(types.items()):
        asked = flavor.extra_specs.get(_BACKEND)
        if (
            name != volume.type_name
            and asked == backend_name(pool, backend)
            and _other_specs(flavor) == specs
        ):
            return name
    return None


def _other_specs(flavor: Flavor | None) -> dict[str, str]:
    specs = flavor.extra_specs if flavor is not None else {}
    return {key: value for key, value in specs.items() if key != _BACKEND}


def gigabytes(value: Any) -> float | None:
    """Return a capacity that a pool reports; None for what is no number (`infinite`, `unknown`)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if np.isfinite(found) and found >= 0 else None
