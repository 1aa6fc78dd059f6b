"""The compute model: Nova's hosts, servers and records, with Placement's providers and holdings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from tachyon.errors import CloudError, CloudForbidden, CloudUnsupported
from tachyon.graph.entities import (
    Allocations,
    AvailabilityZone,
    Consumer,
    Entity,
    Flavor,
    ResourceProvider,
)
from tachyon.graph.mutations import Cluster, RecordKind
from tachyon.graph.view import View
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.contract import Collector, Reading
from tachyon.openstack.collectors.hosts import COMPUTE_TYPES, Hosts
from tachyon.openstack.collectors.instances import (
    CONSUMER_TYPES,
    Lookups,
    Migration,
    place,
    unknown_consumer,
)
from tachyon.openstack.collectors.marks import STALE, doubtful
from tachyon.openstack.collectors.placement import (
    GENERATION,
    Held,
    Provider,
    doubts,
    read_providers,
)
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping import compute as mapping
from tachyon.openstack.mapping.answers import MISSHAPEN, Answer


class _Answers(Struct):
    hypervisors: list[Answer]
    services: list[Answer]
    aggregates: list[Answer]
    flavors: list[Answer]
    groups: list[Answer]
    servers: list[Answer]
    providers: list[Answer]
    #: None: we may not see them.
    projects: list[Answer] | None


class ComputeCollector(Collector):
    """Reads compute hosts and instances."""

    name = "compute"
    provider_types = COMPUTE_TYPES
    consumer_types = CONSUMER_TYPES
    records: ClassVar[tuple[RecordKind, ...]] = (
        "flavor",
        "project",
        "server_group",
        "host_aggregate",
        "availability_zone",
    )

    def applies(self, cloud: Connection) -> bool:
        """Tell whether the cloud has Nova and Placement."""
        return cloud.has("nova") and cloud.has("placement")

    def owns(self, record: Entity) -> bool:
        """Tell flavors, which have at least one CPU, from volume types, which have none."""
        return not isinstance(record, Flavor) or record.vcpus > 0

    def read(self, cloud: Connection, known: View) -> Reading:
        """Read the model; see `Collector.read`."""
        return _Round(cloud, known, _ask(cloud)).reading()


def _ask(cloud: Connection) -> _Answers:
    def projects(cloud: Connection) -> list[Answer] | None:
        try:
            return queries.projects(cloud)
        except (CloudForbidden, CloudUnsupported):
            return None

    questions: list[Callable[[Connection], Any]] = [
        queries.hypervisors,
        queries.compute_services,
        queries.aggregates,
        queries.flavors,
        queries.server_groups,
        queries.servers,
        queries.providers,
        projects,
    ]
    answers = _Answers(*cloud.gather_all(lambda question: question(cloud), questions))
    # Nova itself leaves out those that are deleted, softly or not, unless it is asked for them.
    answers.servers = [
        s for s in answers.servers if s.get("OS-EXT-STS:vm_state") not in mapping.GONE_STATES
    ]
    return answers


class _Round:
    """One reading, step by step; each step needs those before it."""

    def __init__(self, cloud: Connection, known: View, answers: _Answers) -> None:
        self.cloud = cloud
        self.known = known
        self.answers = answers
        self.counted: Counter[str] = Counter()
        self.missing: list[str] = []
        self.last: dict[str, ResourceProvider] = {
            p.uuid: p for p in known.providers.record if p is not None and p.type in COMPUTE_TYPES
        }

    def reading(self) -> Reading:
        doubted = doubtful(self.known, CONSUMER_TYPES)
        held = read_providers(
            self.cloud,
            self.answers.providers,
            self.known,
            {uuid for allocations in doubted.values() for uuid in allocations},
        )
        self._ask_for_doubtful(doubted, held)
        providers = [*self._hosts(held), *self._others(held)]
        hosts = Hosts.of(providers)
        consumers = self._consumers(held, hosts)
        answers = self.answers
        cluster = Cluster(
            providers=providers,
            consumers=consumers,
            flavors=[mapping.flavor(f) for f in answers.flavors],
            projects=self._projects(),
            server_groups=[mapping.server_group(g) for g in answers.groups],
            host_aggregates=[mapping.aggregate(a) for a in answers.aggregates],
        )
        cluster.availability_zones = _zones(cluster)
        return Reading(cluster=cluster, missing=self.missing, disagreements=self.counted)

    def _ask_for_doubtful(self, events: Iterable[str], held: Held) -> None:
        """Ask for consumers of which the last known allocations may be no more.

        Besides `doubts` that is whoever is not found any more where an event had it: one that came
        while the last synchronisation ran may have kept it from noting where the consumer went, on
        a provider that has not changed since.
        """
        uuids = {mapping.host_name(h): h["id"] for h in self.answers.hypervisors}
        hosts = {
            s["id"]: uuids.get(s.get("OS-EXT-SRV-ATTR:host") or "") for s in self.answers.servers
        }
        found = {c for consumers in held.allocations.values() for c in consumers}
        asked = sorted(doubts(held, hosts) | {uuid for uuid in events if uuid not in found})
        outcomes = self.cloud.gather(lambda uuid: queries.allocations_of(self.cloud, uuid), asked)
        for consumer, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, CloudError):
                self.missing.append(consumer)
                continue
            for consumers in held.allocations.values():
                consumers.pop(consumer, None)
            for provider, allocation in outcome.items():
                held.allocations.setdefault(provider, {})[consumer] = allocation["resources"]

    def _hosts(self, held: Held) -> list[ResourceProvider]:
        services = {s["host"]: s for s in self.answers.services}
        aggregates = mapping.aggregates_of_hosts(self.answers.aggregates)
        hosts: list[ResourceProvider] = []
        for hypervisor in filter(mapping.is_compute_host, self.answers.hypervisors):
            uuid, name = hypervisor["id"], mapping.host_name(hypervisor)
            service = services.get(name)
            last = self.last.get(uuid)
            provider = held.providers.get(uuid)
            if provider is None:
                self.counted["host_without_provider"] += 1
            try:
                host = mapping.compute_host(
                    hypervisor,
                    mapping.service(service) if service is not None else None,
                    aggregates=aggregates.get(name, ()),
                    inventories=provider.inventories or {} if provider else {},
                    traits=provider.traits if provider else (),
                    extra={GENERATION: provider.generation} if provider else None,
                )
            except MISSHAPEN:
                # Nova answers with a stub for what lies in a cell that does not answer.
                if last is None:
                    self.missing.append(name)
                continue
            hosts.append(self._with_last(host, provider, last, uuid in held.failed))
            self.counted += differences_of(hypervisor, hosts[-1])
        return hosts + self._hosts_out_of_reach(services, {host.name for host in hosts})

    def _hosts_out_of_reach(
        self, services: Mapping[str, Answer], read: set[str]
    ) -> list[ResourceProvider]:
        """Return the hosts that Nova names without being able to tell of them, as last known."""
        out = [
            p
            for p in self.last.values()
            if p.type == "compute"
            and p.name not in read
            and services.get(p.name, {}).get("status") == "UNKNOWN"
        ]
        self.missing += [p.name for p in out]
        return [replace(p, state="down", extra={**p.extra, STALE: True}) for p in out]

    def _with_last(
        self,
        host: ResourceProvider,
        provider: Provider | None,
        last: ResourceProvider | None,
        failed: bool,
    ) -> ResourceProvider:
        """Fill in from the last reading what was not asked for, or could not be had."""
        if provider is None or provider.inventories is not None:
            return host
        kept = {STALE: True} if failed else {}
        if failed:
            self.missing.append(host.name)
            generation = last.extra.get(GENERATION) if last is not None else None
        else:
            generation = provider.generation
        if generation is not None:
            kept[GENERATION] = generation
        extra = {name: value for name, value in host.extra.items() if name != GENERATION}
        return replace(
            host,
            inventories=last.inventories if last is not None else {},
            traits=last.traits if last is not None else (),
            extra={**extra, **kept},
        )

    def _others(self, held: Held) -> list[ResourceProvider]:
        """Return parts of hosts and sharing providers, whole trees only."""
        hypervisors = {h["id"] for h in self.answers.hypervisors}
        own = {h["id"] for h in self.answers.hypervisors if mapping.is_compute_host(h)}
        others: list[ResourceProvider] = []
        for uuid, provider in held.providers.items():
            root = provider.listed.get("root_provider_uuid", uuid)
            if uuid in hypervisors or (root in hypervisors and root not in own):
                continue
            if root not in own and (root != uuid or not _is_sharing(provider, self.last.get(uuid))):
                self.counted["provider_without_host"] += root == uuid
                continue
            other = mapping.other_provider(
                provider.listed,
                inventories=provider.inventories or {},
                traits=provider.traits,
                extra={GENERATION: provider.generation},
            )
            others.append(
                self._with_last(other, provider, self.last.get(uuid), uuid in held.failed)
            )
        return others

    def _consumers(self, held: Held, hosts: Hosts) -> list[Consumer]:
        allocations = mapping.held_by_consumers(held.allocations)
        servers = {s["id"] for s in self.answers.servers}
        strangers = [uuid for uuid in allocations if uuid not in servers]
        migrations = self._migrations(allocations) if strangers else {}
        lookups = Lookups(
            hosts=hosts,
            flavor_ids={f["name"]: f["id"] for f in self.answers.flavors},
            groups=mapping.group_of_members(self.answers.groups),
        )
        consumers: list[Consumer] = []
        for server in self.answers.servers:
            uuid = server["id"]
            try:
                placed = place(server, allocations.get(uuid, {}), migrations.get(uuid, ()), lookups)
            except MISSHAPEN:
                self.missing.append(uuid)
                consumers += self._last_consumer(uuid, hosts)
                continue
            self.counted += placed.disagreements
            consumers += [placed.instance, *placed.migrations]
        seen = {c.uuid for c in consumers}
        theirs = {m.uuid for found in migrations.values() for m in found}
        for uuid in strangers:
            storable = hosts.storable(allocations[uuid])
            if uuid not in seen and uuid not in theirs and storable:
                self.counted["allocations_without_server"] += 1
                consumers.append(unknown_consumer(uuid, storable))
        return consumers

    def _migrations(self, allocations: Mapping[str, Allocations]) -> dict[str, list[Migration]]:
        """Return the migrations that hold something, by server."""
        found: dict[str, list[Migration]] = {}
        for answer in queries.migrations_under_way(self.cloud):
            uuid, server = answer["uuid"], answer["instance_uuid"]
            if uuid in allocations:
                migration = Migration(uuid, server, allocations[uuid])
                found.setdefault(server, []).append(migration)
        return found

    def _last_consumer(self, uuid: str, hosts: Hosts) -> list[Consumer]:
        row = self.known.consumers.index.get(uuid, -1)
        if not (0 <= row < self.known.consumer_rows and self.known.consumers.alive[row]):
            return []
        last = self.known.consumer_at(row)
        return [replace(last, allocations=hosts.storable(last.allocations))]

    def _projects(self) -> list[Any]:
        if self.answers.projects is None:
            return list(self.known.records["project"].values())
        return [mapping.project(p) for p in self.answers.projects]


def differences_of(hypervisor: Answer, host: ResourceProvider) -> Counter[str]:
    """Count in what Nova and Placement contradict each other about a host.

    Args:
        hypervisor: as Nova shows it; with capacities only before 2.88.
        host: with what Placement says of it, as far as it does.
    """
    held = {name: inventory.total for name, inventory in host.inventories.items()}
    capacities = (
        ("vcpus", held.get("VCPU", 0) + held.get("PCPU", 0)),
        ("memory_mb", held.get("MEMORY_MB", 0)),
    )
    counted: Counter[str] = Counter()
    # What a host's parts have (NUMA nodes) is not in its own inventories.
    if any(total and hypervisor.get(name, total) != total for name, total in capacities):
        counted["capacity_differs"] += 1
    if mapping.contradicts_traits(host):
        counted["status_differs"] += 1
    return counted


def _is_sharing(provider: Provider, last: ResourceProvider | None) -> bool:
    traits = provider.traits if provider.inventories is not None else last.traits if last else ()
    return "MISC_SHARES_VIA_AGGREGATE" in traits


def _zones(cluster: Cluster) -> list[AvailabilityZone]:
    zones = {p.availability_zone for p in cluster.providers}
    zones |= {a.availability_zone for a in cluster.host_aggregates}
    return [AvailabilityZone(name=zone) for zone in sorted(z for z in zones if z is not None)]
