"""What happens to baremetal nodes: switched on and off, into maintenance and out of it."""

from __future__ import annotations

from tachyon.openstack.emulator.clock import Work
from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.notifications.ironic import Teller
from tachyon.openstack.emulator.operations.evacuation import host_returns
from tachyon.openstack.emulator.state.baremetal import OFF, ON, Node


def switch(cloud: Cloud, requester: Requester, node: Node, wanted: str) -> Work:
    """Bring a node into a power state; the compute host on it goes down and comes up with it."""
    tell = Teller(cloud, requester)
    node.target_power_state = wanted
    node.last_error = None
    tell.power("start", node, wanted)
    yield cloud.durations.power
    node.target_power_state = None
    node.updated = cloud.now()
    if cloud.faults.of_work("power", (node.uuid, node.name or node.uuid)):
        node.last_error = f"Failed to change power state to '{wanted}': a fault was asked for."
        tell.power("error", node, wanted)
        return
    node.power_state = OFF if wanted == OFF else ON
    host = cloud.compute.hosts_by_node.get(node.hostname or "")
    if host is not None:
        if node.power_state == ON:
            host_returns(cloud, host)
        else:
            host.alive = False
            host.last_seen = cloud.now()
    tell.power("end", node, wanted)


def maintain(
    cloud: Cloud, requester: Requester, node: Node, reason: str | None, *, on: bool
) -> None:
    """Put a node into maintenance, or take it out."""
    tell = Teller(cloud, requester)
    tell.maintenance("start", node)
    node.maintenance = on
    node.maintenance_reason = reason if on else None
    node.updated = cloud.now()
    tell.maintenance("end", node)


def provision(cloud: Cloud, requester: Requester, node: Node, steps: list[Step]) -> Work:
    """Bring a node through states of provision, telling of each."""
    tell = Teller(cloud, requester)
    for phase, verb, state, target in steps:
        before = node.provision_state, node.target_provision_state
        node.provision_state, node.target_provision_state = state, target
        node.updated = cloud.now()
        tell.provision(phase, node, verb, before)
        if phase != "end":
            yield cloud.durations.power


#: What is told of a step (start, success, end), Ironic's verb, the new state, that to come.
Step = tuple[str, str, str, str | None]
#: What a node goes through, by the target that is asked for, and the states it may begin in.
PROVISIONS: dict[str, tuple[tuple[str, ...], list[Step]]] = {
    "deleted": (
        ("active",),
        [
            ("start", "delete", "deleting", "available"),
            ("success", "clean", "cleaning", "available"),
            ("end", "done", "available", None),
        ],
    ),
    "active": (
        ("available",),
        [("start", "deploy", "deploying", "active"), ("end", "done", "active", None)],
    ),
}
