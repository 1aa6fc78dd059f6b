"""Bare-metal nodes: Ironic's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import ResourceProvider
from tachyon.optimize.model.elements import IronicNode
from tachyon.optimize.model.records import oddities
from tachyon.optimize.model.records.compute_node import plain


def told(provider: ResourceProvider) -> dict[str, Any]:
    """Return what a provider's own fields say of a bare-metal node."""
    values: dict[str, Any] = {
        "maintenance": provider.maintenance,
        "extra": oddities.without(provider.extra),
        "uuid": provider.uuid,
        "human_id": "",
    }
    if provider.power_state is not None:
        values["power_state"] = provider.power_state
    if provider.maintenance_reason is not None:
        values["maintenance_reason"] = provider.maintenance_reason
    return values


def values_of(provider: ResourceProvider) -> dict[str, Any]:
    """Return the fields of a bare-metal node."""
    values = told(provider)
    odd = oddities.of(provider.extra)
    if odd is not None:
        odd.apply(IronicNode, values)
    return values


def record(values: Mapping[str, Any], before: ResourceProvider | None = None) -> ResourceProvider:
    """Return the provider of a bare-metal node.

    Args:
        values: the fields of the element that are set, its uuid among them.
        before: the provider in the graph, whose other fields stay.
    """
    uuid = values["uuid"]
    base = before or ResourceProvider(
        uuid=uuid, name=uuid, type="baremetal", traits=("COMPUTE_BAREMETAL",)
    )
    extra = values.get("extra", {})
    made = replace(
        base,
        power_state=values.get("power_state") or None,
        maintenance=values.get("maintenance", False),
        maintenance_reason=values.get("maintenance_reason"),
        extra=extra,
    )
    meant = {name: plain(value) for name, value in values.items()}
    odd = oddities.differences(told(made), meant)
    return made if odd is None else replace(made, extra={**extra, oddities.KEY: odd})
