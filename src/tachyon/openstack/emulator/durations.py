"""How long the emulated cloud takes for its work."""

from __future__ import annotations

from msgspec import Struct


class Durations(Struct, frozen=True, kw_only=True):
    """Emulated seconds of each kind of work.

    `live_migration` is the copy of the memory, `cold_migration` that of the disks, `volume` the
    copy of a volume, `power` what a machine takes to go on or off; `step` passes between any two
    steps of what a service does at once.
    """

    step: float = 0.02
    live_migration: float = 1.0
    cold_migration: float = 0.5
    boot: float = 0.2
    volume: float = 0.5
    power: float = 1.0


#: Everything happens in the request that asks for it.
AT_ONCE = Durations(
    step=0.0, live_migration=0.0, cold_migration=0.0, boot=0.0, volume=0.0, power=0.0
)
