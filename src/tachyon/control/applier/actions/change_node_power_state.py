"""Switch a bare metal node on or off, through Ironic or MAAS."""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import TEXT, Action, parameters_schema
from tachyon.errors import ActionFailed, ActionSkipped
from tachyon.openstack.collectors import queries
from tachyon.openstack.power import PowerControl, PowerNode

_OPPOSITE = {"on": "off", "off": "on"}


class ChangeNodePowerState(Action):
    """Switches a node on, or off when nothing runs on it."""

    name = "change_node_power_state"
    description = "Compute node power on/off through Ironic or MaaS."
    schema = parameters_schema(
        ["resource_id", "state"],
        resource_id=TEXT,
        resource_name=TEXT,
        state={"type": "string", "enum": ["on", "off"]},
    )

    @property
    def state(self) -> str:
        """The power state that the node is to have: on or off."""
        return str(self.parameters["state"])

    @property
    def power(self) -> PowerControl:
        """What switches machines; raises `ActionFailed` where there is none."""
        if self.surroundings.power is None:
            raise ActionFailed("no cloud is configured")
        return self.surroundings.power

    def _node(self) -> PowerNode | None:
        """Return the machine, named by its own id, its host's uuid, or its name."""
        names = {self.resource, str(self.parameters.get("resource_name") or self.resource)}
        found = [
            node
            for node in self.power.nodes()
            if names & {node.id, node.compute_uuid, node.hostname, node.name}
        ]
        return found[0] if found else None

    def _must(self) -> PowerNode:
        node = self._node()
        if node is None:
            raise ActionFailed(f"node {self.resource} is gone")
        return node

    def pre_condition(self) -> None:
        """Skip when there is no such node or it is so already; refuse off while servers run."""
        node = self._node()
        if node is None:
            raise ActionSkipped(f"node {self.resource} does not exist")
        if node.power == self.state and not self.outputs:
            raise ActionSkipped(f"node {self.resource} is {self.state} already")
        if self.state == "off":
            self._refuse_in_use(node)

    def _refuse_in_use(self, node: PowerNode) -> None:
        for hypervisor in queries.hypervisors(self.cloud):
            known = {str(hypervisor["id"]), hypervisor["hypervisor_hostname"]}
            if not known & {node.id, node.compute_uuid, node.hostname}:
                continue
            params = {"all_tenants": True, "host": hypervisor["service"]["host"], "limit": 1}
            if self.cloud.nova.get("/servers", params)["servers"]:
                raise ActionFailed(f"instances run on node {self.resource}", node=self.resource)

    def execute(self) -> None:
        """Ask for the power state, and wait for it."""
        if not self.outputs:
            self.keep(begun=True)
        self._switch(self.state)

    def _switch(self, state: str) -> None:
        node = self._must()
        if self.power.power(node.id) == state:
            return
        self.power.switch(node.id, on=state == "on")
        self.poll(
            self.surroundings.patience.power,
            lambda: True if self.power.power(node.id) == state else None,
            f"power {state} of node {self.resource}",
        )

    def revert(self) -> None:
        """Switch back."""
        self._switch(_OPPOSITE[self.state])

    def abort(self) -> bool:
        """Switch back: half way is no state to leave a node in."""
        self._switch(_OPPOSITE[self.state])
        return True

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the switch back."""
        return self.name, {**self.parameters, "state": _OPPOSITE[self.state]}
