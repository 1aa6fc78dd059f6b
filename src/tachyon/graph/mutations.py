"""What can be done to the graph: the vocabulary of `Store.apply`, the API and the collectors.

Every mutation is absolute ("this is so now"), so repeating one changes nothing and raises no
generation. Single changes name one entity; `Synchronise` states everything of some types at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from tachyon.graph.entities import (
    Allocations,
    Attachment,
    AvailabilityZone,
    Consumer,
    Flavor,
    Generation,
    HostAggregate,
    Inventory,
    Note,
    Project,
    ResourceProvider,
    ServerGroup,
    State,
    Status,
    Symbol,
    Text,
)

RecordKind = Literal["flavor", "project", "server_group", "host_aggregate", "availability_zone"]


class Mutation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op"):
    """Base of all mutations; `op` names the kind on the wire."""


class PutProvider(Mutation, tag="put_provider"):
    """Create a resource provider, or replace all that is known of it."""

    provider: ResourceProvider


class PatchProvider(Mutation, tag="patch_provider"):
    """Change some fields of a resource provider; what is not given stays."""

    uuid: Text
    name: Text | UnsetType = UNSET
    type: Text | UnsetType = UNSET
    parent_uuid: Text | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    state: State | UnsetType = UNSET
    disabled_reason: Note | UnsetType | None = UNSET
    power_state: Text | UnsetType | None = UNSET
    maintenance: bool | UnsetType = UNSET
    maintenance_reason: Note | UnsetType | None = UNSET
    availability_zone: Text | UnsetType | None = UNSET
    aggregates: tuple[Text, ...] | UnsetType = UNSET
    traits: tuple[Symbol, ...] | UnsetType = UNSET
    inventories: dict[Symbol, Inventory] | UnsetType = UNSET
    extra: dict[str, Any] | UnsetType = UNSET


class RemoveProvider(Mutation, tag="remove_provider"):
    """Remove a resource provider.

    One that has children or allocations is refused (`ProviderInUse`), unless `cascade`: then its
    children go too, and consumers lose what they hold on any of them but stay in the graph.
    """

    uuid: Text
    cascade: bool = False


class PutConsumer(Mutation, tag="put_consumer"):
    """Create a consumer, or replace all that is known of it, allocations included."""

    consumer: Consumer


class PatchConsumer(Mutation, tag="patch_consumer"):
    """Change some fields of a consumer; `allocations`, when given, replaces all it holds."""

    uuid: Text
    name: Note | UnsetType = UNSET
    type: Text | UnsetType = UNSET
    state: Text | UnsetType = UNSET
    status: Text | UnsetType | None = UNSET
    locked: bool | UnsetType = UNSET
    watcher_exclude: bool | UnsetType = UNSET
    bootable: bool | UnsetType | None = UNSET
    created_at: datetime | UnsetType | None = UNSET
    project_id: Text | UnsetType | None = UNSET
    flavor_id: Text | UnsetType | None = UNSET
    server_group: Text | UnsetType | None = UNSET
    pinned_az: Text | UnsetType | None = UNSET
    attachments: tuple[Attachment, ...] | UnsetType = UNSET
    allocations: Allocations | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    scheduler_hints: dict[str, Any] | UnsetType = UNSET
    extra: dict[str, Any] | UnsetType = UNSET


class RemoveConsumer(Mutation, tag="remove_consumer"):
    """Remove a consumer and all it holds."""

    uuid: Text


class PutFlavor(Mutation, tag="put_flavor"):
    """Create or replace a flavor."""

    flavor: Flavor


class PutProject(Mutation, tag="put_project"):
    """Create or replace a project."""

    project: Project


class PutServerGroup(Mutation, tag="put_server_group"):
    """Create or replace a server group."""

    server_group: ServerGroup


class PutHostAggregate(Mutation, tag="put_host_aggregate"):
    """Create or replace a host aggregate."""

    host_aggregate: HostAggregate


class PutAvailabilityZone(Mutation, tag="put_availability_zone"):
    """Create an availability zone."""

    availability_zone: AvailabilityZone


class RemoveRecord(Mutation, tag="remove_record"):
    """Remove what is known of a flavor, project, server group, host aggregate or zone.

    References to it are names and stay; they point at something not described any more.
    """

    kind: RecordKind
    key: Text


class Cluster(Struct, kw_only=True, forbid_unknown_fields=True):
    """A set of entities: the content of a cluster file or of a full synchronisation."""

    providers: list[ResourceProvider] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    flavors: list[Flavor] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    server_groups: list[ServerGroup] = field(default_factory=list)
    host_aggregates: list[HostAggregate] = field(default_factory=list)
    availability_zones: list[AvailabilityZone] = field(default_factory=list)


class Synchronise(Mutation, tag="synchronise"):
    """State that `cluster` is now everything of some types: upsert what differs, prune the rest.

    `provider_types` and `consumer_types` name the types whose missing members are pruned (a pruned
    provider as by `RemoveProvider(cascade=True)`); `records` names the kinds of records pruned.
    None means every type or kind. Entities outside the pruned types may be in `cluster` and
    are upserted. What changed after generation `since` (an event that arrived while the cloud
    was being read) is newer than the synchronisation and is left as it is.
    """

    cluster: Cluster
    provider_types: tuple[Text, ...] | None = None
    consumer_types: tuple[Text, ...] | None = None
    records: tuple[RecordKind, ...] | None = None
    since: Generation | None = None


AnyMutation = (
    PutProvider
    | PatchProvider
    | RemoveProvider
    | PutConsumer
    | PatchConsumer
    | RemoveConsumer
    | PutFlavor
    | PutProject
    | PutServerGroup
    | PutHostAggregate
    | PutAvailabilityZone
    | RemoveRecord
    | Synchronise
)


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Generations that must still hold when a transaction is applied.

    A generation of 0 says "must not exist". `graph` guards the global generation.
    """

    graph: Generation | None = None
    providers: dict[Text, Generation] = field(default_factory=dict)
    consumers: dict[Text, Generation] = field(default_factory=dict)


def patch_fields(mutation: PatchProvider | PatchConsumer) -> dict[str, Any]:
    """Return the fields that a patch sets, as a mapping of field name to new value."""
    return {
        name: value
        for name in mutation.__struct_fields__
        if name != "uuid" and (value := getattr(mutation, name)) is not msgspec.UNSET
    }
