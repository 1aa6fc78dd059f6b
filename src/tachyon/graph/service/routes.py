"""Every route of the API in one literal table.

Routing, validation, policies and the OpenAPI document derive from it, and so do the calls of
the client: `operation` is the name of the call there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from tachyon.graph import entities as e
from tachyon.graph.deltas import Delta, SessionRecord
from tachyon.graph.service import bodies as b
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.handlers import consumer, graph, provider, root, session
from tachyon.graph.service.handlers.record import LISTS, RecordHandlers
from tachyon.graph.service.model import Model
from tachyon.graph.simulation.commit import NetEffect, Validation
from tachyon.graph.simulation.comparison import Comparison
from tachyon.graph.simulation.registry import Statistics
from tachyon.graph.store.contract import Applied
from tachyon.graph.view import View

#: Who may call: everybody, or those whom the policy rule `graph:<name>` allows.
Policy = Literal["public", "read", "simulate", "write", "administer"]
Handler = Callable[[Model, Call], Answer]


class Route(Struct, frozen=True, eq=False):
    """One method of one path.

    `{names}` in the path are keys of entities. A `guarded` route heeds If-Match and
    If-None-Match, a `bulk` one reads bodies up to the larger bound, and the body of an
    `optional` one may be left out.
    """

    method: Literal["GET", "PUT", "PATCH", "POST", "DELETE"]
    path: str
    operation: str
    handler: Handler
    policy: Policy
    response: Any
    query: type[b.Query] = b.Query
    body: Any = None
    status: int = 200
    guarded: bool = False
    bulk: bool = False
    optional: bool = False

    @property
    def idempotent(self) -> bool:
        """Whether calling twice is calling once: clients may try such a call again."""
        return self.method == "GET" or self.operation.split(".")[-1] in _QUESTIONS


#: Questions that are POSTed because they are long.
_QUESTIONS = frozenset({"find_placements", "find_usages", "destinations", "evaluate"})


def _records(kind: Any, path: str, plural: str) -> tuple[Route, ...]:
    handlers = RecordHandlers(kind)
    cls = e.KINDS[kind][0]
    one = f"/v1/{path}/{{key}}"
    return (
        Route("GET", f"/v1/{path}", plural, handlers.list, "read", LISTS[handlers.kind]),
        Route("GET", one, kind, handlers.get, "read", cls),
        Route("PUT", one, f"put_{kind}", handlers.put, "write", Applied, body=cls),
        Route("DELETE", one, f"remove_{kind}", handlers.remove, "write", Applied),
    )


# fmt: off
# ruff: noqa: E501 (a route is a line, however long)
_P = "/v1/providers/{uuid}"
_C = "/v1/consumers/{uuid}"
_S = "/v1/sessions/{session}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/", "versions", root.versions, "public", b.Versions),
    Route("GET", "/v1", "version", root.version, "public", b.VersionDocument),
    Route("GET", "/v1/health", "health", root.health, "public", b.Health),

    Route("GET", "/v1/providers", "providers", provider.providers, "read", b.ProviderList, b.ProviderQuery),
    Route("GET", _P, "provider", provider.provider, "read", e.ResourceProvider),
    Route("PUT", _P, "put_provider", provider.put_provider, "write", Applied, body=e.ResourceProvider, guarded=True),
    Route("PATCH", _P, "patch_provider", provider.patch_provider, "write", Applied, body=b.ProviderPatch, guarded=True),
    Route("DELETE", _P, "remove_provider", provider.remove_provider, "write", Applied, b.Cascade, guarded=True),
    Route("GET", f"{_P}/inventories", "inventories", provider.inventories, "read", b.Inventories),
    Route("PUT", f"{_P}/inventories", "put_inventories", provider.put_inventories, "write", Applied, body=b.Inventories, guarded=True),
    Route("DELETE", f"{_P}/inventories", "remove_inventories", provider.remove_inventories, "write", Applied, guarded=True),
    Route("GET", f"{_P}/usages", "provider_usages", provider.provider_usages, "read", b.ProviderUsages),
    Route("GET", f"{_P}/consumers", "provider_consumers", provider.provider_consumers, "read", b.Names),
    Route("GET", "/v1/usages", "usages", provider.usages, "read", b.Usages, b.ProviderNames),

    Route("GET", "/v1/consumers", "consumers", consumer.consumers, "read", b.ConsumerList, b.ConsumerQuery),
    Route("GET", _C, "consumer", consumer.consumer, "read", e.Consumer),
    Route("PUT", _C, "put_consumer", consumer.put_consumer, "write", Applied, body=e.Consumer, guarded=True),
    Route("PATCH", _C, "patch_consumer", consumer.patch_consumer, "write", Applied, body=b.ConsumerPatch, guarded=True),
    Route("DELETE", _C, "remove_consumer", consumer.remove_consumer, "write", Applied, guarded=True),
    Route("GET", f"{_C}/allocations", "allocations", consumer.allocations, "read", b.Held),
    Route("PUT", f"{_C}/allocations", "put_allocations", consumer.put_allocations, "write", Applied, body=b.Held, guarded=True),
    Route("DELETE", f"{_C}/allocations", "remove_allocations", consumer.remove_allocations, "write", Applied, guarded=True),

    *_records("flavor", "flavors", "flavors"),
    *_records("project", "projects", "projects"),
    *_records("server_group", "server-groups", "server_groups"),
    *_records("host_aggregate", "host-aggregates", "host_aggregates"),
    *_records("availability_zone", "availability-zones", "availability_zones"),

    Route("POST", "/v1/mutations", "apply", graph.apply, "write", Applied, body=b.Transaction, bulk=True),
    Route("POST", "/v1/synchronise", "synchronise", graph.synchronise, "write", Applied, body=b.Synchronisation, guarded=True, bulk=True),
    Route("GET", "/v1/snapshot", "snapshot", graph.snapshot, "read", View),
    Route("GET", "/v1/changes", "changes", graph.changes, "read", b.Feed, b.ChangesSince),
    Route("POST", "/v1/changes/trim", "trim", graph.trim, "administer", b.Trimmed, body=b.Trim),

    Route("POST", "/v1/sessions", "sessions.create", session.create, "simulate", SessionRecord, body=b.NewSession, status=201, optional=True),
    Route("GET", "/v1/sessions", "sessions.list", session.sessions, "read", b.SessionList, b.SessionQuery),
    Route("GET", "/v1/sessions/statistics", "sessions.statistics", session.statistics, "read", Statistics),
    Route("POST", "/v1/sessions/expire", "sessions.expire", session.expire, "administer", b.Expired),
    Route("GET", _S, "sessions.get", session.get, "read", SessionRecord),
    Route("DELETE", _S, "sessions.delete", session.delete, "simulate", None),
    Route("POST", f"{_S}/extend", "sessions.extend", session.extend, "simulate", SessionRecord, body=b.Extension, optional=True),
    Route("POST", f"{_S}/deltas", "sessions.record", session.record, "simulate", b.Recorded, body=Delta | list[Delta]),
    Route("GET", f"{_S}/deltas", "sessions.history", session.history, "read", b.History, b.Since),
    Route("POST", f"{_S}/undo", "sessions.undo", session.undo, "simulate", b.Recorded, body=b.Undo, optional=True),
    Route("POST", f"{_S}/fork", "sessions.fork", session.fork, "simulate", SessionRecord, body=b.Fork, status=201, optional=True),
    Route("GET", f"{_S}/placements", "sessions.placements", session.placements, "read", b.Placements, b.ConsumerNames),
    Route("POST", f"{_S}/placements", "sessions.find_placements", session.find_placements, "read", b.Placements, body=b.PlacementsOf),
    Route("GET", f"{_S}/usages", "sessions.usages", session.usages, "read", b.Usages, b.ProviderNames),
    Route("POST", f"{_S}/usages", "sessions.find_usages", session.find_usages, "read", b.Usages, body=b.UsagesOf),
    Route("GET", f"{_S}/providers/{{uuid}}", "sessions.provider", session.provider, "read", e.ResourceProvider),
    Route("GET", f"{_S}/providers/{{uuid}}/consumers", "sessions.consumers_of", session.consumers_of, "read", b.Names),
    Route("POST", f"{_S}/destinations", "sessions.destinations", session.destinations, "read", b.Found, body=b.DestinationsOf),
    Route("GET", f"{_S}/metrics", "sessions.metrics", session.metrics, "read", b.Metrics, b.Counted),
    Route("POST", f"{_S}/evaluate", "sessions.evaluate", session.evaluate, "read", b.Evaluated, body=b.Candidates),
    Route("GET", f"{_S}/compare", "sessions.compare", session.compare, "read", Comparison, b.Other),
    Route("GET", f"{_S}/effect", "sessions.effect", session.effect, "read", NetEffect),
    Route("GET", f"{_S}/validate", "sessions.validate", session.validate, "read", Validation),
    Route("POST", f"{_S}/commit", "sessions.commit", session.commit, "write", b.Committed),
    Route("POST", f"{_S}/rollback", "sessions.rollback", session.rollback, "simulate", SessionRecord),
)
# fmt: on

BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES}
