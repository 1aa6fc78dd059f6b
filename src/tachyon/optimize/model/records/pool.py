"""Storage pools, with what Cinder reports of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import AMOUNT_MAX, Inventory, ResourceProvider
from tachyon.optimize.model.elements import Pool
from tachyon.optimize.model.records import oddities
from tachyon.optimize.model.records.compute_node import plain

_NUMBERS = (
    "total_volumes",
    "total_capacity_gb",
    "free_capacity_gb",
    "provisioned_capacity_gb",
    "allocated_capacity_gb",
    "virtual_free",
)


def told(provider: ResourceProvider) -> dict[str, Any]:
    """Return what a provider's own fields say of a pool.

    What Cinder calls `infinite` or `unknown`, or does not tell, is not set.
    """
    values: dict[str, Any] = {
        "name": provider.name,
        "virtual_free": 0,
        "uuid": "",
        "human_id": "",
    }
    for name in _NUMBERS:
        value = provider.extra.get(name)
        if isinstance(value, int | float) and 0 <= value <= AMOUNT_MAX:
            values[name] = int(value)
    return values


def values_of(provider: ResourceProvider) -> dict[str, Any]:
    """Return the fields of a pool."""
    values = told(provider)
    odd = oddities.of(provider.extra)
    if odd is not None:
        odd.apply(Pool, values)
    return values


def record(
    values: Mapping[str, Any], hosts: list[str], before: ResourceProvider | None = None
) -> ResourceProvider:
    """Return the provider of a pool.

    Args:
        values: the fields of the element that are set, its name among them.
        hosts: of the storage hosts that it stands on, one as a rule.
        before: the provider in the graph, whose other fields stay.
    """
    name = values["name"]
    base = before or ResourceProvider(uuid=name, name=name, type="pool")
    known = told(base)
    extra = oddities.without(base.extra)
    for number in _NUMBERS:
        if values.get(number) != known.get(number):
            extra.pop(number, None)
            if number in values:
                extra[number] = values[number]
    made = replace(
        base,
        parent_uuid=hosts[0] if hosts else None,
        inventories=_inventories(values, known, base),
        extra=extra,
    )
    meant = {field: plain(value) for field, value in values.items()}
    odd = oddities.differences(told(made), meant, hosts if len(hosts) > 1 else None)
    return made if odd is None else replace(made, extra={**extra, oddities.KEY: odd})


def _inventories(
    values: Mapping[str, Any], known: Mapping[str, Any], base: ResourceProvider
) -> dict[str, Inventory]:
    total = values.get("total_capacity_gb")
    if total is None or total == known.get("total_capacity_gb"):
        return base.inventories
    old = base.inventories.get("DISK_GB")
    new = Inventory(total=total) if old is None else replace(old, total=total)
    return {**base.inventories, "DISK_GB": new}
