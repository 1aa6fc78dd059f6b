"""The baremetal model: Ironic's nodes, or MAAS's machines where `[maas_client]` is set."""

from __future__ import annotations

from tachyon.graph.mutations import Cluster
from tachyon.graph.view import View
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.contract import Collector, Reading
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import baremetal as mapping


class BaremetalCollector(Collector):
    """Reads the nodes of whichever controls the power of hosts."""

    name = "baremetal"
    provider_types = ("baremetal",)

    def applies(self, cloud: Connection) -> bool:
        """Tell whether there is MAAS, or the cloud has Ironic."""
        return cloud.maas is not None or cloud.has("ironic")

    def read(self, cloud: Connection, known: View) -> Reading:
        """Read the model; see `Collector.read`."""
        if cloud.maas is not None:
            nodes = [mapping.machine(one) for one in cloud.maas.machines()]
        else:
            nodes = [mapping.node(one) for one in queries.nodes(cloud)]
        return Reading(cluster=Cluster(providers=nodes))
