"""The client: every call of the API as a typed method, in process or over HTTP."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import msgspec

from tachyon.errors import GenerationTooOld
from tachyon.graph import entities as e
from tachyon.graph import mutations as m
from tachyon.graph.client.caller import Caller
from tachyon.graph.client.sessions import Sessions
from tachyon.graph.client.transport import Transport
from tachyon.graph.service import bodies as b
from tachyon.graph.simulation.session import Usage
from tachyon.graph.store import Applied, Change
from tachyon.graph.view import View, rewind

Record = TypeVar("Record", bound=msgspec.Struct)
Patched = TypeVar("Patched", m.PatchProvider, m.PatchConsumer)

#: Wide pages: fewer requests, and fewer chances that the graph moves in between.
_PAGE = 10_000


class GraphClient(Caller):
    """A graph, and its sessions at `sessions`. Safe to use from several threads.

    `generation` arguments guard a write: the generation that the entity must still have, 0 when
    it must not exist; `GenerationConflict` otherwise.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.sessions = Sessions(transport)
        self._view: View | None = None
        self._views: weakref.WeakValueDictionary[int, View] = weakref.WeakValueDictionary()
        self._view_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release connections, and the store when it was opened for this client."""
        self._transport.close()

    def view(self) -> View:
        """Return the whole graph as it is now; kept, and carried forward by what changed."""
        with self._view_lock:
            self._view = self._transport.view(self._view)
            self._views[self._view.generation] = self._view
            return self._view

    def view_at(self, generation: int) -> View:
        """Return the whole graph as it was at a generation, on which a session may stand.

        Raises:
            GenerationTooOld: the change log does not reach back so far.
        """
        known = self._views.get(generation)
        if known is not None:
            return known
        view = self.view()
        if view.generation == generation:
            return view
        if generation > view.generation:
            raise GenerationTooOld(generation, view.generation)
        steps: list[Change] = []
        reached = generation
        while reached < view.generation:
            feed = self.changes(reached)
            steps.extend(c for c in feed.changes if c.generation <= view.generation)
            reached = feed.generation
        older = self._views[generation] = rewind(view, steps, generation)
        return older

    def versions(self) -> b.Versions:
        """Return the versions of the API."""
        return self._call("versions", b.Versions)

    def version(self) -> b.VersionDocument:
        """Return the version of the API that these calls are of."""
        return self._call("version", b.VersionDocument)

    def health(self) -> b.Health:
        """Return how the service is; raises `StoreUnavailable` when its store does not answer."""
        return self._call("health", b.Health)

    def apply(
        self, mutations: Sequence[m.AnyMutation], expected: m.Expected | None = None
    ) -> Applied:
        """Apply mutations in one durable transaction, all of them or none."""
        return self._call("apply", Applied, body=b.Transaction([*mutations], expected))

    def synchronise(
        self,
        cluster: m.Cluster,
        *,
        provider_types: Sequence[str] | None = None,
        consumer_types: Sequence[str] | None = None,
        records: Sequence[m.RecordKind] | None = None,
        since: int | None = None,
        generation: int | None = None,
    ) -> Applied:
        """State that a cluster is now everything of some types; see `Synchronise`."""
        body = b.Synchronisation(
            cluster=cluster,
            provider_types=provider_types,
            consumer_types=consumer_types,
            records=records,
            since=since,
        )
        return self._call("synchronise", Applied, body=body, expected=generation)

    def changes(self, since: int, *, limit: int = 10_000, wait: float = 0.0) -> b.Feed:
        """Return what changed after a generation; waits up to `wait` seconds for something."""
        return self._call("changes", b.Feed, query={"since": since, "limit": limit, "wait": wait})

    def trim(self, keep: int) -> b.Trimmed:
        """Forget logged transactions but those of the last `keep` generations."""
        return self._call("trim", b.Trimmed, body=b.Trim(keep))

    def providers(
        self,
        *,
        type: str | Sequence[str] = (),
        name: str | None = None,
        parent_uuid: str | None = None,
        availability_zone: str | None = None,
        aggregate: str | None = None,
        in_service: bool | None = None,
    ) -> list[e.ResourceProvider]:
        """Return resource providers in graph order."""
        query = {
            "type": type,
            "name": name,
            "parent_uuid": parent_uuid,
            "availability_zone": availability_zone,
            "aggregate": aggregate,
            "in_service": in_service,
            "limit": _PAGE,
        }
        return self._pages("providers", b.ProviderList, query, lambda page: page.providers)

    def provider(self, uuid: str) -> e.ResourceProvider:
        """Return a resource provider; raises `ProviderNotFound`."""
        return self._call("provider", e.ResourceProvider, {"uuid": uuid})

    def put_provider(
        self, provider: e.ResourceProvider, *, generation: int | None = None
    ) -> Applied:
        """Create a resource provider, or replace all that is known of it."""
        return self._put("provider", provider.uuid, provider, generation)

    def patch_provider(self, patch: m.PatchProvider, *, generation: int | None = None) -> Applied:
        """Change some fields of a resource provider."""
        return self._patch("provider", patch, generation)

    def remove_provider(
        self, uuid: str, *, cascade: bool = False, generation: int | None = None
    ) -> Applied:
        """Remove a resource provider; raises `ProviderInUse` unless `cascade`."""
        path, query = {"uuid": uuid}, {"cascade": cascade}
        return self._call("remove_provider", Applied, path, query=query, expected=generation)

    def inventories(self, uuid: str) -> dict[str, e.Inventory]:
        """Return the inventories of a resource provider."""
        return self._call("inventories", b.Inventories, {"uuid": uuid}).inventories

    def put_inventories(
        self, uuid: str, inventories: Mapping[str, e.Inventory], *, generation: int | None = None
    ) -> Applied:
        """Replace the inventories of a resource provider."""
        return self._put("inventories", uuid, b.Inventories(dict(inventories)), generation)

    def remove_inventories(self, uuid: str, *, generation: int | None = None) -> Applied:
        """Remove the inventories of a resource provider."""
        return self._call("remove_inventories", Applied, {"uuid": uuid}, expected=generation)

    def provider_usages(self, uuid: str) -> dict[str, Usage]:
        """Return usage and capacity of a resource provider by class."""
        return self._call("provider_usages", b.ProviderUsages, {"uuid": uuid}).usages

    def provider_consumers(self, uuid: str) -> Sequence[str]:
        """Return the consumers that hold something on a provider, in the order of arrival."""
        return self._call("provider_consumers", b.Names, {"uuid": uuid}).consumers

    def usages(self, providers: Sequence[str] = ()) -> dict[str, dict[str, Usage]]:
        """Return usage by provider uuid and class; of all providers when none is named."""
        return self._call("usages", b.Usages, query={"provider": providers}).usages

    def consumers(
        self,
        *,
        provider: str | None = None,
        type: str | Sequence[str] = (),
        name: str | None = None,
        state: str | None = None,
        project: str | None = None,
        flavor: str | None = None,
        server_group: str | None = None,
    ) -> list[e.Consumer]:
        """Return consumers in graph order."""
        query = {
            "provider": provider,
            "type": type,
            "name": name,
            "state": state,
            "project": project,
            "flavor": flavor,
            "server_group": server_group,
            "limit": _PAGE,
        }
        return self._pages("consumers", b.ConsumerList, query, lambda page: page.consumers)

    def consumer(self, uuid: str) -> e.Consumer:
        """Return a consumer; raises `ConsumerNotFound`."""
        return self._call("consumer", e.Consumer, {"uuid": uuid})

    def put_consumer(self, consumer: e.Consumer, *, generation: int | None = None) -> Applied:
        """Create a consumer, or replace all that is known of it, allocations included."""
        return self._put("consumer", consumer.uuid, consumer, generation)

    def patch_consumer(self, patch: m.PatchConsumer, *, generation: int | None = None) -> Applied:
        """Change some fields of a consumer."""
        return self._patch("consumer", patch, generation)

    def remove_consumer(self, uuid: str, *, generation: int | None = None) -> Applied:
        """Remove a consumer and all it holds."""
        return self._call("remove_consumer", Applied, {"uuid": uuid}, expected=generation)

    def allocations(self, uuid: str) -> e.Allocations:
        """Return what a consumer holds."""
        return self._call("allocations", b.Held, {"uuid": uuid}).allocations

    def put_allocations(
        self, uuid: str, allocations: e.Allocations, *, generation: int | None = None
    ) -> Applied:
        """Replace what a consumer holds."""
        return self._put("allocations", uuid, b.Held(allocations), generation)

    def remove_allocations(self, uuid: str, *, generation: int | None = None) -> Applied:
        """Take away all that a consumer holds."""
        return self._call("remove_allocations", Applied, {"uuid": uuid}, expected=generation)

    def flavors(self) -> Sequence[e.Flavor]:
        """Return all flavors by id."""
        return self._call("flavors", b.FlavorList).flavors

    def projects(self) -> Sequence[e.Project]:
        """Return all projects by external id."""
        return self._call("projects", b.ProjectList).projects

    def server_groups(self) -> Sequence[e.ServerGroup]:
        """Return all server groups by uuid."""
        return self._call("server_groups", b.ServerGroupList).server_groups

    def host_aggregates(self) -> Sequence[e.HostAggregate]:
        """Return all host aggregates by name."""
        return self._call("host_aggregates", b.HostAggregateList).host_aggregates

    def availability_zones(self) -> Sequence[e.AvailabilityZone]:
        """Return all availability zones by name."""
        return self._call("availability_zones", b.AvailabilityZoneList).availability_zones

    def record(self, cls: type[Record], key: str) -> Record:
        """Return a flavor, project, server group, host aggregate or zone; raises `NotFound`."""
        return self._call(e.KIND_OF[cls], cls, {"key": key})

    def put_record(self, record: e.Entity) -> Applied:
        """Create or replace a flavor, project, server group, host aggregate or zone."""
        path = {"key": e.key_of(record)}
        return self._call(f"put_{e.KIND_OF[type(record)]}", Applied, path, body=record)

    def remove_record(self, kind: m.RecordKind, key: str) -> Applied:
        """Remove a flavor, project, server group, host aggregate or zone."""
        return self._call(f"remove_{kind}", Applied, {"key": key})

    def _put(self, noun: str, uuid: str, body: Any, generation: int | None) -> Applied:
        path = {"uuid": uuid}
        return self._call(f"put_{noun}", Applied, path, body=body, expected=generation)

    def _patch(self, noun: str, patch: Patched, generation: int | None) -> Applied:
        path, body = {"uuid": patch.uuid}, m.patch_fields(patch)
        return self._call(f"patch_{noun}", Applied, path, body=body, expected=generation)
