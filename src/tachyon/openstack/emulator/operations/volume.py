"""What happens to volumes: made, attached, moved, retyped, removed."""

from __future__ import annotations

from tachyon.openstack.emulator.clock import Work
from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.notifications import cinder, nova
from tachyon.openstack.emulator.notifications.context import Requester
from tachyon.openstack.emulator.state.compute import Server, VolumeAttachment
from tachyon.openstack.emulator.state.storage import Attachment, Pool, Volume, VolumeType


class VolumeTask:
    """Works on one volume on behalf of one request."""

    def __init__(self, cloud: Cloud, requester: Requester, volume: Volume) -> None:
        self.cloud = cloud
        self.requester = requester
        self.volume = volume
        self.tell = cinder.Teller(cloud, requester)
        self.nova = nova.Teller(cloud, requester)
        self.step = cloud.durations.step

    def set(self, status: str | None = None, migration: str | None = "") -> None:
        """Change the volume's statuses; a migration status of "" stays as it is."""
        if status is not None:
            self.volume.status = status
        if migration != "":
            self.volume.migration_status = migration
        self.volume.updated = self.cloud.now()

    def report(self, *names: str | None) -> None:
        """Tell how full pools are."""
        pools = [self.cloud.storage.pools[n] for n in dict.fromkeys(names) if n is not None]
        cinder.Teller(self.cloud, cinder.nobody()).capacity(pools)

    def breaks(self, kind: str, pool: str | None = None) -> bool:
        """Tell whether a fault makes this work fail."""
        return self.cloud.faults.of_work(kind, (self.volume.id, self.volume.name), pool)

    @property
    def servers(self) -> list[Server]:
        """The servers that the volume is attached to."""
        known = self.cloud.compute.servers
        ids = [a.server_id for a in self.volume.attachments.values()]
        return [known[i] for i in ids if i in known]


def choose_pool(
    cloud: Cloud, size: int, kind: VolumeType | None, leaving: str | None
) -> Pool | None:
    """Return the emptiest pool for a volume of a type, or None."""
    pools = cloud.storage.pools.values()
    fitting = [p for p in pools if p.name != leaving and _takes(cloud, p, size, kind)]
    return max(fitting, key=lambda p: p.virtual_free, default=None)


def _takes(cloud: Cloud, pool: Pool, size: int, kind: VolumeType | None) -> bool:
    """Tell whether Cinder's scheduler finds a pool fit for a volume of a type."""
    service = cloud.storage.backends.get(pool.backend)
    if service is not None and (service.disabled or not service.alive):
        return False
    backend = kind.extra_specs.get("volume_backend_name") if kind is not None else None
    if backend not in (None, pool.backend.partition("@")[2]):
        return False
    return isinstance(pool.free, str) or pool.free >= size


def create(task: VolumeTask) -> Work:
    """Make the volume in the pool that suits it best."""
    volume, storage = task.volume, task.cloud.storage
    yield task.step
    kind = storage.types.get(volume.type_id or "")
    pool = choose_pool(task.cloud, volume.size, kind, None)
    if pool is None or task.breaks("volume-create", pool.name):
        task.set("error")
        return
    storage.move(volume, pool.name)
    volume.zone = (
        storage.backends[pool.backend].zone if pool.backend in storage.backends else "nova"
    )
    task.tell.volume("create.start", volume)
    yield task.step
    task.set("available")
    task.tell.volume("create.end", volume)
    task.report(pool.name)


def delete(task: VolumeTask) -> Work:
    """Remove the volume."""
    volume, pool = task.volume, task.volume.pool
    task.set("deleting")
    yield task.step
    task.tell.volume("delete.start", volume)
    yield task.step
    task.set("deleted")
    task.tell.volume("delete.end", volume)
    task.cloud.storage.remove(volume)
    task.report(pool)


def migrate(task: VolumeTask, pool: str) -> Work:
    """Move the volume to a pool; Cinder tells nothing, but Nova does of one that is attached."""
    before = task.volume.status
    task.set("maintenance" if before == "available" else None, "migrating")
    yield task.step
    volume, storage = task.volume, task.cloud.storage
    kind = storage.types.get(volume.type_id or "")
    if not _takes(task.cloud, storage.pools[pool], volume.size, kind):
        # The API has accepted it; it is the scheduler that finds no way.
        task.set(before, "error")
        return
    yield from _move(task, pool, "volume-migrate")
    failed = task.volume.migration_status == "error"
    task.set(before, None if failed else "success")
    if failed:
        task.set(migration="error")


def retype(task: VolumeTask, kind: VolumeType) -> Work:
    """Give the volume another type, and the pool that goes with it."""
    volume, storage = task.volume, task.cloud.storage
    before = volume.status
    task.set("retyping")
    yield task.step
    pool = storage.pools.get(volume.pool or "")
    backend = kind.extra_specs.get("volume_backend_name")
    moved = pool is None or backend not in (None, pool.backend.partition("@")[2])
    if moved:
        target = choose_pool(task.cloud, volume.size, kind, volume.pool)
        if target is None:
            task.set(before)
            return
        task.set(migration="migrating")
        yield from _move(task, target.name, "volume-retype")
        if volume.migration_status == "error":
            task.set(before)
            return
    volume.type_id = kind.id
    task.set(before, "success" if moved else "")
    task.tell.volume("retype", volume)


def _move(task: VolumeTask, pool: str, kind: str) -> Work:
    volume, source = task.volume, task.volume.pool
    servers = task.servers
    # The copy is a volume of its own until it takes the other's place.
    copy = task.cloud.new_id()
    more = {"old_volume_id": volume.id, "new_volume_id": copy}
    for server in servers:
        task.nova.instance("volume_swap.start", server, nova.compute(server.host), more=more)
        _tell_of_copy(task, copy, pool)
    yield task.cloud.durations.volume
    if task.breaks(kind, pool):
        task.set(migration="error")
        return
    task.cloud.storage.move(volume, pool)
    for server in servers:
        task.tell.volume("detach.start", volume)
        task.tell.volume("detach.end", volume)
        task.nova.instance("volume_swap.end", server, nova.compute(server.host), more=more)
    task.report(source, pool)


def _tell_of_copy(task: VolumeTask, copy: str, pool: str) -> None:
    volume = task.volume
    twin = Volume(
        id=copy,
        name=volume.name,
        size=volume.size,
        project_id=volume.project_id,
        user_id=volume.user_id,
        created=task.cloud.now(),
        updated=task.cloud.now(),
        pool=pool,
        type_id=volume.type_id,
        status="reserved",
        migration_status=f"target:{volume.id}",
        zone=volume.zone,
        attachments=dict(volume.attachments),
    )
    task.tell.volume("attach.start", twin)
    twin.status = "in-use"
    task.tell.volume("attach.end", twin)


def attach(task: VolumeTask, server: Server, device: str | None) -> Work:
    """Attach the volume to a server."""
    volume, cloud = task.volume, task.cloud
    attachment = Attachment(
        id=cloud.new_id(),
        server_id=server.uuid,
        host=server.host,
        device=device or f"/dev/sd{chr(ord('b') + len(server.volumes))}",
        created=cloud.now(),
    )
    volume.attachments[attachment.id] = attachment
    server.volumes[volume.id] = VolumeAttachment(
        id=attachment.id, volume_id=volume.id, device=attachment.device, bdm_uuid=cloud.new_id()
    )
    task.set("reserved")
    publisher, more = nova.compute(server.host), {"volume_id": volume.id}
    yield task.step
    task.nova.instance("volume_attach.start", server, publisher, more=more)
    task.tell.volume("attach.start", volume)
    yield task.step
    task.set("in-use")
    task.tell.volume("attach.end", volume)
    task.nova.instance("volume_attach.end", server, publisher, more=more)


def detach(task: VolumeTask, server: Server) -> Work:
    """Detach the volume from a server."""
    volume = task.volume
    publisher, more = nova.compute(server.host), {"volume_id": volume.id}
    task.set("detaching")
    yield task.step
    task.nova.instance("volume_detach.start", server, publisher, more=more)
    task.tell.volume("detach.start", volume)
    yield task.step
    _drop(volume, server)
    task.set("in-use" if volume.attachments else "available")
    task.tell.volume("detach.end", volume)
    task.nova.instance("volume_detach.end", server, publisher, more=more)


def forget_server(cloud: Cloud, requester: Requester, server: Server) -> None:
    """Detach all volumes from a server that ends."""
    for key in list(server.volumes):
        _forget(VolumeTask(cloud, requester, cloud.storage.volumes[key]), server)


def _forget(task: VolumeTask, server: Server) -> None:
    task.tell.volume("detach.start", task.volume)
    _drop(task.volume, server)
    task.set("in-use" if task.volume.attachments else "available")
    task.tell.volume("detach.end", task.volume)


def follow_server(cloud: Cloud, requester: Requester, server: Server) -> None:
    """Let attachments follow a server to another host: new ones take the old ones' places."""
    for key in list(server.volumes):
        _follow(VolumeTask(cloud, requester, cloud.storage.volumes[key]), server)


def _follow(task: VolumeTask, server: Server) -> None:
    volume = task.volume
    old = next((a for a in volume.attachments.values() if a.server_id == server.uuid), None)
    if old is None:
        return
    new = Attachment(task.cloud.new_id(), server.uuid, server.host, old.device, task.cloud.now())
    volume.attachments[new.id] = new
    task.tell.volume("attach.start", volume)
    task.tell.volume("attach.end", volume)
    task.tell.volume("detach.start", volume)
    del volume.attachments[old.id]
    server.volumes[volume.id].id = new.id
    task.set()
    task.tell.volume("detach.end", volume)


def _drop(volume: Volume, server: Server) -> None:
    attachment = server.volumes.pop(volume.id, None)
    if attachment is not None:
        volume.attachments.pop(attachment.id, None)
