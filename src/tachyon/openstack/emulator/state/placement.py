"""Placement's records: providers, inventories, allocations, and the generations that guard them.

Generations move as in Placement 16: writing allocations raises that of every provider named in
what is written, and, for a consumer that is emptied, of every provider it held something on.
`delete` raises none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Provider uuid → resource class → amount.
Held = dict[str, dict[str, int]]


class Refused(Exception):
    """Placement would refuse this; `code` is the error code of its API."""

    def __init__(self, status: int, message: str, code: str = "placement.undefined_code") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Provider:
    """A resource provider. Inventories are kept as the API shows them."""

    uuid: str
    name: str
    parent: str | None = None
    root: str = ""
    generation: int = 0
    inventories: dict[str, dict[str, Any]] = field(default_factory=dict)
    traits: list[str] = field(default_factory=list)
    aggregates: list[str] = field(default_factory=list)
    #: Uuids of the consumers that hold something here, in order of arrival.
    consumers: dict[str, None] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Holder:
    """A consumer of Placement: a server, or a migration that keeps its source."""

    uuid: str
    project_id: str
    user_id: str
    kind: str = "unknown"
    generation: int = 0
    held: Held = field(default_factory=dict)


class Placement:
    """All providers and consumers."""

    def __init__(self) -> None:
        self.providers: dict[str, Provider] = {}
        self.holders: dict[str, Holder] = {}
        self._below: dict[str, list[Provider]] = {}

    def add(self, provider: Provider) -> None:
        """Add a provider; its parent is there already."""
        parent = self.providers.get(provider.parent or "")
        provider.root = parent.root if parent is not None else provider.uuid
        if parent is not None:
            self._below.setdefault(provider.root, []).append(provider)
        self.providers[provider.uuid] = provider

    def provider(self, uuid: str) -> Provider:
        """Return a provider; raises `Refused` (404)."""
        try:
            return self.providers[uuid]
        except KeyError:
            raise Refused(404, f"No resource provider with uuid {uuid} found") from None

    def below(self, root: str) -> list[Provider]:
        """Return all providers below the root of a tree."""
        return self._below.get(root, [])

    def held_by(self, uuid: str) -> Held:
        """Return what a consumer holds, {} if it is not known."""
        holder = self.holders.get(uuid)
        return {} if holder is None else {p: dict(r) for p, r in holder.held.items()}

    def place(self, holder: Holder) -> None:
        """Put a consumer where it is, unchecked: for loading."""
        self.holders[holder.uuid] = holder
        holder.generation += 1
        for provider in self._count(holder, 1):
            provider.generation += 1

    def write(self, wanted: Iterable[Holder]) -> None:
        """Replace what some consumers hold, all or nothing; an empty `held` removes.

        Raises:
            Refused: a provider is unknown, or its inventory lacks the class or the room.
        """
        changes = [(holder, self.held_by(holder.uuid)) for holder in wanted]
        for holder, _ in changes:
            for uuid in holder.held:
                if uuid not in self.providers:
                    raise Refused(
                        400, f"Allocation for resource provider '{uuid}' that does not exist."
                    )
        for holder, _ in changes:
            self._remove(holder.uuid)
        try:
            self._check(holder.held for holder, _ in changes)
        except Refused:
            for holder, before in changes:
                if before:
                    self._insert(holder, before)
            raise
        touched: dict[str, None] = {}
        for holder, before in changes:
            touched.update(dict.fromkeys(holder.held or before))
            known = self.holders.get(holder.uuid)
            generation = known.generation if known is not None else 0
            if holder.held:
                self._insert(holder, holder.held, generation + 1)
            else:
                self.holders.pop(holder.uuid, None)
        for uuid in touched:
            self.providers[uuid].generation += 1

    def delete(self, uuid: str) -> bool:
        """Remove a consumer and all it holds; return whether it held anything."""
        self._remove(uuid)
        return self.holders.pop(uuid, None) is not None

    def _remove(self, uuid: str) -> None:
        holder = self.holders.get(uuid)
        if holder is not None:
            self._count(holder, -1)

    def _insert(self, holder: Holder, held: Held, generation: int | None = None) -> None:
        known = self.holders.get(holder.uuid)
        if generation is None:
            generation = known.generation if known is not None else 1
        placed = Holder(
            uuid=holder.uuid,
            project_id=holder.project_id,
            user_id=holder.user_id,
            kind=holder.kind,
            generation=generation,
            held={p: dict(r) for p, r in held.items()},
        )
        self.holders[holder.uuid] = placed
        self._count(placed, 1)

    def _count(self, holder: Holder, sign: int) -> list[Provider]:
        providers = []
        for uuid, resources in holder.held.items():
            provider = self.providers[uuid]
            providers.append(provider)
            for name, amount in resources.items():
                provider.used[name] += sign * amount
            if sign > 0:
                provider.consumers[holder.uuid] = None
            else:
                provider.consumers.pop(holder.uuid, None)
        return providers

    def _check(self, wanted: Iterable[Held]) -> None:
        asked: dict[str, Counter[str]] = {}
        for held in wanted:
            for uuid, resources in held.items():
                for name, amount in resources.items():
                    asked.setdefault(uuid, Counter())[name] += amount
                    check_amount(self.providers[uuid], name, amount)
        for uuid, resources in asked.items():
            for name, amount in resources.items():
                if free(self.providers[uuid], name) < amount:
                    raise Refused(
                        409,
                        f"Unable to create allocation for '{name}' on resource provider '{uuid}'. "
                        "The requested amount would exceed the capacity.",
                    )

    def bump(self, uuid: str) -> None:
        """Raise the generation of a provider whose inventories, traits or aggregates change."""
        self.providers[uuid].generation += 1

    def resources(self, held: Mapping[str, Mapping[str, int]]) -> Counter[str]:
        """Return the sum of what is held, by class."""
        total: Counter[str] = Counter()
        for amounts in held.values():
            total.update(amounts)
        return total


def free(provider: Provider, name: str) -> float:
    """Return how much of a class can still be allocated; negative where too much is."""
    inventory = provider.inventories.get(name)
    if inventory is None:
        return 0.0
    capacity = (inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"]
    return float(capacity - provider.used[name])


def check_amount(provider: Provider, name: str, amount: int) -> None:
    """Check an amount against an inventory's units; raises `Refused`."""
    inventory = provider.inventories.get(name)
    if inventory is None:
        raise Refused(
            409,
            f"Unable to allocate inventory: Inventory for '{name}' on resource provider "
            f"'{provider.uuid}' invalid.",
        )
    if not inventory["min_unit"] <= amount <= inventory["max_unit"] or (
        amount % inventory["step_size"]
    ):
        raise Refused(
            409,
            f"Unable to create allocation for '{name}' on resource provider '{provider.uuid}'. The "
            "requested amount would violate inventory constraints.",
        )
