"""Placement's providers: asked one by one only where their generation moved.

Placement raises a provider's generation when its inventories or traits change, and when
allocations are written that name it. The graph remembers the generation last read in
`extra["placement_generation"]` of the provider, so that a collector that was restarted need not ask
again either. What raises no generation (allocations that are deleted, or taken off a provider that
is not named any more) shows in what Nova says; `doubts` names the consumers to ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct, field

from tachyon.errors import CloudError, CloudNotFound
from tachyon.graph.entities import Resources
from tachyon.graph.view import View
from tachyon.openstack.collectors import queries
from tachyon.openstack.collectors.instances import ASIDE, CLAIMED, CONSUMER_TYPES
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping.answers import Answer

#: Member of a provider's `extra`: the generation in Placement of what the graph holds of it.
GENERATION = "placement_generation"


class Provider(Struct, frozen=True):
    """What Placement says of one provider.

    `inventories` is None for one that has not changed: the graph knows them, and the traits.
    """

    listed: Answer
    generation: int
    inventories: Mapping[str, Answer] | None = None
    traits: tuple[str, ...] = ()


class Held(Struct):
    """What Placement says of all providers.

    `allocations` is by provider and consumer. `asked` are the providers that were asked now; those
    of all others are the last known ones, as of `failed`, which could not be asked. `entangled` are
    servers on their way and their migrations, whose parts the graph has changed round.
    """

    providers: dict[str, Provider] = field(default_factory=dict)
    allocations: dict[str, dict[str, Resources]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    entangled: set[str] = field(default_factory=set)
    failed: dict[str, CloudError] = field(default_factory=dict)


def read_providers(
    cloud: Connection, listed: Iterable[Answer], known: View, doubtful: Iterable[str] = ()
) -> Held:
    """Return what Placement says of the providers that it lists.

    Args:
        cloud: to ask.
        listed: `GET /resource_providers`.
        known: the graph; stands in for what has not changed.
        doubtful: providers to ask again whatever their generation.

    Raises:
        CloudError: the traits of many providers could not be had.
    """
    by_uuid = {p["uuid"]: p for p in listed}
    again = set(doubtful)
    moved = [u for u, p in by_uuid.items() if u in again or _known_at(known, u) != p["generation"]]
    traits = _traits(cloud, moved)

    def ask(uuid: str) -> tuple[Provider, dict[str, Resources]]:
        inventories = queries.inventories(cloud, uuid)
        found = queries.allocations_on(cloud, uuid)
        # Of the two, the older: what changed in between is asked for again next time.
        generation = min(a["resource_provider_generation"] for a in (inventories, found))
        provider = Provider(
            listed=by_uuid[uuid],
            generation=generation,
            inventories=inventories["inventories"],
            traits=tuple(traits[uuid] if uuid in traits else queries.traits(cloud, uuid)),
        )
        return provider, {c: a["resources"] for c, a in found["allocations"].items()}

    held = Held(entangled=_entangled(known))
    for uuid, outcome in zip(moved, cloud.gather(ask, moved), strict=True):
        if isinstance(outcome, CloudNotFound):
            del by_uuid[uuid]
        elif isinstance(outcome, CloudError):
            held.failed[uuid] = outcome
        else:
            held.providers[uuid], held.allocations[uuid] = outcome
            held.asked.add(uuid)
    last = _known_allocations(known)
    for uuid, provider in by_uuid.items():
        if uuid not in held.providers:
            held.providers[uuid] = Provider(listed=provider, generation=provider["generation"])
            held.allocations[uuid] = last.get(uuid, {})
    return held


def doubts(held: Held, hosts: Mapping[str, str | None]) -> set[str]:
    """Return the consumers whose last known allocations may be no more.

    Args:
        held: of `read_providers`.
        hosts: of each server, None where it has none.
    """

    def root(provider: str) -> str:
        found = held.providers.get(provider)
        return found.listed.get("root_provider_uuid") or provider if found else provider

    places: dict[bool, dict[str, set[str]]] = {True: {}, False: {}}
    for provider, consumers in held.allocations.items():
        at = places[provider in held.asked]
        for consumer in consumers:
            at.setdefault(consumer, set()).add(root(provider))
    names = set(hosts.values())
    doubtful: set[str] = set()
    for consumer, known in places[False].items():
        read = places[True].get(consumer, set())
        elsewhere = {r for r in read - known if r in names}
        moved = elsewhere and known & names
        if hosts.get(consumer) is None or moved or consumer in held.entangled:
            doubtful.add(consumer)
    return doubtful


def _known_at(known: View, uuid: str) -> Any:
    row = known.providers.index.get(uuid, -1)
    record = known.providers.record[row] if 0 <= row < known.provider_rows else None
    return None if record is None else record.extra.get(GENERATION)


def _traits(cloud: Connection, providers: list[str]) -> dict[str, list[str]]:
    """Return traits by provider, when asking trait by trait is less work; {} otherwise."""
    if len(providers) < 2:
        return {}
    in_use = queries.traits_in_use(cloud)
    if len(in_use) >= len(providers):
        return {}
    traits: dict[str, list[str]] = {uuid: [] for uuid in providers}
    having = cloud.gather_all(lambda trait: queries.providers_with(cloud, trait), in_use)
    for trait, found in zip(in_use, having, strict=True):
        for provider in found:
            if provider["uuid"] in traits:
                traits[provider["uuid"]].append(trait)
    return traits


def _known_allocations(known: View) -> dict[str, dict[str, Resources]]:
    """Return what the graph has from Placement that consumers hold, by provider."""
    held: dict[str, dict[str, Resources]] = {}
    codes = [known.codes.type.find(name) for name in CONSUMER_TYPES]
    columns = known.consumers
    for row in np.flatnonzero(columns.alive & np.isin(columns.type, codes)).tolist():
        # What was only reckoned from a flavor is reckoned anew.
        if CLAIMED not in (columns.extra[row] or ""):
            consumer = columns.uuid[row].removesuffix(ASIDE)
            for provider, resources in known.allocations(row).items():
                held.setdefault(provider, {})[consumer] = resources
    return held


def _entangled(known: View) -> set[str]:
    columns = known.consumers
    code = known.codes.type.find("migration")
    found: set[str] = set()
    for row in np.flatnonzero(columns.alive & (columns.type == code)).tolist():
        consumer = known.consumer_at(row)
        found |= {consumer.uuid, consumer.extra.get("instance", consumer.uuid)}
    return found
