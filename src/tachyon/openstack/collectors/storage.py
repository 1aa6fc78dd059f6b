"""The storage model: Cinder's services, pools, volumes and volume types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from tachyon.graph.entities import AvailabilityZone, Entity, Flavor
from tachyon.graph.mutations import Cluster, RecordKind
from tachyon.graph.view import View
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.contract import Collector, Reading
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import storage as mapping


class StorageCollector(Collector):
    """Reads storage hosts, pools and volumes."""

    name = "storage"
    provider_types = ("storage", "pool")
    consumer_types = ("volume",)
    records: ClassVar[tuple[RecordKind, ...]] = ("flavor", "availability_zone")

    def applies(self, cloud: Connection) -> bool:
        """Tell whether the cloud has Cinder."""
        return cloud.has("cinder")

    def owns(self, record: Entity) -> bool:
        """Tell volume types, which have no CPUs, from flavors."""
        return isinstance(record, Flavor) and record.vcpus == 0

    def read(self, cloud: Connection, known: View) -> Reading:
        """Read the model; see `Collector.read`."""
        questions: list[Callable[[Connection], Any]] = [
            queries.volume_services,
            queries.pools,
            queries.volumes,
            queries.volume_types,
            queries.snapshots,
        ]
        asked = cloud.gather_all(lambda question: question(cloud), questions)
        services, pools, volumes, types, snapshots = asked
        backends = mapping.types_of_backends(types)
        hosts = [mapping.storage_host(s, backends) for s in services]
        zones = {host.name: host.availability_zone for host in hosts}
        count = Counter(v.get("os-vol-host-attr:host") for v in volumes)
        read = [mapping.pool(p, zones, count[p["name"]]) for p in pools]
        names = {pool.name for pool in read}
        held = Counter(s["volume_id"] for s in snapshots)
        kinds = [mapping.volume_type(t) for t in types]
        ids = {kind.name: kind.id for kind in kinds}
        counted: Counter[str] = Counter()
        counted["pool_without_service"] = sum(pool.parent_uuid is None for pool in read)
        counted["volume_without_pool"] = sum(
            n for at, n in count.items() if at is not None and at not in names
        )
        cluster = Cluster(
            providers=[*hosts, *read],
            consumers=[
                mapping.volume(v, names, ids, mapping.snapshots(held[v["id"]])) for v in volumes
            ],
            flavors=kinds,
            availability_zones=[
                AvailabilityZone(name=zone)
                for zone in sorted({z for z in zones.values() if z is not None})
            ],
        )
        return Reading(cluster=cluster, disagreements=+counted)
