"""What collecting costs: requests, our own CPU time and memory, and events per second.

    python -m benchmarks.collectors [HOSTS INSTANCES]

The cloud is emulated in a process of its own, so that its work is not counted as ours; the graph
is a SQLite file.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.graph.generator import generate
from tachyon.openstack.collectors import plugins
from tachyon.openstack.collectors.process import collect_garbage_seldom
from tachyon.openstack.collectors.synchronisation import synchronise
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator.emulator import NAME, Emulator
from tachyon.openstack.notifications.applying import Applier
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.polling import Poller

EVENTS, BATCH, POLLS = 8000, 500, 10


def main() -> None:
    """Measure one size and print it as JSON."""
    if sys.argv[1:2] == ["--cloud"]:
        serve(int(sys.argv[2]), int(sys.argv[3]))
        return
    collect_garbage_seldom()
    hosts, instances = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (1000, 20_000)
    print(json.dumps(measure(hosts, instances), indent=1))


def serve(hosts: int, instances: int) -> None:
    """Serve a cloud until standard input ends."""
    content = generate(hosts, instances, pools=hosts // 50 * 2, volumes=instances // 4)
    with Emulator(content) as emulator:
        print(emulator.clouds_yaml, flush=True)
        sys.stdin.read()


@contextmanager
def emulated(hosts: int, instances: int) -> Iterator[Connection]:
    """Connect to a cloud in another process."""
    command = [sys.executable, "-m", "benchmarks.collectors", "--cloud", str(hosts), str(instances)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        clouds = process.stdout.readline().strip()
        with connect(cloud=NAME, clouds_file=clouds) as cloud:
            yield cloud
    finally:
        process.stdin.close()
        process.wait(30)


def measure(hosts: int, instances: int) -> dict[str, Any]:
    """Return the figures of one size."""
    figures: dict[str, Any] = {"hosts": hosts, "instances": instances}
    with (
        emulated(hosts, instances) as cloud,
        tempfile.TemporaryDirectory(prefix="tachyon-bench-") as folder,
        connect_graph(f"sqlite:///{Path(folder)}/graph.db") as graph,
    ):
        for collector in plugins.collectors(["compute", "storage"], cloud):
            for which in ("first", "next"):
                began = time.process_time()
                done = synchronise(collector, cloud, graph)
                figures[f"{collector.name}, {which}"] = {
                    "requests": done.requests,
                    "cpu_seconds": round(time.process_time() - began, 2),
                    "seconds": round(done.seconds, 2),
                }
        figures["poll, nothing changed"] = poll(cloud, graph)
        figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        figures["events"] = events(cloud, graph)
    return figures


def poll(cloud: Connection, graph: GraphClient) -> dict[str, Any]:
    """Return what one look costs at what no event tells of, while nothing happens."""
    poller = Poller(graph, cloud, ["compute", "storage"], interval=10.0)
    poller.poll()
    before, began, cpu = sum(cloud.requests.values()), time.perf_counter(), time.process_time()
    changed = sum(poller.poll() for _ in range(POLLS))
    return {
        "changed": changed,
        "requests": (sum(cloud.requests.values()) - before) // POLLS,
        "cpu_seconds": round((time.process_time() - cpu) / POLLS, 3),
        "seconds": round((time.perf_counter() - began) / POLLS, 3),
    }


def events(cloud: Connection, graph: GraphClient) -> dict[str, Any]:
    """Return how fast events are applied that each change another instance."""
    told = list(made_up(graph))
    applier = Applier(graph, cloud, plugins.handlers(["compute"]))
    began, cpu, changed = time.perf_counter(), time.process_time(), 0
    for start in range(0, len(told), BATCH):
        changed += applier.apply(told[start : start + BATCH]).changed
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "count": len(told),
        "changed": changed,
        "per_second": round(len(told) / seconds),
        "per_cpu_second": round(len(told) / cpu),
    }


def made_up(graph: GraphClient) -> Iterator[Event]:
    """Give events by which instances stop and start, as Nova would send them."""
    view = graph.view()
    names = {p.uuid: p.name for p in view.providers.record if p is not None}
    flavors = {f.id: f.name for f in graph.flavors()}
    now = datetime.now(UTC)
    instances = [c for c in view.all_consumers() if c.type == "instance"][:EVENTS]
    for row, instance in enumerate(instances):
        payload = {
            "uuid": instance.uuid,
            "display_name": instance.name,
            "state": "stopped" if instance.state == "active" else "active",
            "task_state": None,
            "host": names[next(iter(instance.allocations))],
            "flavor": {
                "flavorid": instance.flavor_id,
                "name": flavors.get(instance.flavor_id or "", ""),
            },
            "locked": instance.locked,
            "tenant_id": instance.project_id,
            "metadata": instance.metadata,
            "updated_at": now.isoformat(),
        }
        at = now + timedelta(milliseconds=row)
        yield Event(type="instance.update", publisher="nova", at=at, payload=payload, id=str(row))


if __name__ == "__main__":
    main()
