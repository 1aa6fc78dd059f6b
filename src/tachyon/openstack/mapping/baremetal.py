"""Answers of Ironic and MAAS as baremetal nodes."""

from __future__ import annotations

from tachyon.graph.entities import ResourceProvider
from tachyon.openstack.mapping.answers import Answer


def node(node: Answer) -> ResourceProvider:
    """Return a node of `GET /v1/nodes/detail`.

    Its `extra` is Ironic's as it is; `compute_node_id` in it names the hypervisor that runs on
    the node (spec "build-baremetal-data-model").
    """
    return ResourceProvider(
        uuid=node["uuid"],
        name=node["name"] or node["uuid"],
        type="baremetal",
        power_state=node["power_state"],
        maintenance=node["maintenance"],
        maintenance_reason=node["maintenance_reason"],
        traits=("COMPUTE_BAREMETAL",),
        extra=node["extra"],
    )


def machine(machine: Answer) -> ResourceProvider:
    """Return a machine of MAAS's `GET /machines/`.

    Its name is its host name, by which the hypervisor on it is found: MAAS knows no more of it.
    Power states are Ironic's words; None stands for one that is not known.
    """
    powers = {"on": "power on", "off": "power off"}
    return ResourceProvider(
        uuid=machine["system_id"],
        name=machine["hostname"],
        type="baremetal",
        power_state=powers.get(machine["power_state"]),
        traits=("COMPUTE_BAREMETAL",),
    )
