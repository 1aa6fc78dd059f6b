"""How long an audit waits for its scoped model. A program of Watcher's environment.

    python -m benchmarks.stock_acquire CLUSTER.json AGGREGATE --graph URL --rounds N

The scope leaves an aggregate's hosts out. Without `--graph` Watcher's collector and scope handler
are measured, with it the plug-in's. Prints the least seconds from the collector's model to the
first answer of the scoped one, of CPU and as they passed, as JSON.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks import stock_model


def upstream(cluster: stock_model.Cluster, scope: Any) -> Callable[[], Any]:
    """Return what Watcher does for an audit: dump, copy, delete what is out of scope."""
    from watcher.decision_engine.scope import compute

    model = stock_model.compute_model(cluster)
    members: dict[str, list[str]] = {}
    for provider in stock_model.compute_hosts(cluster):
        for name in provider.get("aggregates", ()):
            members.setdefault(name, []).append(provider["name"])
    aggregates = [
        SimpleNamespace(id=number, name=name, hosts=hosts)
        for number, (name, hosts) in enumerate(members.items())
    ]

    def acquire() -> Any:
        model.to_xml()
        copied = copy.deepcopy(model)
        with mock.patch.object(compute.nova_helper, "NovaHelper"):
            handler = compute.ComputeScope(scope, SimpleNamespace(check_optimize_metadata=False))
        handler.wrapper = SimpleNamespace(get_aggregate_list=lambda: aggregates)
        return handler.get_scoped_model(copied)

    return acquire


def ours(url: str, scope: Any) -> Callable[[], Any]:
    """Return what the plug-in does: open a session, evaluate the scope."""
    from tachyon.graph.client import connect
    from tachyon.optimize.stock import models
    from tachyon.optimize.stock.scope import TachyonScope

    client = connect(url)

    def acquire() -> Any:
        handler = TachyonScope(scope, None, "compute")
        return handler.get_scoped_model(copy.deepcopy(models.ModelRoot(client)))

    return acquire


def main() -> None:
    """Measure the cluster named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stock_acquire")
    parser.add_argument("cluster", type=Path)
    parser.add_argument("aggregate")
    parser.add_argument("--graph", default="")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    from watcher.common import oslo_service_helper

    oslo_service_helper.init_oslo_service_backend()
    from oslo_config import cfg
    from watcher import conf  # noqa: F401  (registers the options that models read)

    cfg.CONF([], project="watcher", default_config_files=[])
    left_out = {"host_aggregates": [{"name": arguments.aggregate}]}
    scope = [{"compute": [{"exclude": [left_out]}]}]
    if arguments.graph:
        acquire = ours(arguments.graph, scope)
    else:
        acquire = upstream(json.loads(arguments.cluster.read_text("utf-8")), scope)
    found: dict[str, float] = {"seconds": float("inf"), "wall": float("inf")}
    for _ in range(arguments.rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        found["hosts"] = len(acquire().get_all_compute_nodes())
        found["seconds"] = min(found["seconds"], time.process_time() - cpu)
        found["wall"] = min(found["wall"], time.perf_counter() - wall)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
