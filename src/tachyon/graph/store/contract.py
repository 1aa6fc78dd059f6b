"""The contract of a store: what views, sessions and the service may ask of the durable graph.

Reads are served by views, so a store has little to do: apply transactions, load everything, tell
what changed, and keep sessions. `tests/conformance` is one suite that every store passes.

Rules that hold for every store:

* `apply` is one durable transaction. It raises the global generation by one when anything changed
  and not at all otherwise. The `generation` of every touched provider and consumer becomes the
  new global generation: an entity's generation says when it last changed, so it never repeats,
  not even for an entity that was removed and created again. A change of allocations touches
  the consumer and the providers involved.
* The change log is written in the same transaction as the change, with images before and after,
  so that a view can be carried forward and back.
* Writers are serialised by the row or node that holds the global generation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from msgspec import Struct, field

from tachyon.graph.deltas import Delta, SessionRecord, SessionStatus
from tachyon.graph.entities import (
    AvailabilityZone,
    Flavor,
    HostAggregate,
    Kind,
    Project,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.mutations import AnyMutation, Expected


class Applied(Struct, frozen=True):
    """The outcome of `apply`: the generation now in force, and how many entities changed."""

    generation: int
    changed: int


class Change(Struct, frozen=True, kw_only=True):
    """One entity's change within a transaction.

    `before` and `after` hold the fields that differ, as plain JSON values; a whole image on
    creation (`before` is None) and removal (`after` is None). Applying `after` twice is harmless.
    `position` is the place of a created or removed provider or consumer in the order of arrival
    (see `Snapshot`), so that who follows the feed, forward or back, keeps that order.
    """

    generation: int
    kind: Kind
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    position: int | None = None


class ChangeSet(Struct, frozen=True):
    """Whole transactions after a generation, in order.

    `generation` is that of the last transaction in the set (the asked one, when there is none);
    `more` says that the limit cut the set short.
    """

    generation: int
    changes: list[Change]
    more: bool = False


class ConsumerColumns(Struct, kw_only=True):
    """All consumers as parallel lists, in the order in which they came into the graph.

    `key` is a consumer's position: a number that rises with the order of arrival, and by which
    `Snapshot.allocation_consumer` refers to it.
    `attachments`, `metadata`, `scheduler_hints` and `extra` are JSON texts, None when empty.
    """

    key: Sequence[int] = ()
    uuid: Sequence[str] = ()
    name: Sequence[str] = ()
    type: Sequence[str] = ()
    generation: Sequence[int] = ()
    placed: Sequence[int] = ()
    state: Sequence[str] = ()
    status: Sequence[str | None] = ()
    locked: Sequence[bool] = ()
    watcher_exclude: Sequence[bool] = ()
    bootable: Sequence[bool | None] = ()
    created_at: Sequence[int | None] = ()  # microseconds since the epoch, UTC
    project_id: Sequence[str | None] = ()
    flavor_id: Sequence[str | None] = ()
    server_group: Sequence[str | None] = ()
    pinned_az: Sequence[str | None] = ()
    attachments: Sequence[str | None] = ()
    metadata: Sequence[str | None] = ()
    scheduler_hints: Sequence[str | None] = ()
    extra: Sequence[str | None] = ()


class Snapshot(Struct, kw_only=True):
    """The whole graph at one generation, in the form that a view is built from.

    Providers come in the order in which they came into the graph, with a position each
    (`provider_key`, rising) by which `allocation_provider` refers to them. The allocation lists
    are parallel, in any order.
    """

    generation: int
    providers: list[ResourceProvider] = field(default_factory=list)
    provider_key: Sequence[int] = ()
    consumers: ConsumerColumns = field(default_factory=ConsumerColumns)
    allocation_consumer: Sequence[int] = ()
    allocation_provider: Sequence[int] = ()
    allocation_class: Sequence[str] = ()
    allocation_amount: Sequence[int] = ()
    flavors: list[Flavor] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    server_groups: list[ServerGroup] = field(default_factory=list)
    host_aggregates: list[HostAggregate] = field(default_factory=list)
    availability_zones: list[AvailabilityZone] = field(default_factory=list)


class Store(ABC):
    """A durable cluster graph. Safe to use from several threads; several processes may share one.

    Every method raises `StoreUnavailable` when the server behind it cannot be reached or stays
    too busy.
    """

    @classmethod
    @abstractmethod
    def open(cls, url: str) -> Self:
        """Return a store for `url`; connects lazily or at once, as the driver does."""

    @abstractmethod
    def create_schema(self) -> None:
        """Create what is missing (tables, indexes, the global state); idempotent, race-free."""

    @abstractmethod
    def close(self) -> None:
        """Release every connection."""

    @abstractmethod
    def generation(self) -> int:
        """Return the global generation; also serves as the check that the store answers."""

    @abstractmethod
    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None = None) -> Applied:
        """Apply mutations in order as one durable transaction; all of them or none.

        Raises:
            GenerationConflict: an expected generation has moved; names each one.
            InvalidInput, NotFound, ProviderInUse, InventoryMissing: as `transition` documents.
        """

    @abstractmethod
    def load(self) -> Snapshot:
        """Return everything at one generation."""

    @abstractmethod
    def changes(self, since: int, limit: int = 10_000) -> ChangeSet:
        """Return what changed after generation `since`, in whole transactions.

        The set is cut after the transaction that reaches `limit` changes.

        Raises:
            GenerationTooOld: the log does not reach back so far, or a transaction in between
                was too large to log (see `trim`).
        """

    @abstractmethod
    def trim(self, keep: int) -> int:
        """Forget logged transactions but those of the last `keep` generations.

        Transactions that active sessions need (those after the oldest base generation of any)
        stay. Returns the oldest generation from which `changes` still answers.
        """

    @abstractmethod
    def create_session(self, record: SessionRecord, deltas: Sequence[Delta] = ()) -> SessionRecord:
        """Store a new session, with deltas when it is a fork; returns the record as stored."""

    @abstractmethod
    def session(self, session_id: str) -> SessionRecord:
        """Return a session's record; raises `SessionNotFound`."""

    @abstractmethod
    def deltas(self, session_id: str, since: int = 0) -> list[Delta]:
        """Return a session's deltas in effect, in order, from position `since` (0-based)."""

    @abstractmethod
    def append_deltas(
        self, session_id: str, deltas: Sequence[Delta], version: int
    ) -> SessionRecord:
        """Append deltas to an active session whose version is `version`.

        Raises:
            SessionNotFound, SessionClosed (also for expired ones), SessionConflict.
        """

    @abstractmethod
    def undo_deltas(self, session_id: str, count: int, version: int) -> SessionRecord:
        """Drop the last `count` deltas of an active session whose version is `version`."""

    @abstractmethod
    def update_session(
        self,
        session_id: str,
        *,
        version: int,
        expires_at: datetime | None = None,
        status: SessionStatus | None = None,
        closed_at: datetime | None = None,
    ) -> SessionRecord:
        """Extend or end an active session; `rolled_back` and `expired` also drop its deltas."""

    @abstractmethod
    def commit_session(
        self,
        session_id: str,
        mutations: Sequence[AnyMutation],
        expected: Expected,
        *,
        version: int,
        closed_at: datetime,
    ) -> Applied:
        """Apply a session's net effect and mark it committed, in one transaction."""

    @abstractmethod
    def sessions(
        self, audit_uuid: str | None = None, status: SessionStatus | None = None
    ) -> list[SessionRecord]:
        """List stored sessions by creation time."""

    @abstractmethod
    def delete_session(self, session_id: str) -> None:
        """Remove a session with its deltas; raises `SessionNotFound`."""

    @abstractmethod
    def expire_sessions(self, now: datetime) -> list[str]:
        """Mark active sessions whose time has passed as expired, drop their deltas, return ids."""
