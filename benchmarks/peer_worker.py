"""Measures stock python-watcher's in-memory model. Runs in that package's own environment.

Usage: peer_worker.py CLUSTER_JSON MOVES_JSON. Prints one JSON object of seconds by task. The
cluster is the very one that Tachyon is measured on; only the standard library and watcher are
imported here.
"""

import copy
import gc
import json
import os
import sys
import threading
import time


def best(function, rounds):
    least = float("inf")
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        function()
        least = min(least, time.perf_counter() - started)
    return least


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def build(cluster):
    from watcher.decision_engine.model import element, model_root

    model = model_root.ModelRoot()
    nodes = {}
    for p in cluster["providers"]:
        if p.get("type", "compute") != "compute":
            continue
        inv = p["inventories"]
        vcpu, memory, disk = inv["VCPU"], inv["MEMORY_MB"], inv["DISK_GB"]
        node = element.ComputeNode(
            uuid=p["uuid"],
            hostname=p["name"],
            status=p.get("status", "enabled"),
            state=p.get("state", "up"),
            disabled_reason=p.get("disabled_reason"),
            vcpus=vcpu["total"],
            vcpu_reserved=vcpu.get("reserved", 0),
            vcpu_ratio=vcpu.get("allocation_ratio", 1.0),
            memory=memory["total"],
            memory_mb_reserved=memory.get("reserved", 0),
            memory_ratio=memory.get("allocation_ratio", 1.0),
            disk=disk["total"],
            disk_gb_reserved=disk.get("reserved", 0),
            disk_ratio=disk.get("allocation_ratio", 1.0),
        )
        model.add_node(node)
        nodes[p["uuid"]] = node
    for c in cluster["consumers"]:
        if c.get("type", "instance") != "instance":
            continue
        ((host, held),) = c["allocations"].items()
        instance = element.Instance(
            uuid=c["uuid"],
            name=c.get("name", ""),
            state=c.get("state", "active"),
            vcpus=held.get("VCPU", 0),
            memory=held.get("MEMORY_MB", 0),
            disk=held.get("DISK_GB", 0),
            metadata=c.get("metadata", {}),
            project_id="a0000000-0000-4000-8000-000000000000",
            locked=False,
            watcher_exclude=False,
        )
        model.add_instance(instance)
        model.map_instance(instance, nodes[host])
    return model


def main():
    from watcher import conf  # noqa: F401  (registers the options that the model reads)
    from oslo_config import cfg

    cfg.CONF([], project="watcher", default_config_files=[])
    with open(sys.argv[1], encoding="utf-8") as file:
        cluster = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        moves = json.load(file)
    rounds = 2 if len(cluster["consumers"]) > 50_000 else 4
    gc.collect()
    before = resident()
    model = build(cluster)
    gc.collect()
    elements = len(cluster["providers"]) + len(cluster["consumers"])
    found = {"bytes_per_element": (resident() - before) / elements}
    found["open"] = best(lambda: copy.deepcopy(model), rounds)

    def two():
        threads = [threading.Thread(target=copy.deepcopy, args=(model,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found["open_two"] = best(two, 1)
    nodes = list(model.get_all_compute_nodes().values())

    def usage():
        if hasattr(model, "invalidate_resource_cache"):
            model.invalidate_resource_cache()
        for node in nodes:
            model.get_node_used_resources(node)
            model.get_node_free_resources(node)

    found["usage"] = best(usage, rounds)
    steps = [
        (
            model.get_instance_by_uuid(m["consumer"]),
            model.get_node_by_uuid(m["source"]),
            model.get_node_by_uuid(m["target"]),
        )
        for m in moves
    ]

    def record():
        for instance, source, target in steps:
            model.migrate_instance(instance, source, target)
            model.get_node_used_resources(source)
            model.get_node_used_resources(target)

    def back():
        for instance, source, target in reversed(steps):
            model.migrate_instance(instance, target, source)

    least = float("inf")
    for _ in range(rounds):
        gc.collect()
        started = time.perf_counter()
        record()
        least = min(least, time.perf_counter() - started)
        back()
    found["record"] = least
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
