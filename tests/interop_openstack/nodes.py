"""What operators do to nodes of Ironic, each until Ironic is done with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from tachyon.openstack.connection import Connection

#: What Ironic's states are while nothing is being done to a node.
_SETTLED = ("target_power_state", "target_provision_state", "reservation")


def _settled(cloud: Connection, node: str, seconds: float = 60.0) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while True:
        found = cloud.ironic.get(f"/nodes/{node}")
        if not any(found[name] for name in _SETTLED):
            return found
        assert time.monotonic() < end, f"node {node} does not come to rest: {found}"
        time.sleep(0.1)


def operations(cloud: Connection) -> Iterator[str]:
    """Do something, give its name, and go on when the next one is asked for."""
    ironic = cloud.ironic
    node = ironic.get("/nodes")["nodes"][0]["uuid"]
    path = f"/nodes/{node}"

    def power(target: str) -> None:
        ironic.put(f"{path}/states/power", {"target": target})
        wanted = "power off" if target == "power off" else "power on"
        assert _settled(cloud, node)["power_state"] == wanted

    def change(name: str, value: Any) -> None:
        ironic.patch(path, [{"op": "add", "path": name, "value": value}])

    def provision(target: str, state: str) -> None:
        ironic.put(f"{path}/states/provision", {"target": target})
        assert _settled(cloud, node)["provision_state"] == state

    steps: dict[str, Callable[[], object]] = {
        "node powered off": lambda: power("power off"),
        "node powered on": lambda: power("power on"),
        "node rebooted": lambda: power("rebooting"),
        "node into maintenance": lambda: ironic.put(f"{path}/maintenance", {"reason": "fan"}),
        "node out of maintenance": lambda: ironic.delete(f"{path}/maintenance"),
        "node's extra changed": lambda: change("/extra/rack", {"row": 7}),
        "node renamed": lambda: change("/name", "node-renamed"),
        "node undeployed": lambda: provision("deleted", "available"),
        "node deployed": lambda: provision("active", "active"),
    }
    for name, step in steps.items():
        step()
        yield name
    made = ironic.post("/nodes", {"name": "node-new", "driver": "fake-hardware"})["uuid"]
    yield "node enrolled"
    ironic.delete(f"/nodes/{made}")
    yield "node deleted"
