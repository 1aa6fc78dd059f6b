"""What the calls of a compute model cost: `python -m benchmarks.model_calls [HOSTS INSTANCES]`.

First calls pay for elements that did not exist yet; each line says which it is. CPU seconds, so
that what else the machine does counts for little.
"""

from __future__ import annotations

import argparse
import copy
import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.report import seconds
from tachyon.graph.generator import generate
from tachyon.graph.view import View, build, snapshot_of
from tachyon.optimize.model import TachyonClusterModel
from tachyon.optimize.scope import ScopeMask


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_calls")
    parser.add_argument("hosts", nargs="?", type=int, default=1000)
    parser.add_argument("instances", nargs="?", type=int, default=20_000)
    arguments = parser.parse_args()
    view = build(snapshot_of(generate(arguments.hosts, arguments.instances).cluster))
    for name, figure in measure(view).items():
        print(f"{name:60}{seconds(figure):>12}")


def measure(view: View) -> dict[str, float]:
    """Return CPU seconds by what was done."""
    found: dict[str, float] = {}

    def take(name: str, call: Callable[[], Any], times: int = 1) -> Any:
        gc.collect()
        started = time.process_time()
        for _ in range(times):
            answer = call()
        found[name] = (time.process_time() - started) / times
        return answer

    model = take("the first model of a generation", lambda: TachyonClusterModel.over(view))
    take("a model over a view", lambda: TachyonClusterModel.over(view), 1000)
    take("all hosts, first", model.get_all_compute_nodes)
    nodes = list(take("all hosts", model.get_all_compute_nodes, 10).values())
    take("instances of all hosts, first", lambda: [model.get_node_instances(n) for n in nodes])
    take("instances of all hosts", lambda: [model.get_node_instances(n) for n in nodes])
    instances = list(model.get_all_instances().values())
    take("state and size of all instances, first", lambda: [(i.state, i.vcpus) for i in instances])
    take("metadata of all instances, first", lambda: [i.metadata for i in instances])
    take(
        "free resources of all hosts, first",
        lambda: [model.get_node_free_resources(n) for n in nodes],
    )
    take("free resources of all hosts", lambda: [model.get_node_free_resources(n) for n in nodes])

    session = take("a copy of a model", lambda: copy.deepcopy(model), 1000)
    here, there = nodes[0], nodes[1]
    instance = session.get_node_instances(here)[0]

    def there_and_back() -> None:
        session.migrate_instance(instance, here, there)
        session.migrate_instance(instance, there, here)

    take("two migrations", there_and_back, 1000)
    take("a host by name", lambda: session.get_node_by_name(there.hostname), 10_000)
    take("a host by instance", lambda: session.get_node_by_instance_uuid(instance.uuid), 10_000)
    take("two hosts compared", lambda: here == there, 10_000)
    other = session.get_node_by_uuid(here.uuid)
    take("a host compared with its copy", lambda: here == other, 10_000)
    mask = every(view, 20)
    scoped = take("a model of one host in 20", lambda: TachyonClusterModel.over(view, mask), 100)
    take("all its hosts, first", scoped.get_all_compute_nodes)
    take("its text, not read", model.to_xml, 1000)
    return found


def every(view: View, number: int) -> ScopeMask:
    """Return a mask of one host in some, with their instances."""
    providers = np.arange(view.provider_rows) % number == 0
    home = view.consumers.home
    return ScopeMask(
        providers=providers,
        consumers=(home >= 0) & providers[home],
        excluded=np.zeros(view.consumer_rows, bool),
    )


if __name__ == "__main__":
    main()
