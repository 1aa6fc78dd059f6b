"""Which host a provider belongs to: what is needed to say where a server's allocations lie."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tachyon.graph.entities import Allocations, ResourceProvider

#: Providers that instances hold something on.
COMPUTE_TYPES = ("compute", "nested", "numa", "pci", "sharing")


class Hosts(Struct, frozen=True):
    """Compute hosts by name, the host of each of their parts, and what there is an inventory of.

    `root` holds hosts and their parts, not sharing providers.
    """

    uuid_of: dict[str, str]
    root: dict[str, str]
    classes: dict[str, frozenset[str]]

    @classmethod
    def of(cls, providers: Iterable[ResourceProvider]) -> Hosts:
        """Return the hosts among some providers, which hold whole trees."""
        mine = {p.uuid: p for p in providers if p.type in COMPUTE_TYPES}

        def root(provider: ResourceProvider) -> str | None:
            at: ResourceProvider | None = provider
            while at is not None and at.type != "compute":
                at = mine.get(at.parent_uuid or "")
            return at.uuid if at is not None else None

        roots = {uuid: above for uuid, p in mine.items() if (above := root(p)) is not None}
        return cls(
            uuid_of={p.name: p.uuid for p in mine.values() if p.type == "compute"},
            root=roots,
            classes={uuid: frozenset(p.inventories) for uuid, p in mine.items()},
        )

    def split(self, held: Allocations, host: str) -> tuple[Allocations, Allocations]:
        """Return what is held on a host's tree or shared, and what is held on other hosts."""
        here: Allocations = {}
        elsewhere: Allocations = {}
        for provider, resources in held.items():
            aside = self.root.get(provider, host) != host
            (elsewhere if aside else here)[provider] = resources
        return here, elsewhere

    def on_host(self, held: Allocations, host: str) -> bool:
        """Tell whether anything is held on a host's tree."""
        return any(self.root.get(provider) == host for provider in held)

    def storable(self, held: Allocations) -> Allocations:
        """Return what is held of classes and on providers that the graph knows of."""
        kept = {
            provider: {
                name: amount
                for name, amount in resources.items()
                if name in self.classes.get(provider, ())
            }
            for provider, resources in held.items()
        }
        return {provider: resources for provider, resources in kept.items() if resources}
