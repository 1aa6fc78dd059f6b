"""What a session must answer, worked out the slow way: plain dictionaries, loops, and replay.

Nothing here is kept between questions: each question copies the graph and applies all deltas to
it from the first to the last. The rules are those of the docstrings of deltas and sessions, put
down a second time and independently of the columns, row numbers and shortcuts of the real thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import UNSET

from tachyon.graph.deltas import (
    PROVIDER_FIELDS,
    Allocate,
    Deallocate,
    Delta,
    Move,
    Resize,
    UpdateProvider,
)
from tachyon.graph.entities import HOST_TYPES, Consumer, Entity, ResourceProvider
from tachyon.graph.store import Snapshot
from tests.conformance.cluster import consumers_of

Held = dict[str, dict[str, int]]


class Refused(Exception):
    """A delta cannot be recorded; `code` and `details` are those of the session's error."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(f"{code} {details}")
        self.code = code
        self.details = details


#: Measured load is counted in millionths, so that sums are exact.
SCALE = 1_000_000


class Measured:
    """A measured metric in millionths: what consumers take, what hosts bear and can deliver."""

    def __init__(self, load: dict[str, int], on: dict[str, int], room: dict[str, float]) -> None:
        self.load = load
        self.on = on
        self.room = room


class Graph:
    """The graph at one generation, as entities by key."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.measured: dict[str, Measured] = {}
        self.generation = snapshot.generation
        self.providers: dict[str, ResourceProvider] = {p.uuid: p for p in snapshot.providers}
        self.consumers: dict[str, Consumer] = {c.uuid: c for c in consumers_of(snapshot)}
        self.flavors = {f.id: f for f in snapshot.flavors}
        self.groups = {g.uuid: g for g in snapshot.server_groups}
        self.aggregates = {a.name: a for a in snapshot.host_aggregates}
        self.records: list[Entity] = [
            *snapshot.flavors,
            *snapshot.projects,
            *snapshot.server_groups,
            *snapshot.host_aggregates,
            *snapshot.availability_zones,
        ]


class Situation:
    """The whole graph copied, with some deltas applied to it.

    `classes` is the order in which amounts are judged, which decides the error that is named
    first.
    """

    def __init__(
        self,
        graph: Graph,
        classes: Sequence[str],
        deltas: Iterable[Delta] = (),
        *,
        strict: bool = True,
    ) -> None:
        self.graph = graph
        self.classes = classes
        self.strict = strict
        self.held: dict[str, Held] = {
            c.uuid: {p: dict(r) for p, r in c.allocations.items()} for c in graph.consumers.values()
        }
        self.about: dict[str, dict[str, Any]] = {
            c.uuid: {
                "flavor_id": c.flavor_id,
                "server_group": c.server_group,
                "pinned_az": c.pinned_az,
            }
            for c in graph.consumers.values()
        }
        self.fields: dict[str, dict[str, Any]] = {
            p.uuid: {name: getattr(p, name) for name in PROVIDER_FIELDS}
            for p in graph.providers.values()
        }
        self.children: dict[str, list[str]] = {uuid: [] for uuid in graph.providers}
        for provider in graph.providers.values():
            if provider.parent_uuid is not None:
                self.children[provider.parent_uuid].append(provider.uuid)
        self.new: dict[str, Allocate] = {}
        self.touched: list[str] = []
        self.was_on = {uuid: self.home(uuid) for uuid in self.held}
        for delta in deltas:
            self.apply(delta)

    # Providers.

    def kind(self, uuid: str) -> str:
        return self.graph.providers[uuid].type

    def ancestors(self, uuid: str) -> list[str]:
        """A provider, its parent, its parent's parent …"""
        found = [uuid]
        while (above := self.graph.providers[found[-1]].parent_uuid) is not None:
            found.append(above)
        return found

    def subtree(self, uuid: str) -> list[str]:
        """A provider and all below it: parents before children, siblings by uuid."""
        found = [uuid]
        for child in sorted(self.children[uuid]):
            found.extend(self.subtree(child))
        return found

    def host_of(self, uuid: str) -> str:
        above = self.ancestors(uuid)
        return next((u for u in above if self.kind(u) in HOST_TYPES), above[-1])

    def used(self, provider: str, name: str) -> int:
        metric = self.graph.measured.get(name)
        if metric is not None:
            # Load goes where the host of the consumer is; the rest of what was measured stays.
            came = [load for u, load in metric.load.items() if self.home(u) == provider]
            went = [load for u, load in metric.load.items() if self.was_on[u] == provider]
            return metric.on[provider] - sum(went) + sum(came)
        return sum(held.get(provider, {}).get(name, 0) for held in self.held.values())

    def room(self, provider: str, name: str) -> float:
        """What a provider can hold or deliver, 0 without inventory."""
        if name in self.graph.measured:
            return self.graph.measured[name].room[provider]
        inventory = self.inventory(provider, name)
        return 0.0 if inventory is None else float(inventory.capacity)

    def scale(self, name: str) -> int:
        return SCALE if name in self.graph.measured else 1

    def moving(self, consumer: str, home: str, name: str) -> int:
        """How much of a class or metric a consumer takes along from its host."""
        metric = self.graph.measured.get(name)
        if metric is not None:
            return metric.load.get(consumer, 0)
        return sum(held.get(name, 0) for held in self.below(consumer, home).values())

    def inventory(self, provider: str, name: str) -> Any:
        return self.graph.providers[provider].inventories.get(name)

    def known(self, provider: str) -> str:
        if provider not in self.graph.providers:
            raise Refused("provider_not_found", provider=provider)
        return provider

    # Consumers.

    def known_consumer(self, uuid: str) -> str:
        if uuid not in self.held:
            raise Refused("consumer_not_found", consumer=uuid)
        return uuid

    def home(self, consumer: str) -> str | None:
        """The host: compute and baremetal before pools, pools before others, then by uuid."""
        rank = {"compute": 0, "baremetal": 0, "pool": 1}
        hosts = {self.host_of(provider) for provider in self.held[consumer]}
        return min(hosts, key=lambda u: (rank.get(self.kind(u), 2), u), default=None)

    def below(self, consumer: str, provider: str) -> Held:
        """What a consumer holds on a provider and its children, in their preorder."""
        held = self.held[consumer]
        return {u: dict(held[u]) for u in self.subtree(provider) if u in held}

    # Deltas.

    def apply(self, delta: Delta) -> None:
        if isinstance(delta, UpdateProvider):
            self._update(delta)
            return
        work: Any = {
            Move: self._move,
            Allocate: self._allocate,
            Deallocate: self._deallocate,
            Resize: self._resize,
        }[type(delta)]
        work(delta)
        uuid = delta.consumer_uuid
        self.held[uuid] = {
            p: left
            for p, r in self.held[uuid].items()
            if (left := {name: amount for name, amount in r.items() if amount})
        }
        if uuid in self.touched:
            self.touched.remove(uuid)
        self.touched.append(uuid)

    def _update(self, delta: UpdateProvider) -> None:
        self.known(delta.provider_uuid)
        given = {n: v for n in PROVIDER_FIELDS if (v := getattr(delta, n)) is not UNSET}
        if not given:
            raise Refused("invalid_input")
        self.fields[delta.provider_uuid].update(given)

    def _not_there(self, consumer: str, provider: str | None) -> Refused:
        on = sorted(self.held[consumer])
        return Refused("not_placed_there", consumer=consumer, provider=provider, placed_on=on)

    def _move(self, delta: Move) -> None:
        uuid = self.known_consumer(delta.consumer_uuid)
        target = self.known(delta.to_provider)
        source = self.home(uuid) if delta.from_provider is None else self.known(delta.from_provider)
        if source is None:
            raise self._not_there(uuid, None)
        leaving = self.below(uuid, source)
        if not leaving:
            raise self._not_there(uuid, source)
        if source == target or set(leaving) == {target}:
            raise Refused("invalid_input", consumer=uuid, provider=target)
        before = self.held[uuid]
        self.held[uuid] = {p: r for p, r in before.items() if p not in leaving}
        try:
            for provider, resources in leaving.items():
                self._settle(uuid, target, self.kind(provider), resources)
        except Refused:
            self.held[uuid] = before
            raise

    def _settle(self, uuid: str, target: str, kind: str, resources: dict[str, int]) -> None:
        """Put one part on the first provider that can take it, those of its old kind first."""
        tree = self.subtree(target)
        refusals = []
        for provider in sorted(tree, key=lambda u: self.kind(u) != kind):
            try:
                self._add(uuid, provider, resources)
            except Refused as refused:
                refusals.append(refused)
            else:
                return
        raise refusals[0]

    def _add(self, uuid: str, provider: str, resources: dict[str, int]) -> None:
        """Let a consumer hold more on a provider; the sum is what the inventory's rules judge."""
        mine = self.held[uuid].get(provider, {})
        self._set(uuid, provider, {n: a + mine.get(n, 0) for n, a in resources.items()})

    def _set(self, uuid: str, provider: str, amounts: dict[str, int]) -> None:
        mine = self.held[uuid].get(provider, {})
        for name in sorted(amounts, key=self._judged):
            amount = amounts[name]
            if amount and self.strict:
                taken = self.used(provider, name) - mine.get(name, 0)
                self._judge(provider, name, amount, taken)
        self.held[uuid] = {**self.held[uuid], provider: {**mine, **amounts}}

    def _judged(self, name: str) -> tuple[int, str]:
        return (self.classes.index(name) if name in self.classes else -1, name)

    def _judge(self, provider: str, name: str, amount: int, taken: int) -> None:
        inventory = self.inventory(provider, name)
        at: dict[str, Any] = {"provider": provider, "resource_class": name}
        if inventory is None:
            raise Refused("inventory_missing", **at)
        rule = None
        if amount < inventory.min_unit:
            rule = f"min_unit {inventory.min_unit}"
        elif amount > inventory.max_unit:
            rule = f"max_unit {inventory.max_unit}"
        elif amount % inventory.step_size != 0:
            rule = f"step_size {inventory.step_size}"
        if rule is not None:
            raise Refused("unit_violation", required=amount, rule=rule, **at)
        if taken + amount > inventory.capacity:
            left = inventory.capacity - taken
            raise Refused("capacity_exceeded", available=left, required=amount, **at)

    def _stocked(self, provider: str, name: str) -> None:
        if self.inventory(provider, name) is None:
            raise Refused("inventory_missing", provider=provider, resource_class=name)

    def _allocate(self, delta: Allocate) -> None:
        target = self.known(delta.to_provider)
        wanted = {name: amount for name, amount in delta.resources.items() if amount}
        for name in wanted:
            self._stocked(target, name)
        if not wanted:
            raise Refused("invalid_input")
        uuid = delta.consumer_uuid
        is_new = uuid not in self.held
        self.held.setdefault(uuid, {})
        try:
            self._add(uuid, target, wanted)
        except Refused:
            if is_new:
                del self.held[uuid]
            raise
        if is_new:
            self.new[uuid] = delta
            self.about[uuid] = {
                name: None if (value := getattr(delta, name)) is UNSET else value
                for name in ("flavor_id", "server_group", "pinned_az")
            }

    def _deallocate(self, delta: Deallocate) -> None:
        uuid = self.known_consumer(delta.consumer_uuid)
        if delta.from_provider is None:
            lost = self.held[uuid]
        else:
            lost = self.below(uuid, self.known(delta.from_provider))
        if not lost:
            raise self._not_there(uuid, delta.from_provider)
        self.held[uuid] = {p: r for p, r in self.held[uuid].items() if p not in lost}

    def _resize(self, delta: Resize) -> None:
        uuid = self.known_consumer(delta.consumer_uuid)
        if not self.held[uuid]:
            raise self._not_there(uuid, None)
        if not delta.resources and delta.flavor_id is UNSET:
            raise Refused("invalid_input")
        home = self.home(uuid)
        assert home is not None
        wanted: Held = {}
        for name, amount in delta.resources.items():
            if delta.provider is not None:
                at = self.known(delta.provider)
                if at not in self.held[uuid]:
                    raise self._not_there(uuid, at)
            else:
                holding = [p for p, r in self.held[uuid].items() if name in r]
                if len(holding) > 1:
                    raise Refused("invalid_input")
                at = holding[0] if holding else home
            self._stocked(at, name)
            wanted.setdefault(at, {})[name] = amount
        before = self.held[uuid]
        try:
            for provider, amounts in wanted.items():
                self._set(uuid, provider, amounts)
        except Refused:
            self.held[uuid] = before
            raise
        if delta.flavor_id is not UNSET:
            self.about[uuid]["flavor_id"] = delta.flavor_id
