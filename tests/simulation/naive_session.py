"""A session as the naive model sees it: a list of deltas, and every answer from a full replay."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from tachyon.graph.deltas import (
    PROVIDER_FIELDS,
    Delta,
    Move,
    UpdateProvider,
)
from tachyon.graph.entities import Allocations, ResourceProvider
from tests.simulation.naive import Graph, Refused, Situation

#: Where a consumer is: its host and what it holds.
Place = tuple[str | None, Allocations]
Metrics = dict[str, dict[str, float]]


class NaiveSession:
    """A base graph and deltas on it; `classes` as in `Situation`."""

    def __init__(self, graph: Graph, classes: Sequence[str], deltas: Sequence[Delta] = ()) -> None:
        self.graph = graph
        self.classes = tuple(classes)
        self.deltas = list(deltas)

    def now(self, more: Iterable[Delta] = (), *, strict: bool = True) -> Situation:
        """Replay everything, and some deltas behind it."""
        found = Situation(self.graph, self.classes, self.deltas)
        found.strict = strict
        for delta in more:
            found.apply(delta)
        return found

    def record(self, deltas: Sequence[Delta]) -> None:
        """Record all or none; the error carries the position of the delta at fault."""
        for position in range(len(deltas)):
            try:
                self.now(deltas[: position + 1])
            except Refused as refused:
                refused.details["position"] = position
                raise
        self.deltas.extend(deltas)

    def undo(self, count: int) -> list[Delta]:
        if count > len(self.deltas):
            raise Refused("nothing_to_undo", asked=count, held=len(self.deltas))
        undone = self.deltas[len(self.deltas) - count :]
        del self.deltas[len(self.deltas) - count :]
        return undone[::-1]

    def fork(self) -> NaiveSession:
        return NaiveSession(self.graph, self.classes, self.deltas)

    # Answers.

    def placements(self) -> dict[str, Place]:
        now = self.now()
        return {uuid: (now.home(uuid), held) for uuid, held in now.held.items()}

    def usages(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Used and capacity by provider and class."""
        now = self.now()
        found: dict[str, dict[str, tuple[float, float]]] = {}
        for provider in self.graph.providers.values():
            uuid = provider.uuid
            names = [*provider.inventories, *(n for n in self.graph.measured if now.room(uuid, n))]
            found[uuid] = {
                n: (now.used(uuid, n) / now.scale(n), now.room(uuid, n) / now.scale(n))
                for n in names
            }
        return found

    def fields(self) -> dict[str, dict[str, Any]]:
        return self.now().fields

    def metrics(self, counted: Iterable[str] | None = None) -> Metrics:
        return metrics(self.now(), counted)

    def consumers_of(self, provider: str) -> list[list[str]]:
        """Who holds something on a provider: groups that came at the same time, in order."""
        now = self.now()
        by_time: dict[int, list[str]] = {}
        for consumer in self.graph.consumers.values():
            if consumer.uuid not in now.touched and provider in consumer.allocations:
                by_time.setdefault(consumer.placed, []).append(consumer.uuid)
        arrived = [[uuid] for uuid in now.touched if provider in now.held[uuid]]
        return [by_time[at] for at in sorted(by_time)] + arrived

    def evaluate(
        self, candidates: Sequence[Delta | Sequence[Delta]], counted: Iterable[str] | None
    ) -> list[tuple[bool, Metrics | None]]:
        """Judge each candidate; metrics of single moves also where they do not fit.

        An unknown name in a candidate is an error of the whole question.
        """
        found: list[tuple[bool, Metrics | None]] = []
        for candidate in candidates:
            deltas = list(candidate) if isinstance(candidate, Sequence) else [candidate]
            try:
                found.append((True, metrics(self.now(deltas), counted)))
            except Refused as refused:
                if refused.code.endswith("_not_found"):
                    raise
                found.append((False, self._unbounded(deltas, counted)))
        return found

    def _unbounded(self, deltas: list[Delta], counted: Iterable[str] | None) -> Metrics | None:
        """Return what a single move would lead to if capacity were no matter."""
        if len(deltas) != 1 or not isinstance(deltas[0], Move):
            return None
        try:
            return metrics(self.now(deltas, strict=False), counted)
        except Refused:
            return None

    def destinations(
        self, consumer: str, limits: dict[str, float] | None = None
    ) -> dict[str, set[str]]:
        """Codes of the reasons against each host of the kind of the consumer's own."""
        now = self.now()
        home = now.home(now.known_consumer(consumer))
        if home is None:
            raise Refused("not_placed_there", consumer=consumer, provider=None, placed_on=[])
        return {
            p.uuid: self._reasons(now, consumer, p, home, limits or {})
            for p in self.graph.providers.values()
            if p.type == now.kind(home)
        }

    def _reasons(
        self,
        now: Situation,
        consumer: str,
        provider: ResourceProvider,
        home: str,
        limits: dict[str, float],
    ) -> set[str]:
        uuid, about = provider.uuid, now.about[consumer]
        if uuid == home:
            return {"current"}
        found = set()
        fields = now.fields[uuid]
        if fields["status"] != "enabled" or fields["state"] != "up" or fields["maintenance"]:
            found.add("out_of_service")
        if about["pinned_az"] not in (None, self._zone(provider)):
            found.add("zone")
        found |= self._flavor_reasons(now, provider, about["flavor_id"])
        if self._group_refuses(now, consumer, uuid):
            found.add("server_group")
        try:
            self.now([Move(consumer_uuid=consumer, to_provider=uuid)])
        except Refused:
            found.add("capacity")
        for name, share in limits.items():
            moved = now.moving(consumer, home, name)
            if now.used(uuid, name) + moved > now.room(uuid, name) * share:
                found.add("limit")
        return found

    def _zone(self, provider: ResourceProvider) -> str | None:
        if provider.availability_zone is not None:
            return provider.availability_zone
        described = [self.graph.aggregates.get(name) for name in provider.aggregates]
        zones = [a.availability_zone for a in described if a and a.availability_zone]
        return zones[0] if zones else None

    def _flavor_reasons(
        self, now: Situation, provider: ResourceProvider, flavor_id: str | None
    ) -> set[str]:
        found = set()
        flavor = self.graph.flavors.get(flavor_id or "")
        for key, value in flavor.extra_specs.items() if flavor else ():
            scope, _, name = key.partition(":")
            mine = [
                u
                for u in now.subtree(provider.uuid)
                if name in self.graph.providers[u].traits
                and next(a for a in now.ancestors(u) if now.kind(a) == provider.type)
                == provider.uuid
            ]
            if scope.startswith("trait"):
                if value == "required" and not mine:
                    found.add("trait")
                if value == "forbidden" and name in provider.traits:
                    found.add("trait")
            elif scope == "aggregate_instance_extra_specs":
                described = [self.graph.aggregates.get(a) for a in provider.aggregates]
                values = {
                    word.strip()
                    for a in described
                    if a and name in a.metadata
                    for word in a.metadata[name].split(",")
                }
                wanted = value.split()
                asked = set(wanted[1::2]) if wanted[0] == "<or>" else {value}
                if not asked & values:
                    found.add("aggregate")
        return found

    def _group_refuses(self, now: Situation, consumer: str, host: str) -> bool:
        group = self.graph.groups.get(now.about[consumer]["server_group"] or "")
        if group is None or group.policy.startswith("soft"):
            return False
        homes = [
            now.home(uuid)
            for uuid, about in now.about.items()
            if about["server_group"] == group.uuid and uuid != consumer
        ]
        homes = [home for home in homes if home is not None]
        if group.policy == "affinity":
            return bool(homes) and host not in homes
        return homes.count(host) >= group.rules.get("max_server_per_host", 1)

    # Commit.

    def changed(self) -> dict[str, Any]:
        """What a commit leaves in the graph: by consumer what it holds and its flavor, by
        provider the fields that differ.
        """
        now = self.now()
        found: dict[str, Any] = {}
        for uuid, held in now.held.items():
            was = self.graph.consumers.get(uuid)
            if was is None and not held:
                continue
            flavor = now.about[uuid]["flavor_id"]
            if was is None or was.allocations != held or was.flavor_id != flavor:
                found[uuid] = (held, flavor)
        for uuid, provider in self.graph.providers.items():
            fields = now.fields[uuid]
            differing = {n: v for n, v in fields.items() if getattr(provider, n) != v}
            if differing:
                found[uuid] = differing
        return found

    def conflicts(self, current: Graph) -> set[tuple[str, str, int, int | None]]:
        """What the deltas touch and has changed since the base: kind, key, expected, found."""
        now = self.now()
        providers: set[str] = set()
        consumers: set[str] = set()
        for delta in self.deltas:
            for name in ("from_provider", "to_provider", "provider", "provider_uuid"):
                providers.add(getattr(delta, name, None) or "")
            if not isinstance(delta, UpdateProvider):
                consumers.add(delta.consumer_uuid)
        for uuid in consumers:
            was = self.graph.consumers.get(uuid)
            providers.update(was.allocations if was else ())
            providers.update(now.held[uuid])
        providers.discard("")
        found = set()
        for kind, keys in (("provider", providers), ("consumer", consumers)):
            for key in keys:
                expected = _generation(self.graph, kind, key)
                there = _generation(current, kind, key)
                if expected != there:
                    found.add((kind, key, expected, there or None))
        return found


def _generation(graph: Graph, kind: str, key: str) -> int:
    table: dict[str, Any] = graph.providers if kind == "provider" else graph.consumers
    return table[key].generation if key in table else 0


def metrics(now: Situation, counted: Iterable[str] | None) -> Metrics:
    """Statistics of used / capacity over the providers with capacity for a class."""
    among = set(now.graph.providers if counted is None else counted)
    found: Metrics = {}
    for name in now.classes:
        cells = [
            (now.used(uuid, name), now.room(uuid, name))
            for uuid in now.graph.providers
            if uuid in among and now.room(uuid, name) > 0
        ]
        loads = [used / capacity for used, capacity in cells]
        mean = math.fsum(loads) / len(loads) if loads else 0.0
        spread = math.fsum((load - mean) ** 2 for load in loads)
        found[name] = {
            "providers": len(cells),
            "providers_used": sum(used != 0 for used, _ in cells),
            "used": sum(used for used, _ in cells) / now.scale(name),
            "capacity": math.fsum(capacity for _, capacity in cells) / now.scale(name),
            "mean": mean,
            "std_deviation": math.sqrt(spread / len(loads)) if loads else 0.0,
            "min": min(loads, default=0.0),
            "max": max(loads, default=0.0),
            "imbalance": max(loads) / mean - 1.0 if mean > 0 else 0.0,
        }
    return found


def compare(left: NaiveSession, right: NaiveSession) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the placements and the provider fields that differ, None for what is not there."""
    here, there = left.placements(), right.placements()
    placements = {
        uuid: (here.get(uuid), there.get(uuid))
        for uuid in {**here, **there}
        if here.get(uuid) != there.get(uuid)
    }
    ours, theirs = left.fields(), right.fields()
    providers = {}
    for uuid in {**ours, **theirs}:
        mine, other = ours.get(uuid, {}), theirs.get(uuid, {})
        if mine != other:
            names = [n for n in PROVIDER_FIELDS if mine.get(n) != other.get(n)]
            providers[uuid] = (
                {n: mine[n] for n in names if n in mine},
                {n: other[n] for n in names if n in other},
            )
    return placements, providers
