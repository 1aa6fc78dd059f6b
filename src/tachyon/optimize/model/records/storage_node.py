"""Storage hosts: Cinder's volume services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import ResourceProvider
from tachyon.optimize.model.elements import StorageNode
from tachyon.optimize.model.records import oddities
from tachyon.optimize.model.records.compute_node import plain, service


def told(provider: ResourceProvider) -> dict[str, Any]:
    """Return what a provider's own fields say of a storage host."""
    values: dict[str, Any] = {
        "host": provider.name,
        "status": provider.status,
        "state": provider.state,
        "uuid": "",
        "human_id": "",
    }
    if provider.availability_zone is not None:
        values["zone"] = provider.availability_zone
    if (types := provider.extra.get("volume_types")) is not None:
        values["volume_type"] = [str(name) for name in types]
    return values


def values_of(provider: ResourceProvider) -> dict[str, Any]:
    """Return the fields of a storage host."""
    values = told(provider)
    odd = oddities.of(provider.extra)
    if odd is not None:
        odd.apply(StorageNode, values)
    return values


def record(
    values: Mapping[str, Any],
    order: list[str] | None = None,
    before: ResourceProvider | None = None,
) -> ResourceProvider:
    """Return the provider of a storage host.

    Args:
        values: the fields of the element that are set, its host among them.
        order: names of its pools, when they came to it in another order than into the graph.
        before: the provider in the graph, whose other fields stay.
    """
    host = values["host"]
    base = before or ResourceProvider(
        uuid=host, name=host, type="storage", traits=("STORAGE_BACKEND",)
    )
    extra = oddities.without(base.extra)
    extra.pop("volume_types", None)
    if "volume_type" in values:
        extra["volume_types"] = values["volume_type"]
    made = replace(
        base, **service(values), availability_zone=values.get("zone") or None, extra=extra
    )
    meant = {name: plain(value) for name, value in values.items()}
    odd = oddities.differences(told(made), meant, order=order)
    return made if odd is None else replace(made, extra={**extra, oddities.KEY: odd})
