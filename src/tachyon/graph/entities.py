"""The nodes of the cluster graph as typed, immutable records.

Everything that enters or leaves the graph (stores, API, cluster files, collectors) passes through
these types, so what is valid is said once, here. Names are OpenStack Placement's and Nova's;
labels and relationships are those of the Watcher model mapping (docs/graph.md). Amounts are whole
numbers in the unit of their resource class (VCPU, MEMORY_MB, DISK_GB …).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

# Bounds keep every sum over a cluster inside 64-bit integers: 2**40 × 8 million allocations.
AMOUNT_MAX = 2**40

#: A key, name or short text: one line, no control characters (PostgreSQL stores no NUL).
# `(?!\n)`: in Python `$` also stands before a last line end; ECMA and Python both know this form.
Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
#: Free text such as a reason; may be empty.
Note = Annotated[str, Meta(max_length=1024, pattern=r"^[^\x00]*$")]
#: Name of a resource class or trait, as Placement writes them.
Symbol = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[A-Z0-9_]+$(?!\n)")]
Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
Unit = Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]
Ratio = Annotated[float, Meta(ge=0, le=1e6)]
Generation = Annotated[int, Meta(ge=0, le=2**62)]
Status = Literal["enabled", "disabled"]
State = Literal["up", "down"]
Policy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]

#: Amounts by resource class.
Resources = dict[Symbol, Amount]
#: What a consumer holds: provider uuid → resource class → amount (Placement's "allocations").
Allocations = dict[Text, Resources]

#: Providers that consumers are placed on as a whole. Their children (NUMA nodes, PCI devices)
#: and sharing providers hold parts of a consumer, but are nobody's host.
HOST_TYPES = frozenset({"compute", "baremetal", "pool"})


class Inventory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of one resource class a provider has.

    The capacity, `(total - reserved) * allocation_ratio`, is computed and never stored. An amount
    can be allocated when it is at least `min_unit`, at most `max_unit`, a multiple of `step_size`
    and fits into what is left (Placement API, "inventories").
    """

    total: Amount
    reserved: Amount = 0
    allocation_ratio: Ratio = 1.0
    min_unit: Unit = 1
    max_unit: Unit = AMOUNT_MAX
    step_size: Unit = 1

    @property
    def capacity(self) -> float:
        """What can be allocated in all, in the class's unit; never negative."""
        return max(0, self.total - self.reserved) * self.allocation_ratio


class ResourceProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A compute host, storage host, pool, baremetal node, or a part of one.

    `generation` rises with every change of the provider itself and of the allocations on it; the
    store sets it. `aggregates` are names of host aggregates, `availability_zone` is the zone's
    name, `extra` holds what only one kind of provider has (pool capacities, Ironic's extra …).
    """

    uuid: Text
    name: Text
    type: Text = "compute"
    generation: Generation = 0
    parent_uuid: Text | None = None
    status: Status = "enabled"
    state: State = "up"
    disabled_reason: Note | None = None
    power_state: Text | None = None
    maintenance: bool = False
    maintenance_reason: Note | None = None
    availability_zone: Text | None = None
    aggregates: tuple[Text, ...] = ()
    traits: tuple[Symbol, ...] = ()
    inventories: dict[Symbol, Inventory] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


class Attachment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A volume attached to an instance (ATTACHED_TO)."""

    consumer_uuid: Text
    attachment_id: Text | None = None


class Consumer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instance or a volume, and what it holds.

    `generation` rises with every change; `placed` is the global generation at which its
    allocations last changed (it orders the consumers of a provider as they arrived there). Both
    are set by the store. `scheduler_hints` are Nova's; `extra` holds what only one kind has.
    """

    uuid: Text
    name: Note = ""
    type: Text = "instance"
    generation: Generation = 0
    placed: Generation = 0
    state: Text = "active"
    status: Text | None = None
    locked: bool = False
    watcher_exclude: bool = False
    bootable: bool | None = None
    created_at: datetime | None = None
    project_id: Text | None = None
    flavor_id: Text | None = None
    server_group: Text | None = None
    pinned_az: Text | None = None
    attachments: tuple[Attachment, ...] = ()
    allocations: Allocations = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    scheduler_hints: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


class Flavor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nova's flavor or Cinder's volume type; extra specs carry required traits and properties."""

    id: Text
    name: Note = ""
    vcpus: Amount = 0
    memory_mb: Amount = 0
    disk_gb: Amount = 0
    ephemeral_gb: Amount = 0
    swap_mb: Amount = 0
    extra_specs: dict[str, str] = field(default_factory=dict)


class Project(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Keystone project."""

    external_id: Text
    name: Note = ""


class ServerGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Nova server group; its members are the consumers that name it.

    `rules` may hold `max_server_per_host` (anti-affinity only).
    """

    uuid: Text
    name: Note = ""
    policy: Policy
    rules: dict[str, Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]] = field(default_factory=dict)


class HostAggregate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Nova host aggregate; its members are the providers that name it.

    `id` is Nova's integer id, by which audit scopes name it.
    """

    name: Text
    uuid: Text | None = None
    id: Annotated[int, Meta(ge=0, le=2**62)] | None = None
    availability_zone: Text | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class AvailabilityZone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An availability zone; its members are the providers that name it."""

    name: Text


Entity = (
    ResourceProvider | Consumer | Flavor | Project | ServerGroup | HostAggregate | AvailabilityZone
)

Kind = Literal[
    "provider",
    "consumer",
    "flavor",
    "project",
    "server_group",
    "host_aggregate",
    "availability_zone",
]

#: Every kind of node that has a record of its own, with its type and the field that is its key.
#: The order is that in which references are satisfied: what is named stands before what names it.
KINDS: dict[Kind, tuple[type[Any], str]] = {
    "availability_zone": (AvailabilityZone, "name"),
    "host_aggregate": (HostAggregate, "name"),
    "project": (Project, "external_id"),
    "flavor": (Flavor, "id"),
    "server_group": (ServerGroup, "uuid"),
    "provider": (ResourceProvider, "uuid"),
    "consumer": (Consumer, "uuid"),
}

KIND_OF: dict[type[Any], Kind] = {cls: kind for kind, (cls, _) in KINDS.items()}


def key_of(entity: Entity) -> str:
    """Return the key of an entity within its kind."""
    return str(getattr(entity, KINDS[KIND_OF[type(entity)]][1]))
