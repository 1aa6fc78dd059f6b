"""What single strategies need to have work to do, beside the cluster that all others share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from benchmarks.stock_metrics import Datasource
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Consumer, ResourceProvider

#: Of so many hosts one stands empty where energy can be saved.
_IDLE = 4


def with_priorities(content: ClusterFile) -> ClusterFile:
    """Return the cluster with priorities: the victim's is high, that of the noisy one low.

    Every instance has one, for upstream cannot compare one that has with one that has not.
    """
    noise = Datasource(msgspec.to_builtins(content.cluster))._noise
    important = {uuid: now < before for uuid, (now, before) in noise.items()}

    def prioritised(consumer: Consumer) -> Consumer:
        priority = {True: "1", False: "9", None: "5"}[important.get(consumer.uuid)]
        return replace(consumer, metadata={**consumer.metadata, "watcher-priority": priority})

    cluster = content.cluster
    consumers = [prioritised(c) if c.type == "instance" else c for c in cluster.consumers]
    return replace(content, cluster=replace(cluster, consumers=consumers))


def with_idle_hosts(content: ClusterFile) -> ClusterFile:
    """Return the cluster with some hosts empty, every other of which is powered off in Ironic.

    As `benchmarks.stock_worker` tells the peer.
    """
    cluster = content.cluster
    hosts = [p for p in cluster.providers if p.type == "compute"]
    empty = [p.uuid for p in hosts[-(len(hosts) // _IDLE) :]]
    idle, off = set(empty), set(empty[1::2])
    nodes = [
        ResourceProvider(
            uuid=f"node-{p.uuid}",
            name=f"node-{p.name}",
            type="baremetal",
            power_state="power off" if p.uuid in off else "power on",
            extra={"compute_node_id": p.uuid},
        )
        for p in hosts
    ]
    staying = [c for c in cluster.consumers if not idle.intersection(c.allocations)]
    gone = {c.uuid for c in cluster.consumers} - {c.uuid for c in staying}
    consumers = [
        replace(c, attachments=tuple(a for a in c.attachments if a.consumer_uuid not in gone))
        for c in staying
    ]
    cluster = replace(cluster, providers=[*cluster.providers, *nodes], consumers=consumers)
    return replace(content, cluster=cluster)


#: By strategy what is made of the cluster.
SCENES: Mapping[str, Callable[[ClusterFile], ClusterFile]] = {
    "noisy_neighbor": with_priorities,
    "saving_energy": with_idle_hosts,
}
