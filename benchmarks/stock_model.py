"""A cluster file's content as stock Watcher's own models. Imports Watcher, nothing of Tachyon."""

from __future__ import annotations

from typing import Any

Cluster = dict[str, Any]

_INVENTORIES = (
    ("vcpus", "vcpu_reserved", "vcpu_ratio", "VCPU"),
    ("memory", "memory_mb_reserved", "memory_ratio", "MEMORY_MB"),
    ("disk", "disk_gb_reserved", "disk_ratio", "DISK_GB"),
)
_POOL_FIELDS = (
    "total_volumes",
    "total_capacity_gb",
    "free_capacity_gb",
    "provisioned_capacity_gb",
    "allocated_capacity_gb",
)


def compute_hosts(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the providers that are compute hosts."""
    return [p for p in cluster["providers"] if p.get("type", "compute") == "compute"]


def instances(cluster: Cluster) -> list[tuple[dict[str, Any], str]]:
    """Return the instances, each with the uuid of its host; all stand whole on it."""
    return [
        (consumer, next(iter(consumer["allocations"])))
        for consumer in cluster["consumers"]
        if consumer.get("type", "instance") == "instance"
    ]


def compute_model(cluster: Cluster) -> Any:
    """Return upstream's compute model."""
    from watcher.decision_engine.model import element, model_root

    model = model_root.ModelRoot()
    nodes = {}
    for provider in compute_hosts(cluster):
        nodes[provider["uuid"]] = node = element.ComputeNode(**_node(provider))
        model.add_node(node)
    for consumer, host in instances(cluster):
        held = consumer["allocations"][host]
        instance = element.Instance(
            **_common(consumer),
            state=consumer.get("state", "active"),
            vcpus=held.get("VCPU", 0),
            memory=held.get("MEMORY_MB", 0),
            disk=held.get("DISK_GB", 0),
            locked=consumer.get("locked", False),
            watcher_exclude=consumer.get("watcher_exclude", False),
            host=nodes[host].hostname,
            hypervisor_hostname=nodes[host].hostname,
            created=consumer["created_at"],
        )
        model.add_instance(instance)
        model.map_instance(instance, nodes[host])
    return model


def _common(consumer: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": consumer["uuid"],
        "name": consumer.get("name", ""),
        "project_id": consumer["project_id"],
        "metadata": consumer.get("metadata", {}),
    }


def _node(provider: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "uuid": provider["uuid"],
        "hostname": provider["name"],
        "status": provider.get("status", "enabled"),
        "state": provider.get("state", "up"),
        "disabled_reason": provider.get("disabled_reason"),
    }
    for name, reserved, ratio, resource in _INVENTORIES:
        inventory = provider["inventories"][resource]
        fields[name] = inventory["total"]
        fields[reserved] = inventory.get("reserved", 0)
        fields[ratio] = inventory.get("allocation_ratio", 1.0)
    return fields


def storage_model(cluster: Cluster) -> Any:
    """Return upstream's storage model."""
    from watcher.decision_engine.model import element, model_root

    model = model_root.StorageModelRoot()
    nodes, pools = {}, {}
    types = {f["id"]: f.get("name", "") for f in cluster.get("flavors", ())}
    for provider in cluster["providers"]:
        extra = provider.get("extra", {})
        if provider.get("type") == "storage":
            node = nodes[provider["uuid"]] = element.StorageNode(
                host=provider["name"],
                zone=provider.get("availability_zone", ""),
                status=provider.get("status", "enabled"),
                state=provider.get("state", "up"),
                volume_type=list(extra.get("volume_types", ())),
            )
            model.add_node(node)
        elif provider.get("type") == "pool":
            pool = pools[provider["uuid"]] = element.Pool(
                name=provider["name"], **{k: int(extra.get(k) or 0) for k in _POOL_FIELDS}
            )
            model.add_pool(pool)
            if provider.get("parent_uuid") in nodes:
                model.map_pool(pool, nodes[provider["parent_uuid"]])
    for consumer in cluster["consumers"]:
        if consumer.get("type") == "volume":
            ((name, held),) = consumer["allocations"].items()
            extra = consumer.get("extra", {})
            volume = element.Volume(
                **_common(consumer),
                size=held["DISK_GB"],
                status=consumer.get("status", "available"),
                attachments=[
                    {"server_id": a["consumer_uuid"], "attachment_id": a.get("attachment_id", "")}
                    for a in consumer.get("attachments", ())
                ],
                multiattach=extra.get("multiattach", False),
                snapshot_id=extra.get("snapshot_id"),
                bootable=bool(consumer.get("bootable")),
                volume_type=extra.get("volume_type") or types.get(consumer.get("flavor_id"), ""),
                created_at=consumer["created_at"],
                host=name,
            )
            model.add_volume(volume)
            model.map_volume(volume, pools[name])
    return model
