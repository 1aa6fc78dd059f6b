"""Cinder's events about volumes and pools.

Events about volumes are few and come from several services; what they are about is read again. A
pool tells its capacities by itself, every minute or less, so those are taken from the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import Flavor, ResourceProvider
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.marks import EVENT, Mark, mark_of
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import storage as mapping
from tachyon.openstack.mapping.answers import Answer, moment
from tachyon.openstack.notifications.contract import Handler, Outcome, Rereader
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.work import Later, Work

_TOLD_IN_VAIN = frozenset({"volume.usage", "volume.exists"})
#: What `migration_status` is while no migration is under way.
_AT_REST = frozenset({None, "none", "success", "error"})
#: Statuses that a volume does not stay in.
_PASSING = frozenset({"reserved", "attaching", "detaching", "retyping", "maintenance"})
#: Member of a `capacity.pool` event → of a pool's `extra`.
_CAPACITIES = {
    "total": "total_capacity_gb",
    "free": "free_capacity_gb",
    "allocated": "allocated_capacity_gb",
    "provisioned": "provisioned_capacity_gb",
    "virtual_free": "virtual_free",
}
#: Those of them that change with the volumes in the pool alone.
_PROVISIONED = ("allocated_capacity_gb", "provisioned_capacity_gb")


class VolumeHandler(Handler):
    """Handles `volume.*` and `snapshot.*`."""

    model = "storage"
    pattern = r"(volume|snapshot)\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a volume, or about a snapshot of one."""
        if event.type in _TOLD_IN_VAIN or event.phase == "start":
            return Outcome.IGNORED
        uuid = event.text("volume_id")
        if work.is_old("storage", event.at):
            return Outcome.OLD
        if event.type.startswith("snapshot."):
            work.read_again(SNAPSHOTS, uuid, event.at)
        elif event.type == "volume.delete.end":
            # Gone for good: its id never comes back.
            work.remove_consumer(uuid)
            work.read_again(POOLS, "", event.at)
        else:
            work.read_again(VOLUMES, uuid, event.at)
        return Outcome.READ_AGAIN


class AttachmentHandler(Handler):
    """Handles Nova's `instance.volume_*`: the last that is told of an exchange of volumes."""

    model = "storage"
    pattern = r"instance\.volume_(attach|detach|swap)\.(end|error)"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about volumes of a server."""
        if work.is_old("storage", event.at):
            return Outcome.OLD
        for name in ("volume_id", "old_volume_id", "new_volume_id"):
            if name in event.payload:
                work.read_again(VOLUMES, event.text(name), event.at)
        return Outcome.READ_AGAIN


class PoolHandler(Handler):
    """Handles `capacity.pool`."""

    model = "storage"
    pattern = r"capacity\.pool"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply a pool's report of its capacities."""
        payload = event.payload
        name = event.text("name_to_id")
        at = moment(payload["reported_at"]) if payload.get("reported_at") else event.at
        pool = work.provider(name)
        if pool is None:
            work.read_again(POOLS, name, at)
            return Outcome.READ_AGAIN
        since = work.known_since("storage", pool.extra)
        if since is not None and at <= since.at:
            return Outcome.OLD
        told = {member: payload[name] for name, member in _CAPACITIES.items() if name in payload}
        if any(told.get(member) != pool.extra.get(member) for member in _PROVISIONED):
            # A volume that its driver moved causes no event but, at most, this one.
            work.read_again(POOL_VOLUMES, name, at)
        work.put_provider(_with_capacities(pool, told, at))
        return Outcome.APPLIED


def _with_capacities(
    pool: ResourceProvider, told: dict[str, Any], at: datetime
) -> ResourceProvider:
    inventory = pool.inventories["DISK_GB"]
    total = told.get("total_capacity_gb")
    known = pool.extra.get("total_capacity_gb")
    if total != known and isinstance(total, int | float) and isinstance(known, int | float):
        share = inventory.reserved / known if known else 0.0
        inventory = replace(inventory, total=int(total), reserved=int(total * share))
    return replace(
        pool,
        inventories={**pool.inventories, "DISK_GB": inventory},
        extra={**pool.extra, **told, EVENT: Mark(at).as_extra()},
    )


class PoolRereader(Rereader):
    """Reads the capacities of all pools in one request, and storage hosts with new pools."""

    order = 50

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read the pools again."""
        at = max(wanted.values())
        answers = queries.pools(cloud)
        known = {p.uuid: p for p in work.providers() if p.type == "pool"}
        if any(answer["name"] not in known for answer in answers):
            self._read_hosts(cloud, work)
        zones = {p.uuid: p.availability_zone for p in work.providers() if p.type == "storage"}
        count = work.volumes_by_pool()
        for answer in answers:
            pool = mapping.pool(answer, zones, count.get(answer["name"], 0))
            self._stage(pool, known.get(pool.uuid), at, work)
        for name in known.keys() - {answer["name"] for answer in answers}:
            # A backend that went away; its volumes keep it in the graph until the next reading.
            if not count.get(name):
                work.remove_provider(name)

    def _read_hosts(self, cloud: Connection, work: Work) -> None:
        types = mapping.types_of_backends(queries.volume_types(cloud))
        for service in queries.volume_services(cloud):
            host = mapping.storage_host(service, types)
            known = work.provider(host.uuid)
            if known is None or replace(known, generation=0) != host:
                work.put_provider(host)

    def _stage(
        self, pool: ResourceProvider, known: ResourceProvider | None, at: datetime, work: Work
    ) -> None:
        mark = mark_of(known.extra) if known is not None else None
        if mark is not None:
            pool = replace(pool, extra={**pool.extra, EVENT: mark.as_extra()})
        if known is None or replace(known, generation=0) != pool:
            extra = {**pool.extra, EVENT: Mark(max(at, mark.at if mark else at)).as_extra()}
            work.put_provider(replace(pool, extra=extra))


class VolumeRereader(Rereader):
    """Reads volumes."""

    order = 45

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read volumes again; one that Cinder does not know is removed."""
        answers = cloud.gather_all(lambda uuid: queries.volume(cloud, uuid), wanted)
        found: list[tuple[Answer, datetime]] = []
        for (uuid, at), answer in zip(wanted.items(), answers, strict=True):
            if answer is None:
                work.remove_consumer(uuid)
            else:
                found.append((answer, at))
        stage_volumes(cloud, found, work)
        put_off_volumes(found, work)
        work.read_again(POOLS, "", max(wanted.values()))


class SnapshotRereader(Rereader):
    """Counts the snapshots of volumes, behind the volumes themselves."""

    order = 46

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Count the snapshots of volumes that the graph knows."""
        known = {uuid: at for uuid, at in wanted.items() if work.consumer(uuid) is not None}
        answers = cloud.gather_all(lambda uuid: queries.snapshots(cloud, uuid), known)
        for uuid, answer in zip(known, answers, strict=True):
            volume = work.consumer(uuid)
            if volume is None:
                continue
            extra = {name: value for name, value in volume.extra.items() if name != "snapshots"}
            work.put_consumer(replace(volume, extra={**extra, **mapping.snapshots(len(answer))}))


class PoolVolumeRereader(Rereader):
    """Reads all volumes, because in some pool one came or went without a word."""

    order = 44

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read the volumes again; only those that lie elsewhere than the graph has them change."""
        at = max(wanted.values())
        moved = [
            (answer, at)
            for answer in queries.volumes(cloud)
            if (known := work.consumer(answer["id"])) is None
            or {answer["os-vol-host-attr:host"]} - {None} != known.allocations.keys()
        ]
        stage_volumes(cloud, moved, work)
        put_off_volumes(moved, work)
        work.read_again(POOLS, "", at)


def type_ids(work: Work) -> dict[str, str]:
    """Return the ids of the volume types that the graph knows, by name."""
    return {kind.name: kind.id for kind in _volume_types(work)}


def _volume_types(work: Work) -> list[Flavor]:
    """Return the volume types, which are the flavors without CPUs."""
    flavors = [record for record in work.records("flavor").values() if isinstance(record, Flavor)]
    return [flavor for flavor in flavors if flavor.vcpus == 0]


def stage_volumes(cloud: Connection, found: list[tuple[Answer, datetime]], work: Work) -> None:
    """Stage volumes as Cinder shows them, and whatever pool or type of theirs is not known."""
    names = {answer["os-vol-host-attr:host"] for answer, _ in found} - {None}
    if any(work.provider(name) is None for name in names):
        POOLS.read(cloud, {"": max(at for _, at in found)}, work)
    types = type_ids(work)
    if not {answer["volume_type"] for answer, _ in found} - {None} <= types.keys():
        for answer in queries.volume_types(cloud):
            kind = mapping.volume_type(answer)
            types[kind.name] = kind.id
            if work.records("flavor").get(kind.id) != kind:
                work.put_record("flavor", kind.id, kind)
    pools = {p.uuid for p in work.providers() if p.type == "pool"}
    for answer, at in found:
        known = work.consumer(answer["id"])
        before = mark_of(known.extra) if known is not None else None
        mark = Mark(max(at, before.at) if before is not None else at)
        # Snapshots have events of their own.
        held = mapping.snapshots(0 if known is None else known.extra.get("snapshots", 0))
        extra = {EVENT: mark.as_extra(), **held}
        work.put_consumer(mapping.volume(answer, pools, types, extra))


def put_off_volumes(found: Iterable[tuple[Answer, datetime]], work: Work) -> None:
    """Demand that volumes that something is being done to are read again after a while."""
    work.later |= {Later(VOLUMES, answer["id"]) for answer, _ in found if _is_under_way(answer)}


def _is_under_way(answer: Answer) -> bool:
    """Tell whether a volume is about to change without an event of its own.

    While a volume is migrated its data go to another one, which is attached, exchanged and then
    forgotten; neither the exchange nor the end of the other one is told of.
    """
    if answer["status"] == "in-use" and not answer["attachments"]:
        return True
    return answer.get("migration_status") not in _AT_REST or answer["status"] in _PASSING


class VolumeTypeHandler(Handler):
    """Handles `volume_type.*`."""

    model = "storage"
    pattern = r"volume_type(_extra_specs)?\..+"

    def handle(self, event: Event, work: Work) -> Outcome:
        """Apply an event about a volume type."""
        if work.is_old("storage", event.at):
            return Outcome.OLD
        work.read_again(VOLUME_TYPES, "", event.at)
        return Outcome.READ_AGAIN


class VolumeTypeRereader(Rereader):
    """Reads all volume types, and what storage hosts offer of them."""

    order = 10

    def read(self, cloud: Connection, wanted: Mapping[str, datetime], work: Work) -> None:
        """Read the volume types again."""
        answers = queries.volume_types(cloud)
        found = {answer["id"]: mapping.volume_type(answer) for answer in answers}
        known = {kind.id: kind for kind in _volume_types(work)}
        for key in known.keys() - found.keys():
            work.put_record("flavor", key, None)
        for key, kind in found.items():
            if known.get(key) != kind:
                work.put_record("flavor", key, kind)
        types = mapping.types_of_backends(answers)
        for host in [p for p in work.providers() if p.type == "storage"]:
            offered = sorted(types.get(host.name.partition("@")[2], ()))
            if host.extra.get("volume_types") != offered:
                work.patch_provider(host.uuid, extra={**host.extra, "volume_types": offered})


POOLS = PoolRereader()
VOLUMES = VolumeRereader()
SNAPSHOTS = SnapshotRereader()
POOL_VOLUMES = PoolVolumeRereader()
VOLUME_TYPES = VolumeTypeRereader()
