"""Captured answers of a cloud's services as a cluster.

A capture is a folder of JSON files, each one answer: `{"request": {"service", "method", "path",
"headers"}, "status", "body"}`. What a file holds is told from its request, not from its name, so
that any part of a cloud can be captured in any order. docs/cluster-files.md says which requests
are understood, and what stands in for those that are missing.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from tachyon.graph.cluster_file import (
    ClusterFile,
    bad_file,
    encode_cluster_file,
    read_cluster_file,
    unpacked,
)
from tachyon.graph.entities import (
    AMOUNT_MAX,
    Allocations,
    Attachment,
    AvailabilityZone,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
    Resources,
    ServerGroup,
)
from tachyon.graph.mutations import Cluster

Answer = dict[str, Any]
_T = TypeVar("_T")

_COMPUTE = "nova-compute"
_VOLUME = "cinder-volume"
#: What a compute host has of each class, in the fields of a hypervisor before Nova API 2.88.
_HYPERVISOR_TOTALS = {"VCPU": "vcpus", "MEMORY_MB": "memory_mb", "DISK_GB": "local_gb"}
#: What Cinder reports of a pool and Watcher's storage model shows as it is.
_POOL_CAPACITIES = (
    "total_capacity_gb",
    "free_capacity_gb",
    "provisioned_capacity_gb",
    "allocated_capacity_gb",
)


#: What reading an answer raises that lacks a member, or has something else in its place.
_MISSHAPEN = (KeyError, TypeError, AttributeError, ValueError)


def _misshapen(error: Exception) -> str:
    return f"has not the form that its service gives it: {error!r}"


class _Request(Struct):
    service: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


class _Captured(Struct):
    request: _Request
    status: int
    body: Any

    @property
    def version(self) -> tuple[int, int]:
        """The microversion that the answer was asked for in; (0, 0) if none was."""
        found = re.search(r"(\d+)\.(\d+)$", self.request.headers.get("OpenStack-API-Version", ""))
        return (int(found[1]), int(found[2])) if found else (0, 0)


#: Answers that list things: service, path, member of the body, key of each entry.
_LISTS = (
    ("nova", r"/os-hypervisors/detail", "hypervisors", "id"),
    ("nova", r"/os-services", "services", "host"),
    ("nova", r"/os-aggregates", "aggregates", "id"),
    ("nova", r"/os-availability-zone/detail", "availabilityZoneInfo", "zoneName"),
    ("nova", r"/os-server-groups", "server_groups", "id"),
    ("nova", r"/flavors/detail", "flavors", "id"),
    ("nova", r"/servers/detail", "servers", "id"),
    ("keystone", r"/projects", "projects", "id"),
    ("cinder", r"/os-services", "services", "host"),
    ("cinder", r"/scheduler-stats/get_pools", "pools", "name"),
    ("cinder", r"/types", "volume_types", "id"),
    ("cinder", r"/volumes/detail", "volumes", "id"),
    ("placement", r"/resource_providers", "resource_providers", "uuid"),
)
#: Answers about one thing: service, path with its uuid, member of the body.
_SINGLES = (
    ("placement", r"/resource_providers/([^/]+)/inventories", "inventories"),
    ("placement", r"/resource_providers/([^/]+)/traits", "traits"),
    ("placement", r"/resource_providers/([^/]+)/allocations", "provider_allocations"),
    ("placement", r"/allocations/([^/]+)", "allocations"),
)


class _Capture:
    """All answers, sorted: by (service, what), then by key."""

    def __init__(self, name: str, answers: Iterable[_Captured]) -> None:
        self.name = name
        self._found: dict[tuple[str, str], dict[str, Any]] = {}
        # What newer microversions say wins, but what only older ones say (a hypervisor's totals)
        # is kept.
        for answer in sorted(answers, key=lambda a: a.version):
            if answer.request.method == "GET" and answer.status == 200:
                try:
                    self._sort_in(answer)
                except _MISSHAPEN as error:
                    place = f"{answer.request.service} GET {answer.request.path}"
                    raise bad_file(name, [(place, _misshapen(error))]) from error

    def _sort_in(self, answer: _Captured) -> None:
        service, path = answer.request.service, answer.request.path.partition("?")[0]
        for wanted, pattern, member, key in _LISTS:
            if service == wanted and re.fullmatch(pattern, path):
                for entry in answer.body[member]:
                    # One service list holds all binaries; each is a kind of its own.
                    kind = entry["binary"] if member == "services" else member
                    known = self._found.setdefault((service, kind), {})
                    known[str(entry[key])] = {**known.get(str(entry[key]), {}), **entry}
        for wanted, pattern, member in _SINGLES:
            if service == wanted and (found := re.fullmatch(pattern, path)):
                body = answer.body[member.removeprefix("provider_")]
                self._found.setdefault((service, member), {})[found[1]] = body

    def all(self, service: str, what: str) -> list[Answer]:
        """Return the listed things of a kind."""
        return list(self._found.get((service, what), {}).values())

    def build(self, service: str, what: str, builder: Callable[[Answer], _T]) -> list[_T]:
        """Return what `builder` makes of each of the listed things of a kind.

        Raises:
            ClusterFileError: a thing has not the form that its service gives it.
        """
        built: list[_T] = []
        for key, entry in self._found.get((service, what), {}).items():
            try:
                built.append(builder(entry))
            except _MISSHAPEN as error:
                place = f"{service} {what} {key}"
                raise bad_file(self.name, [(place, _misshapen(error))]) from error
        return built

    def about(self, what: str) -> dict[str, Any]:
        """Return Placement's answers of a kind by the uuid that they are about."""
        return self._found.get(("placement", what), {})


def read_captured(path: str | os.PathLike[str]) -> ClusterFile:
    """Read a folder of captured answers.

    Raises:
        ClusterFileError: a file is no captured answer, the capture holds no compute host, or what
            it says does not fit together; names the file or the place in the cluster.
    """
    name = os.fspath(path)
    try:
        files = sorted(p for p in Path(path).iterdir() if p.suffix == ".json")
    except OSError as error:
        raise bad_file(name, [("", f"cannot be read: {error.strerror}")]) from error
    capture = _Capture(name, [_answer(file) for file in files])
    if not capture.all("nova", "hypervisors"):
        raise bad_file(name, [("", "no answer to GET /os-hypervisors/detail was captured")])
    try:
        cluster = _cluster(capture)
    except _MISSHAPEN as error:
        raise bad_file(name, [("an answer", _misshapen(error))]) from error
    content = ClusterFile(cluster=cluster, generated_by=f"captured answers in {Path(path).name}")
    # Answers come from outside: what is wrong in them must not get past here.
    return read_cluster_file(encode_cluster_file(content), name=name)


def _answer(file: Path) -> _Captured:
    try:
        return msgspec.json.decode(unpacked(file, name=str(file)), type=_Captured)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_file(str(file), [("", f"is no captured answer: {error}")]) from error


def _cluster(capture: _Capture) -> Cluster:
    cluster = Cluster(
        flavors=[
            *capture.build("nova", "flavors", _flavor),
            *capture.build("cinder", "volume_types", _volume_type),
        ],
        projects=capture.build("keystone", "projects", _project),
        server_groups=capture.build("nova", "server_groups", _server_group),
        host_aggregates=capture.build("nova", "aggregates", _aggregate),
        providers=[*_hosts(capture), *_children(capture), *_storage(capture)],
    )
    zones = {z for p in cluster.providers if (z := p.availability_zone) is not None}
    zones |= {z for a in cluster.host_aggregates if (z := a.availability_zone) is not None}
    cluster.availability_zones = [AvailabilityZone(name=zone) for zone in sorted(zones)]
    cluster.consumers = [*_instances(capture, cluster), *_volumes(capture, cluster)]
    return cluster


def _flavor(flavor: Answer) -> Flavor:
    return Flavor(
        id=flavor["id"],
        name=flavor["name"],
        vcpus=flavor["vcpus"],
        memory_mb=flavor["ram"],
        disk_gb=flavor["disk"],
        ephemeral_gb=flavor["OS-FLV-EXT-DATA:ephemeral"],
        swap_mb=int(flavor["swap"] or 0),
        extra_specs=flavor.get("extra_specs", {}),
    )


def _volume_type(kind: Answer) -> Flavor:
    return Flavor(id=kind["id"], name=kind["name"], extra_specs=kind.get("extra_specs", {}))


def _project(project: Answer) -> Project:
    return Project(external_id=project["id"], name=project["name"])


def _aggregate(aggregate: Answer) -> HostAggregate:
    return HostAggregate(
        name=aggregate["name"],
        uuid=aggregate.get("uuid"),
        availability_zone=aggregate["availability_zone"],
        metadata=aggregate["metadata"],
    )


def _server_group(group: Answer) -> ServerGroup:
    policy = group["policy"] if "policy" in group else group["policies"][0]
    return ServerGroup(
        uuid=group["id"], name=group["name"], policy=policy, rules=group.get("rules") or {}
    )


def _hosts(capture: _Capture) -> list[ResourceProvider]:
    services = {s["host"]: s for s in capture.all("nova", _COMPUTE)}
    aggregates: dict[str, list[str]] = {}
    for aggregate in capture.all("nova", "aggregates"):
        for member in aggregate["hosts"]:
            aggregates.setdefault(member, []).append(aggregate["name"])
    inventories = capture.about("inventories")
    traits = capture.about("traits")
    hypervisors = capture.all("nova", "hypervisors")
    # What a virt driver can do is the same on every host of its kind and version.
    like: dict[Any, str] = {_kind(h): h["id"] for h in hypervisors if h["id"] in traits}
    model: Answer = next((inventories[h["id"]] for h in hypervisors if h["id"] in inventories), {})

    def host(hypervisor: Answer) -> ResourceProvider:
        # The host is that of the nova-compute service; a hypervisor may call itself otherwise.
        name = hypervisor["service"]["host"]
        service = {**hypervisor, **services.get(name, {})}
        uuid: str = hypervisor["id"]
        similar = like.get(_kind(hypervisor), uuid)
        return ResourceProvider(
            uuid=uuid,
            name=name,
            type="baremetal" if hypervisor["hypervisor_type"] == "ironic" else "compute",
            status=service["status"],
            state=service["state"],
            disabled_reason=hypervisor["service"]["disabled_reason"],
            availability_zone=service.get("zone"),
            aggregates=tuple(aggregates.get(name, ())),
            traits=tuple(sorted(traits.get(uuid) or traits.get(similar) or ())),
            inventories=_inventories(inventories.get(uuid) or _derived(hypervisor, model)),
            extra={
                name: hypervisor[name]
                for name in ("hypervisor_hostname", "hypervisor_type", "hypervisor_version")
            },
        )

    return capture.build("nova", "hypervisors", host)


def _kind(hypervisor: Answer) -> tuple[Any, Any]:
    return hypervisor.get("hypervisor_type"), hypervisor.get("hypervisor_version")


def _inventories(captured: Mapping[str, Answer]) -> dict[str, Inventory]:
    return {name: msgspec.convert(values, Inventory) for name, values in captured.items()}


def _derived(hypervisor: Answer, model: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the inventories of a host for which none were captured.

    The totals are the hypervisor's own if an old enough API version was captured; all else
    (reserved amounts, ratios, units) is configured alike in a cloud, so it is that of a host whose
    inventories are known.
    """
    derived = {name: dict(values) for name, values in model.items()}
    for name, member in _HYPERVISOR_TOTALS.items():
        total = hypervisor.get(member)
        if total:
            units = {"total": total, "max_unit": total}
            derived[name] = {**derived.get(name, {}), **units}
    return derived


def _children(capture: _Capture) -> list[ResourceProvider]:
    """Return the providers that only Placement knows: parts of hosts, and sharing providers."""
    hosts = {h["id"] for h in capture.all("nova", "hypervisors")}

    def child(provider: Answer) -> ResourceProvider:
        uuid = provider["uuid"]
        return ResourceProvider(
            uuid=uuid,
            name=provider["name"],
            type="nested" if provider["parent_provider_uuid"] else "sharing",
            parent_uuid=provider["parent_provider_uuid"],
            traits=tuple(sorted(capture.about("traits").get(uuid, ()))),
            inventories=_inventories(capture.about("inventories").get(uuid, {})),
        )

    found = capture.build("placement", "resource_providers", child)
    return [provider for provider in found if provider.uuid not in hosts]


def _storage(capture: _Capture) -> list[ResourceProvider]:
    """Return storage hosts and pools. Cinder knows them by name, so the name is the uuid, too."""
    types: dict[str, list[str]] = {}
    for kind in capture.all("cinder", "volume_types"):
        name = kind.get("extra_specs", {}).get("volume_backend_name")
        types.setdefault(name, []).append(kind["name"])

    def backend(service: Answer) -> ResourceProvider:
        host = service["host"]
        return ResourceProvider(
            uuid=host,
            name=host,
            type="storage",
            status=service["status"],
            state=service["state"],
            disabled_reason=service["disabled_reason"],
            availability_zone=service["zone"],
            traits=("STORAGE_BACKEND",),
            extra={"volume_types": sorted(types.get(host.partition("@")[2], []))},
        )

    backends = capture.build("cinder", _VOLUME, backend)
    zones = {p.uuid: p.availability_zone for p in backends}
    volumes = Counter(v.get("os-vol-host-attr:host") for v in capture.all("cinder", "volumes"))

    def pool(entry: Answer) -> ResourceProvider:
        name, capabilities = entry["name"], entry["capabilities"]
        host = name.partition("#")[0]
        return ResourceProvider(
            uuid=name,
            name=name,
            type="pool",
            parent_uuid=host if host in zones else None,
            availability_zone=zones.get(host),
            inventories={"DISK_GB": _pool_inventory(capabilities)},
            extra={
                "total_volumes": volumes[name],
                **{member: capabilities.get(member) for member in _POOL_CAPACITIES},
            },
        )

    return [*backends, *capture.build("cinder", "pools", pool)]


def _pool_inventory(capabilities: Answer) -> Inventory:
    """Return what a pool can take, as Cinder's capacity filter reckons.

    A pool that calls itself `infinite` or `unknown` takes anything.
    """
    total = capabilities.get("total_capacity_gb")
    if not isinstance(total, int | float):
        return Inventory(total=AMOUNT_MAX)
    ratio: Any = 1.0
    if capabilities.get("thin_provisioning_support") is True:
        ratio = capabilities.get("max_over_subscription_ratio")
    return Inventory(
        total=int(total),
        reserved=int(total * capabilities.get("reserved_percentage", 0) / 100),
        # "auto" is a number that only the scheduler knows.
        allocation_ratio=float(ratio) if str(ratio).replace(".", "", 1).isdigit() else 1.0,
    )


def _instances(capture: _Capture, cluster: Cluster) -> list[Consumer]:
    flavors = {f.name: f for f in cluster.flavors}
    hosts = {p.name: p.uuid for p in cluster.providers if p.type in {"compute", "baremetal"}}
    held = _allocations(capture)
    groups = {
        member: group["id"]
        for group in capture.all("nova", "server_groups")
        for member in group["members"]
    }

    def instance(server: Answer) -> Consumer | None:
        if server["OS-EXT-STS:vm_state"] == "deleted":
            return None
        uuid = server["id"]
        name = server["flavor"].get("original_name")
        host = hosts.get(server["OS-EXT-SRV-ATTR:host"])
        allocations = held.get(uuid)
        if allocations is None:
            allocations = {host: _resources(server)} if host is not None else {}
        return Consumer(
            uuid=uuid,
            name=server["name"],
            state=server["OS-EXT-STS:vm_state"],
            status=server["status"],
            locked=server.get("locked", False),
            created_at=_time(server["created"]),
            project_id=server["tenant_id"],
            flavor_id=flavors[name].id if name in flavors else name,
            server_group=groups.get(uuid, next(iter(server.get("server_groups", ())), None)),
            pinned_az=server.get("pinned_availability_zone"),
            allocations=allocations,
            metadata=server["metadata"],
            scheduler_hints=server.get("scheduler_hints", {}),
        )

    return [c for c in capture.build("nova", "servers", instance) if c is not None]


def _allocations(capture: _Capture) -> dict[str, Allocations]:
    """Return what Placement says that consumers hold, as far as it was captured."""
    held: dict[str, Allocations] = {}
    for consumer, allocations in capture.about("allocations").items():
        held[consumer] = {uuid: a["resources"] for uuid, a in allocations.items()}
    whole = frozenset(held)
    for provider, allocations in capture.about("provider_allocations").items():
        for consumer, allocation in allocations.items():
            if consumer not in whole:
                held.setdefault(consumer, {})[provider] = allocation["resources"]
    return held


def _resources(server: Answer) -> Resources:
    """Return what Nova claims for a server, from the flavor that the answer embeds (2.47)."""
    flavor = server["flavor"]
    # An instance without an image was booted from a volume: its root disk is elsewhere.
    root = flavor["disk"] if server.get("image") else 0
    asked: Resources = {
        "VCPU": flavor["vcpus"],
        "MEMORY_MB": flavor["ram"],
        "DISK_GB": root + flavor["ephemeral"] + -(-int(flavor["swap"] or 0) // 1024),
    }
    for name, value in flavor.get("extra_specs", {}).items():
        if found := re.fullmatch(r"resources\d*:(\w+)", name):
            asked[found[1]] = int(value)
    return {name: amount for name, amount in asked.items() if amount}


def _volumes(capture: _Capture, cluster: Cluster) -> list[Consumer]:
    pools = {p.uuid for p in cluster.providers if p.type == "pool"}

    def volume(entry: Answer) -> Consumer:
        pool = entry["os-vol-host-attr:host"]
        return Consumer(
            uuid=entry["id"],
            name=entry["name"] or "",
            type="volume",
            status=entry["status"],
            bootable=entry["bootable"] == "true",
            created_at=_time(entry["created_at"]),
            project_id=entry["os-vol-tenant-attr:tenant_id"],
            flavor_id=entry["volume_type_id"],
            attachments=tuple(
                Attachment(consumer_uuid=a["server_id"], attachment_id=a["attachment_id"])
                for a in entry["attachments"]
            ),
            allocations={pool: {"DISK_GB": entry["size"]}} if pool in pools else {},
            metadata=entry["metadata"],
            extra={
                "multiattach": entry["multiattach"],
                "snapshot_id": entry["snapshot_id"],
                "volume_type": entry["volume_type"],
            },
        )

    return capture.build("cinder", "volumes", volume)


def _time(text: str) -> datetime:
    """Return a service's time stamp; those without a zone are in UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
