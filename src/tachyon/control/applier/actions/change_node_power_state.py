"""Switch a bare metal node on or off through Ironic."""

from __future__ import annotations

from typing import Any

from tachyon.control.applier.actions.base import TEXT, Action, parameters_schema
from tachyon.errors import ActionFailed, ActionSkipped
from tachyon.openstack.collectors import queries

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

    def _node(self) -> dict[str, Any] | None:
        return queries.node(self.cloud, self.resource)

    def pre_condition(self) -> None:
        """Skip when there is no such node or it is so already; refuse off while servers run."""
        node = self._node()
        if node is None:
            raise ActionSkipped(f"node {self.resource} does not exist")
        if node["power_state"] == f"power {self.state}" and not self.outputs:
            raise ActionSkipped(f"node {self.resource} is {self.state} already")
        if self.state == "off":
            self._refuse_in_use(node)

    def _refuse_in_use(self, node: dict[str, Any]) -> None:
        compute = (node.get("extra") or {}).get("compute_node_id")
        found = [
            h
            for h in queries.hypervisors(self.cloud)
            if str(h["id"]) in (str(compute), node["uuid"])
        ]
        for hypervisor in found:
            params = {"all_tenants": True, "host": hypervisor["service"]["host"], "limit": 1}
            if self.cloud.nova.get("/servers", params)["servers"]:
                raise ActionFailed(f"instances run on node {self.resource}", node=self.resource)

    def execute(self) -> None:
        """Ask for the power state, and wait for it."""
        if not self.outputs:
            self.keep(begun=True)
        self._switch(self.state)

    def _switch(self, state: str) -> None:
        target = f"power {state}"

        def look() -> bool | None:
            node = self._node()
            if node is None:
                raise ActionFailed(f"node {self.resource} is gone")
            return True if node["power_state"] == target else None

        if look():
            return
        self.cloud.ironic.put(f"/nodes/{self.resource}/states/power", {"target": target})
        self.poll(self.surroundings.patience.power, look, f"{target} of node {self.resource}")

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
