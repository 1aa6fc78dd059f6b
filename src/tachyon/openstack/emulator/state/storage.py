"""Cinder's records: services, pools, volume types, volumes, attachments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class VolumeType:
    """A volume type; `volume_backend_name` in its extra specs names where it is kept."""

    id: str
    name: str
    extra_specs: dict[str, str] = field(default_factory=dict)
    description: str | None = None


@dataclass(slots=True)
class Backend:
    """A cinder-volume service, `host@backend`."""

    name: str
    uuid: str
    zone: str
    alive: bool = True
    disabled: bool = False
    disabled_reason: str | None = None


@dataclass(slots=True)
class Pool:
    """A pool, `host@backend#pool`. `total` may be a word: infinite, unknown."""

    name: str
    total: float | str
    reserved_percentage: int = 0
    ratio: float = 1.0
    #: GB that are provisioned but belong to no volume that we know.
    other: int = 0
    volumes: dict[str, Volume] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """The service that the pool belongs to."""
        return self.name.partition("#")[0]

    @property
    def allocated(self) -> int:
        """GB of all volumes."""
        return self.other + sum(volume.size for volume in self.volumes.values())

    @property
    def free(self) -> float | str:
        """GB that are left."""
        return self.total if isinstance(self.total, str) else self.total - self.allocated

    @property
    def virtual_free(self) -> float:
        """GB that can still be provisioned, as the scheduler reckons."""
        if isinstance(self.total, str):
            return float("inf")
        return (
            self.total * self.ratio - self.allocated - self.total * self.reserved_percentage / 100
        )


@dataclass(slots=True)
class Attachment:
    """A volume on a server, as Cinder knows it."""

    id: str
    server_id: str
    host: str | None
    device: str
    created: datetime


@dataclass(slots=True)
class Snapshot:
    """A snapshot of a volume; `size` in GB is that of the volume then."""

    id: str
    name: str
    size: int
    created: datetime


@dataclass(slots=True)
class Volume:
    """A volume."""

    id: str
    name: str
    size: int
    project_id: str
    user_id: str
    created: datetime
    updated: datetime
    pool: str | None
    type_id: str | None
    status: str = "available"
    migration_status: str | None = None
    zone: str = "nova"
    bootable: bool = False
    multiattach: bool = False
    snapshot_id: str | None = None
    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)


class Storage:
    """All that Cinder knows."""

    def __init__(self) -> None:
        self.backends: dict[str, Backend] = {}
        self.pools: dict[str, Pool] = {}
        self.types: dict[str, VolumeType] = {}
        self.volumes: dict[str, Volume] = {}
        self._order: tuple[list[Volume], dict[str, int]] | None = None

    def add(self, volume: Volume) -> None:
        """Add a volume, in its pool if it has one."""
        self.volumes[volume.id] = volume
        self._order = None
        if volume.pool in self.pools:
            self.pools[volume.pool].volumes[volume.id] = volume

    def remove(self, volume: Volume) -> None:
        """Forget a volume."""
        self.move(volume, None)
        self.volumes.pop(volume.id, None)
        self._order = None

    def move(self, volume: Volume, pool: str | None) -> None:
        """Put a volume in a pool."""
        if volume.pool in self.pools:
            self.pools[volume.pool].volumes.pop(volume.id, None)
        volume.pool = pool
        if pool is not None:
            self.pools[pool].volumes[volume.id] = volume

    def ordered(self) -> tuple[list[Volume], dict[str, int]]:
        """Return all volumes, the newest first, and the place of each by its id."""
        if self._order is None:
            volumes = sorted(self.volumes.values(), key=lambda v: (v.created, v.id), reverse=True)
            self._order = volumes, {volume.id: row for row, volume in enumerate(volumes)}
        return self._order

    def type_named(self, name: str | None) -> VolumeType | None:
        """Return the type of a name or id."""
        if name in self.types:
            return self.types[name]
        return next((kind for kind in self.types.values() if kind.name == name), None)
