"""A cluster file's content as the records of an emulated cloud.

What the graph does not know (user ids, time stamps of services, ids of attachments …) is made up,
the same for the same cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from tachyon.graph.entities import Consumer, ResourceProvider
from tachyon.graph.entities import Flavor as FlavorEntity
from tachyon.graph.mutations import Cluster
from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.state.baremetal import ON, Node
from tachyon.openstack.emulator.state.compute import (
    Aggregate,
    Flavor,
    Group,
    Host,
    Server,
    VolumeAttachment,
    power_of,
)
from tachyon.openstack.emulator.state.identity import Project, User
from tachyon.openstack.emulator.state.image import Image
from tachyon.openstack.emulator.state.placement import Holder, Provider
from tachyon.openstack.emulator.state.storage import (
    Attachment,
    Backend,
    Pool,
    Snapshot,
    Volume,
    VolumeType,
)
from tachyon.openstack.mapping.compute import DISABLED_TRAIT

#: The image of servers that are not booted from a volume.
IMAGE = "6196c12c-7b97-4f9a-8a4c-0655eeedee16"
_ADMIN_PROJECT = "3096979d5c524a0da45574902927ec85"
_ADMIN_USER = "562bae2db9aa49728d90652d28f0a000"
#: Generation of a provider that has its inventories, traits and aggregates, and no allocations.
_FIRST_GENERATION = 3
#: The largest unit that Placement's database holds.
_UNIT_MAX = 2**31 - 1


def load(cloud: Cloud, cluster: Cluster) -> None:
    """Fill an empty cloud with a cluster."""
    _Loading(cloud, cluster).run()


class _Loading:
    def __init__(self, cloud: Cloud, cluster: Cluster) -> None:
        self.cloud = cloud
        self.cluster = cluster
        self.now: datetime = cloud.now()
        self.volume_types = {f.id for f in cluster.flavors if _is_volume_type(f)}
        self.by_uuid = {p.uuid: p for p in cluster.providers}
        #: Server uuid → its volumes.
        self.attachments: dict[str, list[tuple[Volume, Attachment]]] = {}

    def run(self) -> None:
        self._identity()
        self.cloud.images[IMAGE] = Image(IMAGE, "empty", _ADMIN_PROJECT, self.now)
        self._flavors()
        self._hosts()
        self._aggregates()
        self._providers()
        self._storage()
        self._nodes()
        self._groups()
        self._volumes()
        for consumer in self.cluster.consumers:
            if consumer.type == "instance":
                self._server(consumer)

    def _identity(self) -> None:
        identity = self.cloud.identity
        identity.users["admin"] = User(_ADMIN_USER, "admin", "emulated")
        identity.users["reader"] = User(
            self.cloud.new_id().replace("-", ""), "reader", "emulated", ("reader",)
        )
        for project in self.cluster.projects:
            identity.projects[project.external_id] = Project(project.external_id, project.name)
        # Whoever asks needs a project that exists in any case.
        if identity.project_named("admin") is None:
            identity.projects[_ADMIN_PROJECT] = Project(_ADMIN_PROJECT, "admin")

    def _flavors(self) -> None:
        for flavor in self.cluster.flavors:
            if flavor.id in self.volume_types:
                self.cloud.storage.types[flavor.id] = VolumeType(
                    flavor.id,
                    flavor.name or flavor.id,
                    dict(flavor.extra_specs),
                    "Default Volume Type" if flavor.name == "__DEFAULT__" else None,
                )
            else:
                self.cloud.compute.flavors[flavor.id] = Flavor(
                    id=flavor.id,
                    name=flavor.name or flavor.id,
                    vcpus=flavor.vcpus,
                    ram=flavor.memory_mb,
                    disk=flavor.disk_gb,
                    ephemeral=flavor.ephemeral_gb,
                    swap=flavor.swap_mb,
                    extra_specs=dict(flavor.extra_specs),
                )

    def _of_type(self, *types: str) -> Iterator[ResourceProvider]:
        return (p for p in self.cluster.providers if p.type in types)

    def _hosts(self) -> None:
        for provider in self._of_type("compute"):
            extra = provider.extra
            self.cloud.compute.add_host(
                Host(
                    uuid=provider.uuid,
                    name=provider.name,
                    hypervisor_hostname=str(extra.get("hypervisor_hostname", provider.name)),
                    service_id=self.cloud.new_id(),
                    zone=provider.availability_zone or "nova",
                    alive=provider.state == "up",
                    disabled=provider.status == "disabled",
                    disabled_reason=provider.disabled_reason,
                    hypervisor_type=str(extra.get("hypervisor_type", "QEMU")),
                    hypervisor_version=int(extra.get("hypervisor_version", 8002000)),
                    last_seen=self.now,
                )
            )

    def _aggregates(self) -> None:
        compute = self.cloud.compute
        taken = {a.id for a in self.cluster.host_aggregates if a.id is not None}
        free = (number for number in range(1, 2**31) if number not in taken)
        known = {}
        for aggregate in self.cluster.host_aggregates:
            number = aggregate.id if aggregate.id is not None else next(free)
            metadata = dict(aggregate.metadata)
            if aggregate.availability_zone:
                metadata.setdefault("availability_zone", aggregate.availability_zone)
            known[aggregate.name] = compute.aggregates[number] = Aggregate(
                id=number,
                uuid=aggregate.uuid or self.cloud.new_id(),
                name=aggregate.name,
                created=self.now,
                zone=aggregate.availability_zone,
                metadata=metadata,
            )
        for provider in self._of_type("compute"):
            for name in provider.aggregates:
                if name in known:
                    known[name].hosts.append(provider.name)

    def _providers(self) -> None:
        placement = self.cloud.placement
        uuids: dict[str, list[str]] = {}
        for aggregate in self.cloud.compute.aggregates.values():
            for host in aggregate.hosts:
                uuids.setdefault(host, []).append(aggregate.uuid)
        waiting = [p for p in self.cluster.providers if p.type not in {"storage", "pool"}]
        # Parents first, however deep the trees are.
        while waiting:
            later = {p.uuid for p in waiting}
            ready = [p for p in waiting if p.parent_uuid not in later]
            for provider in ready:
                placement.add(self._provider(provider, uuids))
            waiting = [p for p in waiting if p.parent_uuid in later]

    def _provider(self, provider: ResourceProvider, aggregates: dict[str, list[str]]) -> Provider:
        host = self.cloud.compute.hosts_by_uuid.get(provider.uuid)
        traits = [t for t in provider.traits if t != DISABLED_TRAIT]
        if host is not None and host.disabled:
            traits.append(DISABLED_TRAIT)
        return Provider(
            uuid=provider.uuid,
            name=host.hypervisor_hostname if host is not None else provider.name,
            parent=provider.parent_uuid,
            generation=_FIRST_GENERATION,
            inventories={
                name: {
                    **msgspec.to_builtins(inventory),
                    "max_unit": min(inventory.max_unit, _UNIT_MAX),
                }
                for name, inventory in provider.inventories.items()
            },
            traits=traits,
            aggregates=aggregates.get(host.name, []) if host is not None else [],
        )

    def _storage(self) -> None:
        storage = self.cloud.storage
        for provider in self._of_type("storage"):
            storage.backends[provider.name] = Backend(
                name=provider.name,
                uuid=self.cloud.new_id(),
                zone=provider.availability_zone or "nova",
                alive=provider.state == "up",
                disabled=provider.status == "disabled",
                disabled_reason=provider.disabled_reason,
            )
        used: dict[str, int] = {}
        for consumer in self.cluster.consumers:
            if consumer.type == "volume":
                for pool, resources in consumer.allocations.items():
                    used[pool] = used.get(pool, 0) + resources.get("DISK_GB", 0)
        for provider in self._of_type("pool"):
            inventory = provider.inventories.get("DISK_GB")
            total = provider.extra.get("total_capacity_gb", inventory and inventory.total)
            provisioned = provider.extra.get("provisioned_capacity_gb")
            known = provisioned if isinstance(provisioned, int | float) else 0
            reserved = inventory.reserved if inventory is not None else 0
            storage.pools[provider.uuid] = Pool(
                name=provider.uuid,
                total=float(total) if isinstance(total, int | float) else str(total or "unknown"),
                reserved_percentage=round(100 * reserved / inventory.total)
                if inventory is not None and inventory.total
                else 0,
                ratio=inventory.allocation_ratio if inventory is not None else 1.0,
                other=max(0, int(known) - used.get(provider.uuid, 0)),
            )

    def _nodes(self) -> None:
        for provider in self._of_type("baremetal"):
            host = self.cloud.compute.hosts_by_uuid.get(str(provider.extra.get("compute_node_id")))
            self.cloud.baremetal.add(
                Node(
                    uuid=provider.uuid,
                    name=provider.name if provider.name != provider.uuid else None,
                    created=self.now,
                    updated=self.now,
                    power_state=provider.power_state or ON,
                    maintenance=provider.maintenance,
                    maintenance_reason=provider.maintenance_reason,
                    hostname=host.hypervisor_hostname if host is not None else None,
                    traits=[t for t in provider.traits if t != "COMPUTE_BAREMETAL"],
                    extra=dict(provider.extra),
                )
            )

    def _groups(self) -> None:
        for group in self.cluster.server_groups:
            self.cloud.compute.groups[group.uuid] = Group(
                uuid=group.uuid,
                name=group.name,
                policy=group.policy,
                project_id=_ADMIN_PROJECT,
                user_id=_ADMIN_USER,
                rules=dict(group.rules),
            )

    def _volumes(self) -> None:
        for consumer in self.cluster.consumers:
            if consumer.type == "volume":
                self.cloud.storage.add(self._volume(consumer))

    def _volume(self, consumer: Consumer) -> Volume:
        pool = next(iter(consumer.allocations), None)
        size = consumer.allocations[pool].get("DISK_GB", 0) if pool is not None else 0
        created = consumer.created_at or self.now
        volume = Volume(
            id=consumer.uuid,
            name=consumer.name,
            size=int(consumer.extra.get("size", size)),
            project_id=consumer.project_id or _ADMIN_PROJECT,
            user_id=_ADMIN_USER,
            created=created,
            updated=created,
            pool=pool,
            type_id=consumer.flavor_id,
            status=consumer.status or ("in-use" if consumer.attachments else "available"),
            migration_status=consumer.extra.get("migration_status"),
            zone=self.by_uuid[pool].availability_zone or "nova" if pool is not None else "nova",
            bootable=bool(consumer.bootable),
            multiattach=bool(consumer.extra.get("multiattach")),
            snapshot_id=consumer.extra.get("snapshot_id"),
            metadata=dict(consumer.metadata),
        )
        for number in range(consumer.extra.get("snapshots", 0)):
            made = Snapshot(self.cloud.new_id(), f"{volume.name}-{number}", volume.size, created)
            volume.snapshots[made.id] = made
        for attachment in consumer.attachments:
            key = attachment.attachment_id or self.cloud.new_id()
            known = volume.attachments[key] = Attachment(
                id=key,
                server_id=attachment.consumer_uuid,
                host=None,
                device="/dev/vda" if volume.bootable else "/dev/sdb",
                created=created,
            )
            self.attachments.setdefault(attachment.consumer_uuid, []).append((volume, known))
        return volume

    def _server(self, consumer: Consumer) -> None:
        compute = self.cloud.compute
        host = self._host_of(consumer)
        created = consumer.created_at or self.now
        number = next(compute.number)
        server = Server(
            uuid=consumer.uuid,
            number=number,
            name=consumer.name or consumer.uuid,
            project_id=consumer.project_id or _ADMIN_PROJECT,
            user_id=_ADMIN_USER,
            flavor=self._flavor_of(consumer),
            created=created,
            updated=created,
            image=IMAGE,
            host=host.name if host is not None else None,
            node=host.hypervisor_hostname if host is not None else None,
            zone=host.zone if host is not None else consumer.pinned_az,
            pinned_zone=consumer.pinned_az,
            vm_state=consumer.state,
            task_state=consumer.extra.get("task_state"),
            power_state=power_of(consumer.state),
            locked=consumer.locked,
            launched=created,
            reservation_id=f"r-{number:08x}",
            metadata={str(k): str(v) for k, v in consumer.metadata.items()},
            hints=dict(consumer.scheduler_hints),
            group=consumer.server_group,
        )
        compute.add_server(server)
        if server.group in compute.groups:
            group = compute.groups[server.group]
            group.members.append(server.uuid)
            group.project_id = server.project_id
        if consumer.allocations:
            held = {p: dict(r) for p, r in consumer.allocations.items()}
            self.cloud.placement.place(
                Holder(server.uuid, server.project_id, server.user_id, held=held)
            )
        self._attach(server)

    def _attach(self, server: Server) -> None:
        for volume, attachment in self.attachments.get(server.uuid, ()):
            attachment.host = server.host
            server.volumes[volume.id] = VolumeAttachment(
                id=attachment.id,
                volume_id=volume.id,
                device=attachment.device,
                bdm_uuid=self.cloud.new_id(),
            )
            if volume.bootable:
                server.image = None

    def _host_of(self, consumer: Consumer) -> Host | None:
        for key in consumer.allocations:
            provider = self.by_uuid[key]
            while provider.parent_uuid in self.by_uuid:
                provider = self.by_uuid[provider.parent_uuid]
            if provider.type == "compute":
                return self.cloud.compute.hosts_by_uuid[provider.uuid]
        return self.cloud.compute.hosts.get(str(consumer.extra.get("host")))

    def _flavor_of(self, consumer: Consumer) -> Flavor:
        flavor = self.cloud.compute.flavors.get(consumer.flavor_id or "")
        if flavor is not None:
            return flavor
        # A flavor that was deleted since, or never described: what the server holds tells its size.
        held = self.cloud.placement.resources(consumer.allocations)
        name = consumer.flavor_id or "unknown"
        return Flavor(name, name, held["VCPU"], held["MEMORY_MB"], held["DISK_GB"])


def _is_volume_type(flavor: FlavorEntity) -> bool:
    return flavor.vcpus == 0 and flavor.memory_mb == 0
