"""How entities lie in Neo4j: labels, keys, properties and relationships (docs/graph.md).

One table that the statements, the reader and the writer share. Neo4j keeps no map in a property,
so open dictionaries are JSON texts; what names another node is a relationship to it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from msgspec import Struct

from tachyon.graph.entities import KINDS, Entity, Inventory, Kind

#: Stands for null in a collected column, since collect() drops nulls; no text holds a NUL.
NONE = "\x00"


class Reference(Struct, frozen=True):
    """A field that names other nodes: one relationship per name, made with the node if need be.

    The relationships of a field with several names carry the name's `position` in it.
    """

    field: str
    relationship: str
    label: str
    key: str
    several: bool = False


#: The label of each kind; the key property is the field that `KINDS` names.
LABELS: dict[Kind, str] = {
    "availability_zone": "AvailabilityZone",
    "host_aggregate": "HostAggregate",
    "project": "Project",
    "flavor": "Flavor",
    "server_group": "ServerGroup",
    "provider": "ResourceProvider",
    "consumer": "Consumer",
}

#: Kinds whose nodes may stand for a mere name; one that has a record is `described`.
RECORD_KINDS: tuple[Kind, ...] = (
    "availability_zone",
    "host_aggregate",
    "project",
    "flavor",
    "server_group",
)

REFERENCES: dict[Kind, tuple[Reference, ...]] = {
    "host_aggregate": (Reference("availability_zone", "LOCATED_IN", "AvailabilityZone", "name"),),
    "provider": (
        Reference("availability_zone", "LOCATED_IN", "AvailabilityZone", "name"),
        Reference("aggregates", "MEMBER_OF", "HostAggregate", "name", several=True),
        Reference("traits", "HAS_TRAIT", "Trait", "name", several=True),
    ),
    "consumer": (
        Reference("project_id", "OWNED_BY", "Project", "external_id"),
        Reference("flavor_id", "OF_TYPE", "Flavor", "id"),
        Reference("server_group", "MEMBER_OF", "ServerGroup", "uuid"),
        Reference("pinned_az", "PINNED_TO", "AvailabilityZone", "name"),
    ),
}

#: Nodes that live only as long as something refers to them, with the key of each label.
#: An AbsentConsumer is what a volume is attached to although the graph does not know it.
NAMED: dict[str, str] = {
    "AvailabilityZone": "name",
    "HostAggregate": "name",
    "Project": "external_id",
    "Flavor": "id",
    "ServerGroup": "uuid",
    "Trait": "name",
    "ResourceClass": "name",
    "AbsentConsumer": "uuid",
}

#: Fields kept as JSON texts, absent when empty.
JSON_FIELDS: dict[Kind, tuple[str, ...]] = {
    "server_group": ("rules",),
    "host_aggregate": ("metadata",),
    "provider": ("extra",),
    "consumer": ("attachments", "metadata", "scheduler_hints", "extra"),
}

#: Fields that are neither properties nor references, but nodes or relationships of their own.
#: (Attachments are both: the JSON text is what is read back, ATTACHED_TO is for queries.)
_PARTS: dict[Kind, tuple[str, ...]] = {
    "flavor": ("extra_specs",),
    "provider": ("parent_uuid", "inventories"),
    "consumer": ("allocations",),
}


def _plain(kind: Kind) -> tuple[str, ...]:
    elsewhere = {reference.field for reference in REFERENCES.get(kind, ())}
    elsewhere.update(JSON_FIELDS.get(kind, ()), _PARTS.get(kind, ()))
    return tuple(n for n in KINDS[kind][0].__struct_fields__ if n not in elsewhere)


#: Fields that are properties as they are.
PLAIN_FIELDS: dict[Kind, tuple[str, ...]] = {kind: _plain(kind) for kind in KINDS}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_json(value: Any) -> str | None:
    """Return a dictionary or tuple as JSON text, None when it is empty."""
    return _encode(value).decode() if value else None


def from_json(text: str | None) -> Any:
    """Return what a JSON text holds; an empty dictionary for None."""
    return _decode(text) if text else {}


def properties(kind: Kind, before: Entity | None, after: Entity) -> dict[str, Any]:
    """Return the properties that differ, None for those to remove; all of them on creation."""
    found: dict[str, Any] = {}
    for name in PLAIN_FIELDS[kind]:
        now = getattr(after, name)
        if before is None or getattr(before, name) != now:
            found[name] = now
    for name in JSON_FIELDS.get(kind, ()):
        # As texts, since True, 1 and 1.0 are equal but not the same.
        text = to_json(getattr(after, name))
        if before is None or to_json(getattr(before, name)) != text:
            found[name] = text
    return found


def inventory_properties(inventory: Inventory) -> dict[str, Any]:
    """Return the properties of an Inventory node besides its key."""
    return {name: getattr(inventory, name) for name in Inventory.__struct_fields__}


def to_entity(kind: Kind, node: dict[str, Any], parts: dict[str, Any]) -> Entity:
    """Build an entity of its node's properties and the parts that lie outside of the node."""
    fields = {name: node.get(name) for name in PLAIN_FIELDS[kind]}
    for name in JSON_FIELDS.get(kind, ()):
        fields[name] = from_json(node.get(name))
    return cast(Entity, KINDS[kind][0](**fields, **parts))


def in_order(pairs: list[tuple[int, str]]) -> tuple[str, ...]:
    """Return the names of (position, name) pairs by position."""
    return tuple(name for _, name in sorted(pairs))


def from_microseconds(moment: int | None) -> datetime | None:
    """Return a UTC time of microseconds since the epoch, exactly."""
    if moment is None:
        return None
    seconds, rest = divmod(moment, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
