"""Deltas and the records of simulation sessions: what a session is made of.

The session itself (tachyon.graph.simulation) interprets deltas; stores and the API only carry
them. Property names on the wire are those of the graph's SpeculativeDelta and SimulationSession
nodes (docs/sessions.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tachyon.graph.entities import Generation, Note, Resources, State, Status, Text

SessionStatus = Literal["active", "committed", "rolled_back", "expired"]
Persistence = Literal["memory", "store"]


class DeltaBase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all deltas; `type` names the kind on the wire."""


class Move(DeltaBase, tag="MOVE"):
    """Move what a consumer holds on `from_provider` (and its children) to `to_provider`.

    `from_provider` must be where the consumer is in the session; None stands for its host there.
    `overcommit` lets it stand even where inventories have no room for it.
    """

    consumer_uuid: Text
    to_provider: Text
    from_provider: Text | None = None
    overcommit: bool = False


class Allocate(DeltaBase, tag="ALLOCATE"):
    """Give a consumer resources on a provider, in addition to what it holds.

    A consumer that the graph does not know comes into being in the session, described by the
    optional fields. `overcommit` leaves capacity and unit rules unchecked.
    """

    consumer_uuid: Text
    to_provider: Text
    resources: Resources
    name: Note | UnsetType = UNSET
    consumer_type: Text | UnsetType = UNSET
    project_id: Text | UnsetType = UNSET
    flavor_id: Text | UnsetType = UNSET
    server_group: Text | UnsetType = UNSET
    pinned_az: Text | UnsetType = UNSET
    overcommit: bool = False


class Deallocate(DeltaBase, tag="DEALLOCATE"):
    """Take away what a consumer holds on `from_provider` and its children; None: all it holds."""

    consumer_uuid: Text
    from_provider: Text | None = None


class Resize(DeltaBase, tag="RESIZE"):
    """Change the amounts that a consumer holds; classes not named stay as they are.

    The amounts stand on `provider` (None: where the consumer holds that class now, or its host
    for a class that it does not hold); 0 gives a class back. `flavor_id` names the new flavor.
    """

    consumer_uuid: Text
    resources: Resources
    provider: Text | None = None
    flavor_id: Text | UnsetType = UNSET


class UpdateProvider(DeltaBase, tag="UPDATE_PROVIDER"):
    """Enable, disable, power on or off a provider, or declare it up, down or in maintenance."""

    provider_uuid: Text
    status: Status | UnsetType = UNSET
    state: State | UnsetType = UNSET
    disabled_reason: Note | UnsetType | None = UNSET
    power_state: Text | UnsetType | None = UNSET
    maintenance: bool | UnsetType = UNSET
    maintenance_reason: Note | UnsetType | None = UNSET


Delta = Move | Allocate | Deallocate | Resize | UpdateProvider

#: Fields of a provider that an UPDATE_PROVIDER delta may set.
PROVIDER_FIELDS = tuple(n for n in UpdateProvider.__struct_fields__ if n != "provider_uuid")


class SessionRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a session without its deltas.

    `version` rises with every change of the session; it is what two processes that hold the same
    stored session compare. Times are UTC. `delta_count` is the number of deltas in effect.
    """

    id: Text
    base_generation: Generation
    created_at: datetime
    expires_at: datetime
    audit_uuid: Text | None = None
    name: Note = ""
    status: SessionStatus = "active"
    delta_count: Annotated[int, Meta(ge=0)] = 0
    version: Annotated[int, Meta(ge=0)] = 0
    persistence: Persistence = "memory"
    closed_at: datetime | None = None
