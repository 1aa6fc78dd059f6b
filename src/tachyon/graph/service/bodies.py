"""Bodies and queries of the API as types; schemas, validation and OpenAPI derive from them.

Entities, mutations, deltas and results have types of their own; here is what wraps them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from tachyon.graph import mutations as m
from tachyon.graph.deltas import Delta, Persistence, SessionRecord, SessionStatus
from tachyon.graph.entities import (
    Allocations,
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
    Symbol,
    Text,
)
from tachyon.graph.simulation.destinations import Refusal
from tachyon.graph.simulation.metrics import ClassMetrics
from tachyon.graph.simulation.session import Placement, Usage
from tachyon.graph.store.contract import Applied, Change

#: Seconds. What is longer than a session may live is refused by the registry.
Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
#: A share of a capacity; 1.0 is all of it.
Share = Annotated[float, Meta(ge=0, le=1e6)]
MetricName = Literal["mean", "std_deviation", "min", "max", "imbalance", "providers_used"]
#: Usage by provider uuid and resource class.
UsageTable = dict[str, dict[str, Usage]]


class Problem(Struct, frozen=True):
    """What went wrong: a stable code, words for people, facts for programs."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorDocument(Struct, frozen=True):
    """The body of every answer from 400 up."""

    error: Problem


class Link(Struct, frozen=True):
    """Where something is."""

    rel: str
    href: str


class VersionDocument(Struct, frozen=True):
    """One version of the API."""

    id: str
    status: str
    links: list[Link]


class Versions(Struct, frozen=True):
    """The versions of the API that are served."""

    versions: list[VersionDocument]


class Health(Struct, frozen=True, kw_only=True):
    """How the service is: the store answered, and this is how fresh the view is.

    `age` is in seconds; `view_generation` is that of the view before this request looked.
    """

    version: str
    store: Literal["ok"]
    generation: int
    view_generation: int
    age: float | None
    sessions: int


class ProviderList(Struct, frozen=True):
    """A page of providers in graph order; `next` is the marker of the next page."""

    providers: list[ResourceProvider]
    next: str | None = None


class ConsumerList(Struct, frozen=True):
    """A page of consumers in graph order; `next` is the marker of the next page."""

    consumers: list[Consumer]
    next: str | None = None


class FlavorList(Struct, frozen=True):
    """All flavors, by id."""

    flavors: list[Flavor]


class ProjectList(Struct, frozen=True):
    """All projects, by external id."""

    projects: list[Project]


class ServerGroupList(Struct, frozen=True):
    """All server groups, by uuid."""

    server_groups: list[ServerGroup]


class HostAggregateList(Struct, frozen=True):
    """All host aggregates, by name."""

    host_aggregates: list[HostAggregate]


class AvailabilityZoneList(Struct, frozen=True):
    """All availability zones, by name."""

    availability_zones: list[AvailabilityZone]


class Inventories(Struct, frozen=True, forbid_unknown_fields=True):
    """The inventories of a provider by resource class."""

    inventories: dict[Symbol, Inventory]


class Held(Struct, frozen=True, forbid_unknown_fields=True):
    """What a consumer holds: provider uuid → resource class → amount."""

    allocations: Allocations


class Usages(Struct, frozen=True):
    """Usage by provider uuid and resource class."""

    usages: UsageTable


class ProviderUsages(Struct, frozen=True):
    """Usage of one provider by resource class."""

    usages: dict[str, Usage]


class Names(Struct, frozen=True):
    """Uuids of consumers."""

    consumers: list[str]


class Feed(Struct, frozen=True):
    """Whole transactions after a generation; `more` says that the limit cut the feed short."""

    generation: int
    changes: list[Change]
    more: bool


class Trimmed(Struct, frozen=True):
    """The oldest generation from which changes can still be read."""

    oldest: int


class Transaction(Struct, frozen=True, forbid_unknown_fields=True):
    """Mutations to apply in order, all or none, where `expected` holds."""

    mutations: list[m.AnyMutation]
    expected: m.Expected | None = None


def _without(cls: type[Struct], name: str, doc: str, *left_out: str) -> type[Struct]:
    """Return a type with the fields of another, but those that the path of a request names."""
    fields: list[Any] = []
    for f in msgspec.structs.fields(cls):
        if f.name in left_out:
            continue
        if f.default_factory is not msgspec.NODEFAULT:
            fields.append((f.name, f.type, field(default_factory=f.default_factory)))
        elif f.default is not msgspec.NODEFAULT:
            fields.append((f.name, f.type, f.default))
        else:
            fields.append((f.name, f.type))
    return msgspec.defstruct(
        name, fields, kw_only=True, frozen=True, forbid_unknown_fields=True,
        namespace={"__doc__": doc}, module=__name__,
    )  # fmt: skip


ProviderPatch = _without(
    m.PatchProvider, "ProviderPatch", "Fields of a provider to change; others stay.", "uuid"
)
ConsumerPatch = _without(
    m.PatchConsumer, "ConsumerPatch", "Fields of a consumer to change; others stay.", "uuid"
)
Synchronisation = _without(
    m.Synchronise, "Synchronisation", m.Synchronise.__doc__ or "", ""
)  # fmt: skip


class NewSession(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session to open; `ttl` in seconds."""

    audit_uuid: Text | None = None
    name: Note = ""
    ttl: Seconds | None = None
    persistence: Persistence | None = None
    deltas: list[Delta] = field(default_factory=list)


class Fork(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session that starts from another's state; what is not given is the other's."""

    audit_uuid: Text | None = None
    name: Note = ""
    ttl: Seconds | None = None
    persistence: Persistence | None = None


class Extension(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds to live from now; None: the default time."""

    ttl: Seconds | None = None


class Undo(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the last deltas to take back."""

    count: Count = 1


class SessionList(Struct, frozen=True):
    """Sessions by creation time; `next` is the marker of the next page."""

    sessions: list[SessionRecord]
    next: str | None = None


class Recorded(Struct, frozen=True):
    """A session after its deltas changed, and the usages of all providers that they touched."""

    session: SessionRecord
    usages: UsageTable


class History(Struct, frozen=True):
    """The deltas of a session in effect, oldest first, from the position asked for."""

    deltas: list[Delta]


class PlacementsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """The consumers whose placements are asked for; None: all."""

    consumers: list[Text] | None = None


class Placements(Struct, frozen=True):
    """Host and allocations by consumer uuid."""

    placements: dict[str, Placement]


class UsagesOf(Struct, frozen=True, forbid_unknown_fields=True):
    """The providers whose usages are asked for; None: all."""

    providers: list[Text] | None = None


class DestinationsOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A consumer to find destinations for.

    `limits` are shares of capacity, by resource class, that usage after the move keeps within.
    `reasons` asks why each other host is refused.
    """

    consumer_uuid: Text
    limits: dict[Text, Share] = field(default_factory=dict)
    reasons: bool = False


class Found(Struct, frozen=True):
    """Uuids of valid destinations, and by uuid the reasons against others (when asked for)."""

    destinations: list[str]
    refusals: dict[str, list[Refusal]] | None = None


class Candidates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Candidates to judge, a delta or a list of deltas each, and the metrics to return.

    `types` and `in_service` restrict the providers that metrics count.
    """

    candidates: list[Delta | list[Delta]]
    metrics: list[MetricName] = field(default_factory=lambda: ["std_deviation"])
    types: list[Text] | None = None
    in_service: bool = False


class Evaluated(Struct, frozen=True):
    """Which candidates could be recorded, and by metric a row a candidate, a column a class.

    A value is None where nothing is known of a candidate that could not be recorded.
    """

    classes: list[str]
    feasible: list[bool]
    metrics: dict[MetricName, list[list[float | None]]]


class Metrics(Struct, frozen=True):
    """Load metrics by class, of a session and of the view that it stands on."""

    session: dict[str, ClassMetrics]
    base: dict[str, ClassMetrics]


class Committed(Struct, frozen=True):
    """A committed session, and what its transaction did."""

    session: SessionRecord
    applied: Applied


class Expired(Struct, frozen=True):
    """Ids of the sessions that a sweep closed."""

    expired: list[str]


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all queries; fields of a list type may be given several times."""


class Page(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`marker` is the key of the last entity of the page before."""

    marker: Text | None = None
    limit: Count | None = None


class ProviderQuery(Page, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which providers; every condition must hold, of several types one."""

    type: list[Text] = field(default_factory=list)
    name: Text | None = None
    parent_uuid: Text | None = None
    availability_zone: Text | None = None
    aggregate: Text | None = None
    in_service: bool | None = None


class ConsumerQuery(Page, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which consumers; every condition must hold, of several types one."""

    provider: Text | None = None
    type: list[Text] = field(default_factory=list)
    name: Note | None = None
    state: Text | None = None
    project: Text | None = None
    flavor: Text | None = None
    server_group: Text | None = None


class ProviderNames(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Uuids of providers; none: all."""

    provider: list[Text] = field(default_factory=list)


class ConsumerNames(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Uuids of consumers; none: all."""

    consumer: list[Text] = field(default_factory=list)


class ChangesSince(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`wait`: seconds that the answer may take when nothing has changed yet."""

    since: Generation
    limit: Count = 10_000
    wait: Annotated[float, Meta(ge=0, le=3600)] = 0.0


class Trim(Struct, frozen=True, forbid_unknown_fields=True):
    """How many generations to keep."""

    keep: Annotated[int, Meta(ge=0, le=2**62)]


class Cascade(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether children go too, and consumers lose what they hold there."""

    cascade: bool = False


class SessionQuery(Page, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sessions of an audit, or in a status."""

    audit_uuid: Text | None = None
    status: SessionStatus | None = None


class Since(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position in the list of deltas, from 0."""

    since: Annotated[int, Meta(ge=0, le=2**62)] = 0


class Counted(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The providers that metrics count."""

    type: list[Text] = field(default_factory=list)
    in_service: bool = False


class Other(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session to compare with; none: the graph as it is now."""

    other: Text | None = None
