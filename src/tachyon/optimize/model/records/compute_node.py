"""Compute hosts: Nova's service and hypervisor, Placement's provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import Inventory, ResourceProvider
from tachyon.optimize.model.elements import ComputeNode
from tachyon.optimize.model.records import oddities

#: Fields of a host by resource class: total, reserved, allocation ratio.
INVENTORIES = {
    "VCPU": ("vcpus", "vcpu_reserved", "vcpu_ratio"),
    "MEMORY_MB": ("memory", "memory_mb_reserved", "memory_ratio"),
    "DISK_GB": ("disk", "disk_gb_reserved", "disk_ratio"),
}
#: What a service's status and state can be in the graph.
_SERVICE = {"status": ("enabled", "disabled"), "state": ("up", "down")}


def told(provider: ResourceProvider, below: Sequence[ResourceProvider] = ()) -> dict[str, Any]:
    """Return what a provider's own fields say of a compute host.

    Args:
        provider: of the host.
        below: providers that stand in for classes of which the host itself has no inventory:
            its children, or what shares its storage.
    """
    values: dict[str, Any] = {
        "hostname": provider.name,
        "status": provider.status,
        "disabled_reason": provider.disabled_reason,
        "state": provider.state,
        "uuid": provider.uuid,
    }
    for name, (total, reserved, ratio) in INVENTORIES.items():
        inventory = provider.inventories.get(name)
        if inventory is None:
            values[total], values[reserved], values[ratio] = _sum(name, below)
        else:
            values[total] = inventory.total
            values[reserved] = inventory.reserved
            values[ratio] = inventory.allocation_ratio
    return values


def _sum(name: str, providers: Sequence[ResourceProvider]) -> tuple[int, int, float]:
    found = [p.inventories[name] for p in providers if name in p.inventories]
    return (
        sum(i.total for i in found),
        sum(i.reserved for i in found),
        found[0].allocation_ratio if found else 1.0,
    )


def values_of(provider: ResourceProvider, below: Sequence[ResourceProvider] = ()) -> dict[str, Any]:
    """Return the fields of a compute host."""
    values = told(provider, below)
    odd = oddities.of(provider.extra)
    if odd is not None:
        odd.apply(ComputeNode, values)
    return values


def host_name(provider: ResourceProvider) -> str | None:
    """Return the hostname of a compute host, None when it is not set."""
    odd = oddities.of(provider.extra)
    if odd is None:
        return provider.name
    if "hostname" in odd.unset:
        return None
    name: str = odd.set.get("hostname", provider.name)
    return name


def record(
    values: Mapping[str, Any],
    before: ResourceProvider | None = None,
    below: Sequence[ResourceProvider] = (),
) -> ResourceProvider:
    """Return the provider of a compute host.

    Args:
        values: the fields of the element that are set, its uuid among them.
        before: the provider in the graph, whose other fields stay.
        below: as in `told`.
    """
    base = before or ResourceProvider(uuid=values["uuid"], name=values["uuid"])
    known = told(base, below) if before is not None else {}
    changed = service(values)
    if isinstance(name := values.get("hostname"), str) and name:
        changed["name"] = name
    changed["disabled_reason"] = values.get("disabled_reason")
    changed["inventories"] = _inventories(values, base, known)
    extra = oddities.without(base.extra)
    made = replace(base, **changed, extra=extra)
    meant = {name: plain(value) for name, value in values.items()}
    odd = oddities.differences(told(made, below), meant)
    return made if odd is None else replace(made, extra={**extra, oddities.KEY: odd})


def service(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return status and state of a service, those that the graph knows."""
    found = {name: plain(values.get(name)) for name in _SERVICE}
    return {name: value for name, value in found.items() if value in _SERVICE[name]}


def _inventories(
    values: Mapping[str, Any], base: ResourceProvider, known: Mapping[str, Any]
) -> dict[str, Inventory]:
    found = dict(base.inventories)
    for name, (total, reserved, ratio) in INVENTORIES.items():
        names = (total, reserved, ratio)
        if total not in values or all(known.get(n) == values.get(n) for n in names):
            continue
        given = {
            "total": values[total],
            "reserved": values.get(reserved, 0),
            "allocation_ratio": values.get(ratio, 1.0),
        }
        old = base.inventories.get(name)
        found[name] = Inventory(**given) if old is None else replace(old, **given)
    return found


def plain(value: Any) -> Any:
    """Return a value of a field as JSON has it: the value of a member of an enumeration."""
    return value.value if isinstance(value, Enum) else value
