"""Runs unmodified strategies of stock Watcher. A program of that package's own environment.

    python -m benchmarks.stock_worker CLUSTER.json --graph URL STRATEGY…

Without `--graph` on Watcher's own models; with it on Tachyon's models of the graph at the URL (a
store or a service), which holds the same cluster. Prints a JSON object: by strategy the actions
in their order and the seconds of CPU that `execute` took, or the error that it raised.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks import stock_cinder, stock_model
from benchmarks.stock_metrics import Datasource
from benchmarks.stock_model import Cluster

_CLASSES = {
    "actuator": "Actuator",
    "dummy": "DummyStrategy",
    "basic": "BasicConsolidation",
    "vm_workload_consolidation": "VMWorkloadConsolidation",
    "workload_stabilization": "WorkloadStabilization",
    "workload_stabilization_full": "WorkloadStabilization",
    "workload_balance": "WorkloadBalance",
    "host_maintenance": "HostMaintenance",
    "zone_migration": "ZoneMigration",
    "node_resource_consolidation": "NodeResourceConsolidation",
    "node_resource_consolidation_auto": "NodeResourceConsolidation",
    "saving_energy": "SavingEnergy",
    "storage_capacity_balance": "StorageCapacityBalance",
    "noisy_neighbor": "NoisyNeighbor",
    "outlet_temperature": "OutletTempControl",
    "uniform_airflow": "UniformAirflow",
}
#: Every stock strategy that reads a model, some of them in two ways.
STRATEGIES = tuple(name for name in _CLASSES if name != "storage_capacity_balance")

#: Unlimited, so that a plan shows all that a strategy finds.
_MANY = 10**6


class TimeIsUp(BaseException):
    """A strategy took longer than it may."""


def parameters(name: str, cluster: Cluster) -> dict[str, Any]:
    """Return what a strategy is asked for beside its defaults."""
    names = [p["name"] for p in stock_model.compute_hosts(cluster)]
    pools = [p["name"] for p in cluster["providers"] if p.get("type") == "pool"]
    return {
        "actuator": {"actions": [{"action_type": "nop", "input_parameters": {"message": "x"}}]},
        "host_maintenance": {"maintenance_node": names[0], "backup_node": names[-1]},
        "node_resource_consolidation": {"host_choice": "specify"},
        "workload_stabilization_full": {
            "host_choice": "fullsearch",
            "metrics": ["instance_cpu_usage", "instance_ram_usage"],
        },
        "zone_migration": {
            "compute_nodes": [{"src_node": n} for n in names[: max(1, len(names) // 10)]],
            "storage_pools": [
                {"src_pool": pool, "dst_pool": stock_cinder.like(pool, pools)} for pool in pools[:1]
            ],
            "parallel_total": _MANY,
            "parallel_per_node": _MANY,
            "parallel_per_pool": _MANY,
            "with_attached_volume": True,
            "priority": {"compute": "vcpu_num", "storage": "size"},
        },
    }.get(name, {})


def strategy(name: str, cluster: Cluster, compute: Any, storage: Any, metrics: Any) -> Any:
    """Return a strategy as an audit would find it, with models and metrics given."""
    from watcher.common import utils
    from watcher.decision_engine.strategy import strategies

    cls = getattr(strategies, _CLASSES[name])
    config = utils.Struct()
    config.update({"datasources": None, "check_optimize_metadata": False})
    made = cls(config=config, osc=mock.Mock())
    schema = cls.get_schema().get("properties", {})
    made.input_parameters = utils.Struct()
    made.input_parameters.update(
        {k: copy.deepcopy(v["default"]) for k, v in schema.items() if "default" in v}
    )
    made.input_parameters.update(parameters(name, cluster))
    made.audit_scope = []
    made._compute_model = compute
    made._storage_model = storage
    made._datasource_backend = metrics
    if name == "storage_capacity_balance":
        made.input_parameters["volume_threshold"] = stock_cinder.threshold(cluster)
        made._cinder = stock_cinder.Cinder(cluster)
        made.config.update({"ex_pools": []})
    if name == "saving_energy":
        made._metal_helper = SimpleNamespace(list_compute_nodes=lambda: _metal(cluster))
    return made


def _metal(cluster: Cluster) -> list[Any]:
    """Return what the power strategy asks about hosts: every other idle one is off.

    Where none is idle, every other one at all: so that there is something to do.
    """
    from watcher.common.metal_helper import constants

    busy: dict[str, int] = {}
    for _, host in stock_model.instances(cluster):
        busy[host] = busy.get(host, 0) + 1
    hosts = [p["uuid"] for p in stock_model.compute_hosts(cluster)]
    off = set([uuid for uuid in hosts if uuid not in busy][1::2] or hosts[1::2])
    found = []
    for provider in stock_model.compute_hosts(cluster):
        name, uuid = provider["name"], provider["uuid"]
        facts = {
            "hypervisor_hostname": name,
            "running_vms": busy.get(uuid, 0),
            "state": "up",
            "service": {"host": name},
        }
        power = constants.PowerState.OFF if uuid in off else constants.PowerState.ON
        node = SimpleNamespace(to_dict=facts.copy)
        found.append(
            SimpleNamespace(
                hv_up_when_powered_off=False,
                get_hypervisor_node=lambda node=node: node,
                get_hypervisor_hostname=lambda name=name: name,
                get_power_state=lambda power=power: power,
                get_id=lambda uuid=uuid: uuid,
            )
        )
    return found


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` after some seconds of CPU; 0: never."""

    def up(_number: int, _frame: Any) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGPROF, up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def run(
    name: str, cluster: Cluster, models: Callable[[], Any], limit: float, kept: list[Any]
) -> dict[str, Any]:
    """Run one strategy on models of its own; return its actions and seconds.

    The strategy is kept, so that its models are not given up while the next one is measured.
    """
    started = time.perf_counter()
    compute, storage = models()
    found: dict[str, Any] = {"acquire": time.perf_counter() - started}
    made = strategy(name, cluster, compute, storage, Datasource(cluster))
    kept.append(made)
    random.seed(7)
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        with limited(limit):
            made.execute()
    except TimeIsUp:
        found["error"] = "time is up"
    except Exception as error:  # what upstream's strategy does with upstream's model
        found["error"] = f"{type(error).__name__}: {error}"
    found["seconds"] = time.process_time() - cpu
    found["wall"] = time.perf_counter() - wall
    found["actions"] = made.solution.actions
    return found


def main() -> None:
    """Run the strategies named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stock_worker")
    parser.add_argument("cluster", type=Path)
    parser.add_argument("strategies", nargs="*", default=STRATEGIES)
    parser.add_argument("--graph", default="")
    parser.add_argument("--limit", type=float, default=0.0, help="seconds of CPU; 0: none")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    from watcher.common import oslo_service_helper

    oslo_service_helper.init_oslo_service_backend()
    from oslo_config import cfg
    from watcher import conf  # noqa: F401  (registers the options that models read)

    cfg.CONF([], project="watcher", default_config_files=[])
    cluster = json.loads(arguments.cluster.read_text("utf-8"))
    if arguments.graph:
        from benchmarks.stock_tachyon import acquire

        models = acquire(arguments.graph)
    else:
        upstream = stock_model.compute_model(cluster), stock_model.storage_model(cluster)

        def models() -> Any:
            return tuple(copy.deepcopy(model) for model in upstream)

    kept: list[Any] = []
    found = {
        name: run(name, cluster, models, arguments.limit, kept) for name in arguments.strategies
    }
    json.dump(found, sys.stdout, default=str)


if __name__ == "__main__":
    main()
