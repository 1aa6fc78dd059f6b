"""A live cloud as a cluster file: what the collectors read, without a graph."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import AvailabilityZone
from tachyon.graph.mutations import Cluster
from tachyon.graph.store.contract import Snapshot
from tachyon.graph.view import build
from tachyon.openstack.collectors.contract import Collector
from tachyon.openstack.collectors.placement import GENERATION
from tachyon.openstack.connection import Connection


def read_live(cloud: Connection, collectors: Sequence[Collector]) -> ClusterFile:
    """Read a cloud by some collectors.

    Raises:
        CloudError: it could not be read.
    """
    nothing = build(Snapshot(generation=0))
    whole = Cluster()
    zones: set[str] = set()
    for collector in collectors:
        read = collector.read(cloud, nothing).cluster
        zones |= {zone.name for zone in read.availability_zones}
        whole.providers += read.providers
        whole.consumers += read.consumers
        whole.flavors += read.flavors
        whole.projects += read.projects
        whole.server_groups += read.server_groups
        whole.host_aggregates += read.host_aggregates
    whole.availability_zones = [AvailabilityZone(name=zone) for zone in sorted(zones)]
    whole.providers = [
        replace(p, extra={name: value for name, value in p.extra.items() if name != GENERATION})
        for p in whole.providers
    ]
    return ClusterFile(cluster=whole, generated_by="tachyon capture")
