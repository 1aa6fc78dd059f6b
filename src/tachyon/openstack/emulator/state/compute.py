"""Nova's records: services, hypervisors, servers, flavors, aggregates, groups, migrations."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: vm_state → status, and the tasks during which a server shows another one (Nova's API guide).
_STATUS = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "rescued": "RESCUE",
    "error": "ERROR",
    "deleted": "DELETED",
    "soft-delete": "SOFT_DELETED",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
}
_RESIZING = dict.fromkeys(
    ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"), "RESIZE"
)
_TASK_STATUS: dict[str, dict[str, str]] = {
    "active": {
        "rebooting": "REBOOT",
        "rebooting_hard": "HARD_REBOOT",
        "rebuilding": "REBUILD",
        "migrating": "MIGRATING",
        **_RESIZING,
    },
    "stopped": {"rebuilding": "REBUILD", "rebooting_hard": "HARD_REBOOT", **_RESIZING},
    "paused": {"migrating": "MIGRATING"},
    "resized": {"resize_reverting": "REVERT_RESIZE"},
}
#: Power states of the hypervisor by vm_state; what is not here runs.
_POWER = {"stopped": 4, "shelved": 4, "shelved_offloaded": 4, "suspended": 4, "error": 0}
_POWER |= {"building": 0, "paused": 3, "deleted": 0}
RUNNING, SHUTDOWN, NOSTATE = 1, 4, 0


@dataclass(slots=True)
class Flavor:
    """A flavor; a server keeps the one that it was built or resized with."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    extra_specs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Host:
    """A service of Nova, and the hypervisor that a nova-compute has."""

    uuid: str
    name: str
    hypervisor_hostname: str
    service_id: str
    zone: str
    binary: str = "nova-compute"
    alive: bool = True
    #: The operator's doing, as is `forced_down`.
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    hypervisor_type: str = "QEMU"
    hypervisor_version: int = 8002000
    #: What hypervisor and service were known by before they had uuids (2.53).
    number: int = 0
    #: Version of the service, as a process that reports may be older than another.
    report_count: int = 0
    last_seen: datetime | None = None
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether Nova thinks that the service works."""
        return self.alive and not self.forced_down


@dataclass(slots=True)
class VolumeAttachment:
    """A volume on a server."""

    id: str
    volume_id: str
    device: str
    bdm_uuid: str
    delete_on_termination: bool = False


@dataclass(slots=True)
class Server:
    """An instance."""

    uuid: str
    number: int
    name: str
    project_id: str
    user_id: str
    flavor: Flavor
    created: datetime
    updated: datetime
    image: str | None
    host: str | None = None
    node: str | None = None
    zone: str | None = None
    pinned_zone: str | None = None
    vm_state: str = "active"
    task_state: str | None = None
    power_state: int = RUNNING
    locked: bool = False
    locked_reason: str | None = None
    description: str | None = None
    launched: datetime | None = None
    terminated: datetime | None = None
    reservation_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    hints: dict[str, Any] = field(default_factory=dict)
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    volumes: dict[str, VolumeAttachment] = field(default_factory=dict)
    fault: dict[str, Any] | None = None
    #: What it was before a resize that is not confirmed yet.
    old_flavor: Flavor | None = None
    old_vm_state: str | None = None

    @property
    def status(self) -> str:
        """The status that the API shows for the two states."""
        by_task = _TASK_STATUS.get(self.vm_state, {})
        return by_task.get(self.task_state or "", _STATUS.get(self.vm_state, "UNKNOWN"))

    @property
    def instance_name(self) -> str:
        """The name of the hypervisor's guest."""
        return f"instance-{self.number:08x}"

    @property
    def host_id(self) -> str:
        """What tenants see of the host: the same for the servers of one project there."""
        if self.host is None:
            return ""
        return hashlib.sha224(f"{self.project_id}{self.host}".encode()).hexdigest()


def power_of(vm_state: str) -> int:
    """Return the power state that goes with a vm_state."""
    return _POWER.get(vm_state, RUNNING)


@dataclass(slots=True)
class Aggregate:
    """A host aggregate; a zone is one with `availability_zone` in its metadata."""

    id: int
    uuid: str
    name: str
    created: datetime
    zone: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)
    updated: datetime | None = None


@dataclass(slots=True)
class Group:
    """A server group."""

    uuid: str
    name: str
    policy: str
    project_id: str
    user_id: str
    rules: dict[str, int] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Migration:
    """A move of a server. `kind`: live-migration, migration, resize, evacuation."""

    id: int
    uuid: str
    server: Server
    kind: str
    source: str
    created: datetime
    updated: datetime
    destination: str | None = None
    status: str = "accepted"
    old_flavor_id: int = 0
    new_flavor_id: int = 0
    #: The live migration's work, to abort it or force its end.
    operation: Any = None


class Compute:
    """All that Nova knows, with the orders that its lists are paged in."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.hosts_by_uuid: dict[str, Host] = {}
        self.hosts_by_node: dict[str, Host] = {}
        self.servers: dict[str, Server] = {}
        self.deleted: dict[str, Server] = {}
        self.flavors: dict[str, Flavor] = {}
        self.aggregates: dict[int, Aggregate] = {}
        self.groups: dict[str, Group] = {}
        self.migrations: dict[int, Migration] = {}
        self.migrations_of: dict[str, list[Migration]] = {}
        self.number = itertools.count(1)
        self._orders: dict[tuple[str, bool], tuple[list[Server], dict[str, int]]] = {}

    def add_host(self, host: Host) -> None:
        """Add a host."""
        host.number = len(self.hosts) + 1
        self.hosts[host.name] = host
        self.hosts_by_uuid[host.uuid] = host
        self.hosts_by_node[host.hypervisor_hostname] = host

    def add_server(self, server: Server) -> None:
        """Add a server, on its host if it has one."""
        self.servers[server.uuid] = server
        if server.host is not None:
            self.hosts[server.host].servers[server.uuid] = server
        self._orders.clear()

    def remove_server(self, server: Server) -> None:
        """Forget a server, but for lists of what has changed."""
        self.move(server, None)
        self.servers.pop(server.uuid, None)
        self.deleted[server.uuid] = server
        if server.group is not None and server.group in self.groups:
            self.groups[server.group].members.remove(server.uuid)
        self._orders.clear()

    def move(self, server: Server, host: Host | None) -> None:
        """Put a server on a host, or on none."""
        if server.host is not None and server.host in self.hosts:
            self.hosts[server.host].servers.pop(server.uuid, None)
        server.host = host.name if host is not None else None
        server.node = host.hypervisor_hostname if host is not None else None
        if host is not None:
            host.servers[server.uuid] = server
            server.zone = host.zone

    def add_migration(self, migration: Migration) -> None:
        """Add a migration."""
        self.migrations[migration.id] = migration
        self.migrations_of.setdefault(migration.server.uuid, []).append(migration)

    def ordered(
        self, key: str, descending: bool, value: Callable[[Server], Any], *, keep: bool
    ) -> tuple[list[Server], dict[str, int]]:
        """Return all servers in an order, and the place of each by its uuid.

        `keep` says that the key never changes while a server is there, so that pages of one list
        need not be sorted anew.
        """
        found = self._orders.get((key, descending)) if keep else None
        if found is None:
            servers = sorted(
                self.servers.values(), key=lambda s: (value(s), s.number), reverse=descending
            )
            found = servers, {server.uuid: row for row, server in enumerate(servers)}
            if keep:
                self._orders[key, descending] = found
        return found
