"""The state of a cluster while a plan runs, and the rules of Placement and Nova about it.

It shares no code with sessions, strategies or planners: plain dictionaries, one consumer at a time.
Slow, and meant to be obvious.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from tachyon.graph.cluster_file import ClusterFile, MetricSeries
from tachyon.graph.entities import Consumer, ResourceProvider
from tests.optimize.storage_rules import Pools, why_fixed

LIVE = {"active", "paused"}
#: Nova stops an active instance for a cold migration, and starts it again.
COLD = {"stopped", "active"}
HOSTS = {"compute", "pool", "baremetal"}


def loads_of(series: MetricSeries, content: ClusterFile) -> dict[str, float]:
    """Return the mean load of each consumer in the series' unit of capacity."""
    held = {
        c.uuid: sum(a.get(series.resource or "VCPU", 0) for a in c.allocations.values())
        for c in content.cluster.consumers
    }
    loads = {}
    for uuid, values in series.values.items():
        known = [v for v in values if v is not None]
        if known:
            mean = sum(known) / len(known)
            loads[uuid] = mean / 100 * held[uuid] if series.unit == "percent" else mean
    return loads


class State:
    """The state of a cluster while a plan runs; `problems` collects what must not happen."""

    def __init__(
        self,
        content: ClusterFile,
        limits: dict[str, float] | None = None,
        untouchable: Collection[str] = (),
    ) -> None:
        """Start from a cluster.

        Args:
            content: the cluster.
            limits: shares of capacity, by class or metric, that a migration may fill.
            untouchable: uuids of what no action may be about, and of hosts that take nothing.
        """
        cluster = content.cluster
        self.providers: dict[str, ResourceProvider] = {p.uuid: p for p in cluster.providers}
        self.trees: dict[str, list[ResourceProvider]] = defaultdict(list)
        for p in cluster.providers:
            self.trees[self.root(p.uuid).uuid].append(p)
        self.consumers: dict[str, Consumer] = {c.uuid: c for c in cluster.consumers}
        self.flavors = {f.id: f for f in cluster.flavors}
        self.groups = {g.uuid: g for g in cluster.server_groups}
        self.aggregates = {a.name: a for a in cluster.host_aggregates}
        self.allocations = {c.uuid: dict(c.allocations) for c in cluster.consumers}
        self.status = {p.uuid: p.status for p in cluster.providers}
        self.used: dict[tuple[str, str], int] = defaultdict(int)
        for allocations in self.allocations.values():
            self._account(allocations, 1)
        self.pools = Pools(
            self.providers,
            cluster.flavors,
            {p: used for (p, name), used in self.used.items() if name == "DISK_GB"},
        )
        self.kinds = {c.uuid: self.pools.type_of(c) for c in cluster.consumers}
        self.states = {c.uuid: c.state for c in cluster.consumers if c.type == "instance"}
        self.power = {p.uuid: p.power_state for p in cluster.providers}
        self.limits = limits or {}
        self.loads = {s.name: loads_of(s, content) for s in content.metrics}
        self.capacity = {s.name: s.capacity for s in content.metrics}
        self.load: dict[tuple[str, str], float] = defaultdict(float)
        self.members: dict[str, set[str]] = defaultdict(set)
        self.place = {}
        for c in cluster.consumers:
            self.place[c.uuid] = self.host_of(c.uuid)
            if c.server_group:
                self.members[c.server_group].add(c.uuid)
            for name, loads in self.loads.items():
                self.load[name, self.place[c.uuid] or ""] += loads.get(c.uuid, 0.0)
        self.untouchable = frozenset(untouchable)
        #: Where those are going that are on their way.
        self.underway: dict[str, str] = {}
        #: The allocations that begin with a resize which is not confirmed.
        self.growing: dict[str, dict[str, dict[str, int]]] = {}
        #: By server group, the hosts to which members are on their way.
        self.arriving: dict[str, list[str]] = defaultdict(list)
        self.moved: dict[str, int] = defaultdict(int)
        self.disabled_here: set[str] = set()
        self.problems: list[str] = []
        self.most_running = 0

    def _account(self, allocations: dict[str, dict[str, int]], sign: int) -> None:
        for provider, resources in allocations.items():
            for name, amount in resources.items():
                self.used[provider, name] += sign * amount

    def root(self, uuid: str) -> ResourceProvider:
        provider = self.providers[uuid]
        while provider.type not in HOSTS and provider.parent_uuid is not None:
            provider = self.providers[provider.parent_uuid]
        return provider

    def host_of(self, consumer: str) -> str | None:
        hosts = {self.root(p).uuid for p in self.allocations[consumer]}
        found = sorted(h for h in hosts if self.providers[h].type in HOSTS)
        if len(found) > 1:
            raise AssertionError(f"{consumer} stands on {found}")
        return found[0] if found else (sorted(hosts)[0] if hosts else None)

    def _bad(self, text: str) -> None:
        self.problems.append(text)

    def _check_instance(self, consumer: Consumer, action: dict[str, Any]) -> None:
        self._check_untouchable(consumer)
        if consumer.type == "volume":
            if action["action_type"] != "volume_migrate":
                self._bad(f"{consumer.uuid} is a volume")
            for problem in why_fixed(consumer, self.states):
                self._bad(problem)
            return
        if action["action_type"] != "migrate":
            self._bad(f"{consumer.uuid} is a {consumer.type}")
        kind = action["input_parameters"]["migration_type"]
        allowed = LIVE if kind == "live" else COLD
        if consumer.state not in allowed:
            self._bad(f"{consumer.uuid} is {consumer.state}: no {kind} one")

    def _check_untouchable(self, consumer: Consumer) -> None:
        if consumer.locked or consumer.watcher_exclude:
            self._bad(f"{consumer.uuid} is locked or excluded")
        if consumer.uuid in self.untouchable:
            self._bad(f"{consumer.uuid} is none of the audit's business")

    def _check_host(
        self, consumer: Consumer, source: ResourceProvider, target: ResourceProvider
    ) -> None:
        if source.state != "up":
            self._bad(f"source {source.name} is down")
        if target.type != source.type or target.type not in HOSTS:
            self._bad(f"{target.name} is a {target.type}")
        if target.state != "up" or self.status[target.uuid] != "enabled" or target.maintenance:
            self._bad(f"{target.name} is out of service")
        for host in (source, target):
            if host.extra.get("stale"):
                self._bad(f"nobody knows what is on {host.name}")
        if target.uuid in self.untouchable:
            self._bad(f"{target.name} is none of the audit's business")
        kept = [
            {project.strip() for project in value.split(",")}
            for name in target.aggregates
            if name in self.aggregates
            for key, value in self.aggregates[name].metadata.items()
            if key.startswith("filter_tenant_id")
        ]
        if kept and not any(consumer.project_id in projects for projects in kept):
            self._bad(f"{target.name} is kept to other projects")
        if consumer.pinned_az is not None and self._zone(target) != consumer.pinned_az:
            self._bad(f"{target.name} is outside {consumer.pinned_az}")
        flavor = self.flavors.get(consumer.flavor_id or "")
        traits = {t for p in self.trees[target.uuid] for t in p.traits}
        for key, value in (flavor.extra_specs if flavor else {}).items():
            found = re.match(r"trait\w*:(.+)", key)
            if found and value == "required" and found[1] not in traits:
                self._bad(f"{target.name} lacks {found[1]}")
            if found and value == "forbidden" and found[1] in target.traits:
                self._bad(f"{target.name} has {found[1]}")
            if key.startswith("aggregate_instance_extra_specs:"):
                name = key.partition(":")[2]
                given = {
                    self.aggregates[a].metadata.get(name)
                    for a in target.aggregates
                    if a in self.aggregates
                }
                if value not in given:
                    self._bad(f"{target.name}: no aggregate with {name}={value}")

    def _zone(self, host: ResourceProvider) -> str | None:
        if host.availability_zone is not None:
            return host.availability_zone
        for name in host.aggregates:
            if name in self.aggregates and self.aggregates[name].availability_zone:
                return self.aggregates[name].availability_zone
        return None

    def _check_group(self, consumer: Consumer, target: str) -> None:
        group = self.groups.get(consumer.server_group or "")
        if group is None:
            return
        others = [
            self.place[m] for m in self.members[group.uuid] if m != consumer.uuid and self.place[m]
        ]
        if group.policy == "anti-affinity":
            others += self.arriving[group.uuid]
            if others.count(target) >= group.rules.get("max_server_per_host", 1):
                self._bad(f"group {group.name} forbids {target}")
        elif group.policy == "affinity" and others and target not in others:
            self._bad(f"group {group.name} is torn apart")

    def _check_hints(self, consumer: Consumer, target: str) -> None:
        """Nova reads hints anew at each migration: where those are that they name."""

        def named(hint: str) -> list[str]:
            found = consumer.scheduler_hints.get(hint, [])
            return [found] if isinstance(found, str) else found

        for other in named("different_host"):
            if target in (self.place.get(other), self.underway.get(other)):
                self._bad(f"{consumer.uuid} is to be on another host than {other}")
        beside = [self.place[o] for o in named("same_host") if self.place.get(o)]
        if beside and target not in beside:
            self._bad(f"{consumer.uuid} is to be on the host of {named('same_host')}")

    def _check_limits(self, consumer: Consumer, target: str, movement: dict[str, Any]) -> None:
        for name, share in self.limits.items():
            if name in self.loads:
                after = self.load[name, target] + self.loads[name].get(consumer.uuid, 0.0)
                room = self.capacity[name].get(target, 0.0) * share
            else:
                after = self.used[target, name] + movement["resources"].get(name, 0)
                inventory = self.providers[target].inventories.get(name)
                room = inventory.capacity * share if inventory else 0.0
            if after > room + 1e-3:
                self._bad(f"{name} on {target} would be {after} of {room}")

    def _check_pool(
        self, volume: Consumer, pool: ResourceProvider, movement: dict[str, Any]
    ) -> None:
        """Room and type are Cinder's business, beside what Placement counts."""
        size, pools = movement["resources"].get("DISK_GB", 0), self.pools
        if pools.room(pool) < size:
            self._bad(f"{pool.name} has {pools.room(pool)} of {size} GB for {volume.uuid}")
        if not pools.offers(pool, self.kinds[volume.uuid]):
            self._bad(f"{pool.name} does not offer {self.kinds[volume.uuid]}")
        if pools.out_of_service(pool):
            self._bad(f"the backend of {pool.name} is out of service")
        pools.arrive(size, pool.uuid)

    def _check_amounts(
        self, consumer: Consumer, new: dict[str, dict[str, int]], target: str
    ) -> None:
        """All that the instance held it holds afterwards; what moved stands on the target."""
        before: dict[str, int] = defaultdict(int)
        after: dict[str, int] = defaultdict(int)
        for resources in self.allocations[consumer.uuid].values():
            for name, amount in resources.items():
                before[name] += amount
        for provider, resources in new.items():
            for name, amount in resources.items():
                after[name] += amount
            root = self.root(provider)
            if root.type in HOSTS and root.uuid != target:
                self._bad(f"{consumer.uuid} still holds something on {root.name}")
        if {k: v for k, v in before.items() if v} != {k: v for k, v in after.items() if v}:
            self._bad(f"{consumer.uuid} held {dict(before)}, holds {dict(after)}")

    def _check_capacity(self, arriving: dict[str, dict[str, int]]) -> None:
        for uuid, resources in arriving.items():
            provider = self.providers[uuid]
            for name, amount in resources.items():
                inventory = provider.inventories.get(name)
                if inventory is None:
                    self._bad(f"{provider.name} has no {name}")
                    continue
                capacity = (inventory.total - inventory.reserved) * inventory.allocation_ratio
                if self.used[uuid, name] > capacity:
                    self._bad(f"{provider.name}: {self.used[uuid, name]} of {capacity} {name}")
                if not inventory.min_unit <= amount <= inventory.max_unit:
                    self._bad(f"{provider.name}: {amount} {name} is out of units")
                if amount % inventory.step_size:
                    self._bad(f"{provider.name}: {amount} {name} is out of step")
