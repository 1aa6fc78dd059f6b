"""Instances: Nova's server and Placement's consumer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tachyon.graph.entities import Allocations, Consumer, Flavor, ResourceProvider
from tachyon.optimize.model.elements import Instance
from tachyon.optimize.model.records import oddities
from tachyon.optimize.model.records.compute_node import plain

#: Classes by field; what is held of the classes of one field is counted together.
CLASSES = {"vcpus": ("VCPU", "PCPU"), "memory": ("MEMORY_MB",), "disk": ("DISK_GB",)}
_PLAIN = {"name": "name", "state": "state", "locked": "locked", "created": "created_at"}


def told(
    consumer: Consumer, host: ResourceProvider | None, flavor: Flavor | None
) -> dict[str, Any]:
    """Return what a consumer's own fields say of an instance.

    Amounts are what it holds; one that holds nothing has those of its flavor. `host` is where it
    stands.
    """
    values: dict[str, Any] = {
        "watcher_exclude": consumer.watcher_exclude,
        "name": consumer.name,
        "state": consumer.state,
        "metadata": consumer.metadata,
        "locked": consumer.locked,
        "pinned_az": consumer.pinned_az or "",
        "flavor_extra_specs": {} if flavor is None else flavor.extra_specs,
        "uuid": consumer.uuid,
        **amounts(consumer.allocations, flavor),
    }
    if consumer.project_id is not None:
        values["project_id"] = consumer.project_id
    if consumer.created_at is not None:
        values["created"] = consumer.created_at
    values.update(places(host, consumer.extra))
    return values


def amounts(allocations: Allocations, flavor: Flavor | None) -> dict[str, int]:
    """Return vcpus, memory and disk of what is held, of the flavor when that is nothing."""
    if not any(allocations.values()) and flavor is not None:
        return of_flavor(flavor)
    return {
        name: sum(held.get(c, 0) for held in allocations.values() for c in classes)
        for name, classes in CLASSES.items()
    }


def of_flavor(flavor: Flavor) -> dict[str, int]:
    """Return vcpus, memory and disk of a flavor; swap counts in whole GB, as Nova claims it."""
    disk = flavor.disk_gb + flavor.ephemeral_gb + -(-flavor.swap_mb // 1024)
    return {"vcpus": flavor.vcpus, "memory": flavor.memory_mb, "disk": disk}


def places(host: ResourceProvider | None, extra: Mapping[str, Any]) -> dict[str, str]:
    """Return host and hypervisor_hostname: those of where it stands, else what Nova said last."""
    found = {n: extra[n] for n in ("host", "hypervisor_hostname") if extra.get(n) is not None}
    if host is not None:
        found["host"] = host.name
        found["hypervisor_hostname"] = host.extra.get("hypervisor_hostname", host.name)
    return found


def record(
    values: Mapping[str, Any],
    allocations: Allocations,
    hosts: list[str] | None,
    host: ResourceProvider | None,
    before: Consumer | None = None,
    flavor: Flavor | None = None,
) -> Consumer:
    """Return the consumer of an instance.

    Args:
        values: the fields of the element that are set, its uuid among them.
        allocations: what it holds.
        hosts: uuids of its hosts when its allocations do not say them, else None.
        host: where it stands.
        before: the consumer in the graph, whose other fields stay.
        flavor: of that one.
    """
    base = before or Consumer(uuid=values["uuid"], state="")
    changed: dict[str, Any] = {
        field: plain(values[name]) for name, field in _PLAIN.items() if values.get(name) is not None
    }
    changed["watcher_exclude"] = values.get("watcher_exclude", False)
    changed["project_id"] = values.get("project_id")
    changed["pinned_az"] = values.get("pinned_az") or None
    if isinstance(metadata := values.get("metadata"), dict):
        changed["metadata"] = metadata
    if not changed.get("state"):
        changed["state"] = "active"
    extra = oddities.without(base.extra)
    made = replace(base, **changed, allocations=allocations, extra=extra)
    meant = {name: plain(value) for name, value in values.items()}
    odd = oddities.differences(told(made, host, flavor), meant, hosts)
    return made if odd is None else replace(made, extra={**extra, oddities.KEY: odd})


def values_of(
    consumer: Consumer, host: ResourceProvider | None, flavor: Flavor | None
) -> dict[str, Any]:
    """Return the fields of an instance."""
    values = told(consumer, host, flavor)
    odd = oddities.of(consumer.extra)
    if odd is not None:
        odd.apply(Instance, values)
    return values
