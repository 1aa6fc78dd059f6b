"""The graph's rules a second time, as plainly as they can be said.

Everything is a dictionary of plain values, every transaction copies everything and checks
everything. It shares no code with the stores or their common `transition` module, so that an
error there has to be made twice to go unnoticed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from tachyon.errors import (
    ConsumerNotFound,
    GenerationConflict,
    InvalidInput,
    InventoryMissing,
    NotFound,
    ProviderInUse,
    ProviderNotFound,
    TachyonError,
)
from tachyon.graph.mutations import AnyMutation, Expected, Synchronise

Node = dict[str, Any]
State = dict[str, dict[str, Node]]

KEYS = {
    "availability_zone": "name",
    "host_aggregate": "name",
    "project": "external_id",
    "flavor": "id",
    "server_group": "uuid",
    "provider": "uuid",
    "consumer": "uuid",
}


class Refused(Exception):
    """The transaction breaks rules; a store may report any of them."""

    def __init__(self, *errors: type[TachyonError]) -> None:
        super().__init__(errors)
        self.errors = errors


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


class NaiveGraph:
    """A graph in memory; `removals` remembers at which generation a key went away."""

    def __init__(self) -> None:
        self.generation = 0
        self.state: State = {kind: {} for kind in KEYS}
        self.removals: list[tuple[int, str, str]] = []

    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None) -> int:
        """Apply a transaction; return how many entities changed."""
        self.check_expected(plain(expected or Expected()))
        new = copy.deepcopy(self.state)
        for mutation in mutations:
            if isinstance(mutation, Synchronise):
                self.synchronise(new, plain(mutation))
            else:
                change(new, plain(mutation))
        for consumer in new["consumer"].values():
            consumer["allocations"] = without_nothing(consumer["allocations"])
        check(new)
        return self.settle(new)

    def check_expected(self, expected: Node) -> None:
        found = {
            kind: {key: node["generation"] for key, node in self.state[kind].items()}
            for kind in ("provider", "consumer")
        }
        holds = expected["graph"] in {None, self.generation}
        for kind in ("provider", "consumer"):
            for key, generation in expected[f"{kind}s"].items():
                holds = holds and found[kind].get(key, 0) == generation
        if not holds:
            raise Refused(GenerationConflict)

    def settle(self, new: State) -> int:
        """Give what changed its generation and make the new state the present one."""
        old, now = self.state, self.generation + 1
        changed: set[tuple[str, str]] = set()
        for kind in KEYS:
            for key in old[kind].keys() | new[kind].keys():
                if essence(old[kind].get(key)) != essence(new[kind].get(key)):
                    changed.add((kind, key))
        for key in old["consumer"].keys() | new["consumer"].keys():
            was = old["consumer"].get(key, {}).get("allocations", {})
            holds = new["consumer"].get(key, {}).get("allocations", {})
            for provider in was.keys() | holds.keys():
                if was.get(provider) != holds.get(provider):
                    changed.add(("provider", provider))
        if not changed:
            return 0
        self.generation = now
        for kind in ("provider", "consumer"):
            for key, node in new[kind].items():
                before = old[kind].get(key)
                touched = (kind, key) in changed
                node["generation"] = now if touched or before is None else before["generation"]
                if kind == "consumer":
                    moved = before is None or before["allocations"] != node["allocations"]
                    node["placed"] = now if moved or before is None else before["placed"]
        self.removals += [(now, kind, key) for kind, key in changed if key not in new[kind]]
        self.state = new
        return len(changed)

    def synchronise(self, new: State, sync: Node) -> None:
        since = sync["since"]
        cluster = {kind: sync["cluster"][f"{kind}s"] for kind in KEYS}
        gone = {(k, key) for g, k, key in self.removals if since is not None and g > since}
        newer = {
            (kind, key)
            for kind in KEYS
            for key, node in self.state[kind].items()
            if since is not None and node.get("generation", 0) > since
        }
        lost = {key for kind, key in gone if kind == "provider" and key not in new["provider"]}
        for _ in cluster["provider"]:
            for node in cluster["provider"]:
                if node["parent_uuid"] in lost and node["uuid"] not in new["provider"]:
                    lost.add(node["uuid"])
        for kind, nodes in cluster.items():
            listed = [node[KEYS[kind]] for node in nodes]
            if len(set(listed)) < len(listed):
                raise Refused(InvalidInput)
            written = set()
            for key, node in zip(listed, nodes, strict=True):
                if (kind, key) in gone | newer:
                    continue
                if kind == "provider" and node["parent_uuid"] in lost:
                    continue
                if kind == "consumer":
                    drop(node, lost)
                new[kind][key] = node
                written.add(key)
            for key, node in list(new[kind].items()):
                if key in listed or (kind, key) in newer or not pruned(sync, kind, node):
                    continue
                if kind == "provider":
                    cascade(new, key, keep=written)
                else:
                    del new[kind][key]


def pruned(sync: Node, kind: str, node: Node) -> bool:
    if kind in {"provider", "consumer"}:
        types = sync[f"{kind}_types"]
        return types is None or node["type"] in types
    return sync["records"] is None or kind in sync["records"]


def change(new: State, mutation: Node) -> None:
    """Do what a single mutation says."""
    verb, _, kind = mutation.pop("op").partition("_")
    if verb == "put":
        (node,) = mutation.values()
        new[kind][node[KEYS[kind]]] = node
    elif verb == "patch":
        uuid = mutation.pop("uuid")
        if uuid not in new[kind]:
            raise Refused(ProviderNotFound if kind == "provider" else ConsumerNotFound)
        new[kind][uuid].update(mutation)
    elif kind == "record":
        if mutation["key"] not in new[mutation["kind"]]:
            raise Refused(NotFound)
        del new[mutation["kind"]][mutation["key"]]
    elif mutation["uuid"] not in new[kind]:
        raise Refused(ProviderNotFound if kind == "provider" else ConsumerNotFound)
    elif mutation.get("cascade"):
        cascade(new, mutation["uuid"], keep=set())
    else:
        del new[kind][mutation["uuid"]]


def cascade(new: State, uuid: str, keep: set[str]) -> None:
    if uuid not in new["provider"]:
        return
    del new["provider"][uuid]
    for consumer in new["consumer"].values():
        drop(consumer, {uuid})
    for child, node in list(new["provider"].items()):
        if node["parent_uuid"] == uuid and child not in keep:
            cascade(new, child, keep)


def drop(consumer: Node, providers: set[str]) -> None:
    for uuid in providers:
        consumer["allocations"].pop(uuid, None)


def without_nothing(allocations: Node) -> Node:
    held = {u: {c: n for c, n in r.items() if n} for u, r in allocations.items()}
    return {uuid: resources for uuid, resources in held.items() if resources}


def check(new: State) -> None:
    """Check all rules on the whole graph."""
    providers = new["provider"]
    for uuid in providers:
        above, seen = uuid, set()
        while (above := providers[above]["parent_uuid"]) is not None:
            if above not in providers or above in seen or above == uuid:
                raise Refused(InvalidInput, InventoryMissing, ProviderInUse)
            seen.add(above)
    for consumer in new["consumer"].values():
        for uuid, resources in consumer["allocations"].items():
            if uuid not in providers or resources.keys() - providers[uuid]["inventories"].keys():
                raise Refused(InvalidInput, InventoryMissing, ProviderInUse)


def essence(node: Node | None) -> str:
    """A node as text, without what the store sets; text keeps True, 1 and 1.0 apart."""
    kept = {k: v for k, v in (node or {}).items() if k not in {"generation", "placed"}}
    return json.dumps([node is None, kept], sort_keys=True)
