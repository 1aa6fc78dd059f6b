"""Measures stock python-watcher's in-memory model. Runs in that package's own environment.

Usage: `python -m benchmarks.peer_worker CLUSTER_JSON MOVES_JSON`. Prints one JSON object of seconds
by task. The cluster is the very one that Tachyon is measured on; nothing of Tachyon is imported.
"""

from __future__ import annotations

import copy
import gc
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import best, resident

#: Watcher insists on a uuid.
_PROJECT = "a0000000-0000-4000-8000-000000000000"


def build(cluster: dict[str, Any]) -> Any:
    """Return upstream's compute model of a cluster file's content."""
    from watcher.decision_engine.model import element, model_root

    model = model_root.ModelRoot()
    nodes = {}
    for provider in cluster["providers"]:
        if provider.get("type", "compute") == "compute":
            nodes[provider["uuid"]] = node = element.ComputeNode(**_node(provider))
            model.add_node(node)
    for consumer in cluster["consumers"]:
        if consumer.get("type", "instance") == "instance":
            ((host, held),) = consumer["allocations"].items()
            instance = element.Instance(
                uuid=consumer["uuid"],
                name=consumer.get("name", ""),
                state=consumer.get("state", "active"),
                vcpus=held.get("VCPU", 0),
                memory=held.get("MEMORY_MB", 0),
                disk=held.get("DISK_GB", 0),
                metadata=consumer.get("metadata", {}),
                project_id=_PROJECT,
                locked=False,
                watcher_exclude=False,
            )
            model.add_instance(instance)
            model.map_instance(instance, nodes[host])
    return model


def _node(provider: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "uuid": provider["uuid"],
        "hostname": provider["name"],
        "status": provider.get("status", "enabled"),
        "state": provider.get("state", "up"),
        "disabled_reason": provider.get("disabled_reason"),
    }
    for name, reserved, ratio, resource in (
        ("vcpus", "vcpu_reserved", "vcpu_ratio", "VCPU"),
        ("memory", "memory_mb_reserved", "memory_ratio", "MEMORY_MB"),
        ("disk", "disk_gb_reserved", "disk_ratio", "DISK_GB"),
    ):
        inventory = provider["inventories"][resource]
        fields[name] = inventory["total"]
        fields[reserved] = inventory.get("reserved", 0)
        fields[ratio] = inventory.get("allocation_ratio", 1.0)
    return fields


def measure(cluster: dict[str, Any], moves: list[dict[str, str]]) -> dict[str, float]:
    """Return seconds by task, and the bytes that an element of the model takes."""
    rounds = 2 if len(cluster["consumers"]) > 50_000 else 4
    gc.collect()
    before = resident()
    model = build(cluster)
    gc.collect()
    elements = len(cluster["providers"]) + len(cluster["consumers"])
    found = {"bytes_per_element": (resident() - before) / elements}
    found["open"] = best(lambda: copy.deepcopy(model), rounds)
    found["open_two"] = best(lambda: _two_copies(model), 1)
    nodes = list(model.get_all_compute_nodes().values())

    def usage() -> None:
        model.invalidate_resource_cache()
        for node in nodes:
            model.get_node_used_resources(node)
            model.get_node_free_resources(node)

    found["usage"] = best(usage, rounds)
    found["record"] = min(_record(model, moves) for _ in range(rounds))
    return found


def _two_copies(model: Any) -> None:
    threads = [threading.Thread(target=copy.deepcopy, args=(model,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _record(model: Any, moves: list[dict[str, str]]) -> float:
    """Move, ask both hosts' usage each time, and put everything back; returns the seconds."""
    steps = [
        (
            model.get_instance_by_uuid(move["consumer"]),
            model.get_node_by_uuid(move["source"]),
            model.get_node_by_uuid(move["target"]),
        )
        for move in moves
    ]
    gc.collect()
    started = time.perf_counter()
    for instance, source, target in steps:
        model.migrate_instance(instance, source, target)
        model.get_node_used_resources(source)
        model.get_node_used_resources(target)
    taken = time.perf_counter() - started
    for instance, source, target in reversed(steps):
        model.migrate_instance(instance, target, source)
    return taken


def main() -> None:
    """Measure the cluster named on the command line."""
    from oslo_config import cfg
    from watcher import conf  # noqa: F401  (registers the options that the model reads)

    cfg.CONF([], project="watcher", default_config_files=[])
    cluster, moves = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:3])
    json.dump(measure(cluster, moves), sys.stdout)


if __name__ == "__main__":
    main()
