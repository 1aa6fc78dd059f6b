"""Ironic's answers as baremetal nodes."""

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
