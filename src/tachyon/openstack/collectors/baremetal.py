"""The baremetal model: Ironic's nodes."""

from __future__ import annotations

from tachyon.graph.mutations import Cluster
from tachyon.graph.view import View
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.contract import Collector, Reading
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import baremetal as mapping


class BaremetalCollector(Collector):
    """Reads Ironic's nodes."""

    name = "baremetal"
    provider_types = ("baremetal",)

    def applies(self, cloud: Connection) -> bool:
        """Tell whether the cloud has Ironic."""
        return cloud.has("ironic")

    def read(self, cloud: Connection, known: View) -> Reading:
        """Read the model; see `Collector.read`."""
        return Reading(cluster=Cluster(providers=[mapping.node(n) for n in queries.nodes(cloud)]))
