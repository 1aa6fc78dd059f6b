"""The power of hosts, whoever controls it: Ironic, or MAAS when `[maas_client] url` is set.

Called by actions that switch hosts and by strategies' inputs; both see `PowerNode`s only.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

from msgspec import Struct
from oslo_config import cfg

from tachyon.openstack.connection import Connection
from tachyon.openstack.maas import Maas, of_options

#: What a node's power can be; `unknown` when its controller does not say.
Power = Literal["on", "off", "unknown"]


class PowerNode(Struct, frozen=True):
    """A machine whose power can be switched.

    `compute_uuid` is the compute host on it (Ironic: `extra.compute_node_id`), `hostname` what
    that host's hypervisor calls itself (MAAS knows no more); each is None where it is not known.
    """

    id: str
    name: str
    power: Power
    compute_uuid: str | None = None
    hostname: str | None = None
    maintenance: bool = False


class PowerControl(Protocol):
    """Switches machines; raises `CloudError`."""

    name: str

    def nodes(self) -> list[PowerNode]:
        """Return all machines."""

    def power(self, node_id: str) -> Power:
        """Return the power of a machine as it is now."""

    def switch(self, node_id: str, *, on: bool) -> None:
        """Begin to switch a machine; it takes a while after this returns."""


class IronicPower:
    """Power by Ironic."""

    name = "ironic"

    def __init__(self, cloud: Connection) -> None:
        self._ironic = cloud.ironic

    def nodes(self) -> list[PowerNode]:  # noqa: D102
        return [self._node(node) for node in self._ironic.entries("/nodes/detail", "nodes")]

    def power(self, node_id: str) -> Power:  # noqa: D102
        return _ironic_power(self._ironic.get(f"/nodes/{node_id}/states").get("power_state"))

    def switch(self, node_id: str, *, on: bool) -> None:  # noqa: D102
        target = "power on" if on else "power off"
        self._ironic.put(f"/nodes/{node_id}/states/power", {"target": target})

    def _node(self, node: dict[str, Any]) -> PowerNode:
        host = (node.get("extra") or {}).get("compute_node_id")
        return PowerNode(
            id=node["uuid"],
            name=node.get("name") or node["uuid"],
            power=_ironic_power(node.get("power_state")),
            compute_uuid=str(host) if host is not None else None,
            maintenance=bool(node.get("maintenance")),
        )


def _ironic_power(state: str | None) -> Power:
    return {"power on": "on", "power off": "off"}.get(state or "", "unknown")  # type: ignore[return-value]


class MaasPower:
    """Power by MAAS."""

    name = "maas"

    def __init__(self, maas: Maas) -> None:
        self._maas = maas

    def nodes(self) -> list[PowerNode]:  # noqa: D102
        return [
            PowerNode(
                id=machine["system_id"],
                name=machine["hostname"],
                power=_maas_power(machine.get("power_state")),
                hostname=machine["hostname"],
            )
            for machine in self._maas.machines()
        ]

    def power(self, node_id: str) -> Power:  # noqa: D102
        return _maas_power(self._maas.power_state(node_id))

    def switch(self, node_id: str, *, on: bool) -> None:  # noqa: D102
        self._maas.power(node_id, on=on)


def _maas_power(state: str | None) -> Power:
    # "error" says no more about the power than "unknown".
    return state if state in get_args(Power) else "unknown"  # type: ignore[return-value]


def power_control(cloud: Connection, conf: cfg.ConfigOpts) -> PowerControl:
    """Return what controls power in a cloud.

    Raises:
        ConfigurationError: `[maas_client]` has a url, but no key that can be used.
    """
    maas = of_options(conf)
    return IronicPower(cloud) if maas is None else MaasPower(maas)
