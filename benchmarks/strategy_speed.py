"""Measure every strategy beside stock Watcher's: seconds of CPU, and how good the plans are.

    python -m benchmarks.strategy_speed [--sizes 100:2000,…] [--limit SECONDS] [--peer-hosts N]

Both sides get the same cluster and the same metrics from memory, with the model at hand, and each
strategy of the peer runs in a process of its own, for at most `--limit` seconds of CPU. Writes
docs/benchmarks-strategies.md; with BENCH_SMALL=1 a small cluster, and nothing but the terminal.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import legality, peer, stock_cinder
from benchmarks.report import seconds, times
from benchmarks.stock_metrics import _CLIMATE, Datasource, share
from benchmarks.strategy_scenes import SCENES
from tachyon.graph.cluster_file import ClusterFile, write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build, snapshot_of
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import Measurements

SIZES = "100:2000,1000:20000,5000:100000"
#: Targets by number of hosts, in seconds.
TARGETS = {100: 0.1, 1000: 1.0, 5000: 10.0}
ROUNDS = 3
MANY = 10**6
#: What plans do beside migrating instances, by types of actions.
OTHERS = {"volume_migrate": "volumes", "change_node_power_state": "nodes"}

#: By line of the table: our strategy, its parameters, and the peer's line (None: it has none).
Case = tuple[str, dict[str, Any], str | None]


def cases(hosts: list[str], pools: list[str], full: float) -> dict[str, Case]:
    """Return what is measured; parameters are those of `benchmarks.stock_worker`.

    Args:
        hosts: names.
        pools: names.
        full: used share of a pool in per cent from which on it is too full.
    """
    both = {"metrics": ["instance_cpu_usage", "instance_ram_usage"]}
    zone = {
        "compute_nodes": [{"src_node": n} for n in hosts[: max(1, len(hosts) // 10)]],
        "storage_pools": [{"src_pool": pools[0], "dst_pool": stock_cinder.like(pools[0], pools)}],
        "with_attached_volume": True,
        "priority": {"compute": "vcpu_num", "storage": "size"},
    }
    kept = {"maintenance_node": hosts[0], "backup_node": hosts[-1]}
    same = (
        *("basic", "vm_workload_consolidation", "workload_stabilization", "workload_balance"),
        *("noisy_neighbor", "outlet_temperature", "uniform_airflow", "saving_energy"),
    )
    specify = {"host_choice": "specify"}
    node = "node_resource_consolidation"
    return {
        **{name: (name, {}, name) for name in same},
        node: (node, specify, node),
        f"{node}, auto": (node, {}, f"{node}_auto"),
        "workload_stabilization, fullsearch, both metrics": (
            "workload_stabilization",
            {**both, "host_choice": "fullsearch"},
            "workload_stabilization_full",
        ),
        "workload_balance, no limit": ("workload_balance", {"migration_limit": 0}, None),
        "host_maintenance": ("host_maintenance", kept, "host_maintenance"),
        "zone_migration": ("zone_migration", zone, "zone_migration"),
        "storage_capacity_balance": (
            "storage_capacity_balance",
            {"volume_threshold": full},
            "storage_capacity_balance",
        ),
        "consolidation": ("consolidation", {}, None),
        "standard_deviation": ("standard_deviation", {}, None),
        "rebalance": ("rebalance", {"time_limit": max(1, len(hosts) / 1000), "safety": 0.3}, None),
    }


def main() -> None:
    """Measure all sizes and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategy_speed")
    quick = os.environ.get("BENCH_SMALL") == "1"
    parser.add_argument("--sizes", default="20:200" if quick else SIZES)
    parser.add_argument("--limit", type=float, default=60.0, help="of the peer, seconds of CPU")
    parser.add_argument("--peer-hosts", type=int, default=1000, help="the peer's largest cluster")
    arguments = parser.parse_args()
    lines = [
        "# Benchmarks of strategies",
        "",
        "Written by `python -m benchmarks.strategy_speed`. Seconds of CPU of one execution, metrics"
        " from memory, the",
        f"model at hand; ours the best of {ROUNDS}, stock `python-watcher` {peer.VERSION} once, "
        f"ended after {arguments.limit:g} s.",
        "Plans: migrations, hosts in use that end empty, the standard deviation of the hosts' CPU "
        "use (share of a host;",
        "none where the strategy leaves the choice of hosts to Nova), and, where there are any, "
        "volumes migrated or retyped,",
        "nodes switched, and actions that Nova or Placement would refuse or that break a rule, as "
        "the tests' independent",
        "checker finds by replaying the plan. For noisy_neighbor instances have priorities; for "
        "saving_energy a quarter of",
        "the hosts is empty and every other one of those powered off; for storage_capacity_balance "
        "half of the pools are too full.",
        "rebalance searches as long as it may, here a second for each thousand hosts; it evens out "
        "load beyond 30 % of each.",
        f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}.",
        "",
    ]
    for size in arguments.sizes.split(","):
        hosts, instances = map(int, size.split(":"))
        lines += table(hosts, instances, arguments.limit, with_peer=hosts <= arguments.peer_hosts)
        # After each size, so that a run that is ended leaves what it has found.
        text = "\n".join(lines)
        if not quick:
            Path("docs/benchmarks-strategies.md").write_text(text, encoding="utf-8")
    print(text)


def table(hosts: int, instances: int, limit: float, *, with_peer: bool) -> list[str]:
    """Return the lines of one size."""
    content = generate(
        hosts, instances, 20260720, pools=max(10, hosts // 50), volumes=instances // 10
    )
    view = build(snapshot_of(content.cluster))
    metrics = measured(view, content)
    target = TARGETS.get(hosts)
    start = quality(view, metrics, view.consumers.home)
    lines = [
        f"## {hosts:,} hosts, {instances:,} instances",
        "",
        f"Before: standard deviation {start['deviation']:.4f}. "
        + (f"Target: {seconds(target)} for every strategy." if target else ""),
        "",
        "| strategy | Tachyon | plan | stock Watcher | plan | ratio |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.json"
        write_cluster_file(path, content)
        # In the order of the file, in which the peer reads them.
        providers = json.loads(path.read_text("utf-8"))["providers"]
        names = [p["name"] for p in providers if p.get("type", "compute") == "compute"]
        pools = [p["name"] for p in providers if p.get("type") == "pool"]
        full = stock_cinder.threshold(msgspec.to_builtins(content.cluster))
        for line, (name, parameters, theirs) in cases(names, pools, full).items():
            note(f"{hosts} hosts: {line}")
            scene, seen, known, file = content, view, metrics, path
            if name in SCENES:
                scene, file = SCENES[name](content), path.with_stem(name)
                write_cluster_file(file, scene)
                seen = build(snapshot_of(scene.cluster))
                known = measured(seen, scene)
            ours, plan = run(seen, scene, known, name, parameters)
            shown = [line, seconds(ours), plan]
            if theirs is None or not with_peer:
                shown += ["—", "—", "—"]
            else:
                shown += beside(seen, scene, known, file, theirs, limit, ours)
            lines.append(f"| {' | '.join(shown)} |")
    return [*lines, ""]


def run(
    view: View, content: ClusterFile, metrics: Measurements, name: str, parameters: dict[str, Any]
) -> tuple[float, str]:
    """Return our seconds of CPU, and the plan in words."""
    least = float("inf")
    for _ in range(ROUNDS):
        session, context = Session(view), Context(measurements=metrics)
        strategy = Plugins().strategy(name)(parameters)
        started = time.process_time()
        strategy.execute(session, context)
        least = min(least, time.process_time() - started)
        if least > 1.0:
            break
    homes = session.homes().copy()
    for proposal in context.proposals:
        if proposal.action_type == "migrate" and proposal.resource_id is not None:
            homes[view.consumer_row(proposal.resource_id)] = -1
    plan = (
        Plugins()
        .planner("weight")()
        .plan(session, context.proposals, strategy.limits(view), in_flight=strategy.in_flight())
    )
    types = [action.action_type for action in plan.actions]
    problems = legality.of_plan(content, plan)
    if problems:
        raise AssertionError(f"{name} breaks rules in {problems} actions of its plan")
    return least, words(quality(view, metrics, homes), types, 0)


def beside(
    view: View,
    content: ClusterFile,
    metrics: Measurements,
    cluster: Path,
    name: str,
    limit: float,
    ours: float,
) -> list[str]:
    """Return the peer's three cells."""
    done = subprocess.run(
        [
            *(peer.environment(), "-m", "benchmarks.stock_worker", cluster, name),
            *("--limit", str(limit)),
        ],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        return ["did not run", "—", "—"]
    found = json.loads(done.stdout)[name]
    ratio = times(found["seconds"] / ours) if ours else "—"
    error = found.get("error")
    if error == "time is up":
        return [f"> {limit:g} s", "—", f"> {ratio}"]
    if error:
        return [f"{seconds(found['seconds'])}, fails: {error.partition(':')[0]}", "—", "—"]
    homes = placed(view, found["actions"])
    illegal = legality.of_stock(content, found["actions"])
    types = [action["action_type"] for action in found["actions"]]
    return [seconds(found["seconds"]), words(quality(view, metrics, homes), types, illegal), ratio]


def placed(view: View, actions: list[dict[str, Any]]) -> Any:
    """Return the host rows (N) after the peer's actions; −1 where its scheduler chooses."""
    rows = {p.name: row for row, p in enumerate(view.providers.record) if p is not None}
    rows |= view.providers.index
    homes = view.consumers.home.copy()
    for action in actions:
        given: Mapping[str, Any] = action["input_parameters"]
        if action["action_type"] == "migrate":
            row = view.consumer_row(given["resource_id"])
            homes[row] = rows.get(given.get("destination_node") or "", -1)
    return homes


def measured(view: View, content: ClusterFile) -> Measurements:
    """Return the metrics of `benchmarks.stock_metrics` by the rows of a view."""
    source = Datasource(msgspec.to_builtins(content.cluster))

    def by_row(values: Mapping[str, float], index: Mapping[str, int], rows: int) -> Any:
        found = np.full(rows, np.nan)
        for uuid, value in values.items():
            if uuid in index:
                found[index[uuid]] = value
        return found

    hosts, consumers = view.providers.index, view.consumers.index
    p, n = view.provider_rows, view.consumer_rows
    cache = [source._noise.get(uuid, (1000.0, 1000.0)) for uuid in view.consumers.uuid]
    climate = {
        metric: {uuid: level + width * share(uuid, metric) for uuid in hosts}
        for metric, (level, width) in _CLIMATE.items()
    }
    return Measurements(
        {
            **{metric: by_row(values, hosts, p) for metric, values in climate.items()},
            "host_cpu_usage": by_row(source.cpu, hosts, p),
            "host_ram_usage": by_row(source.ram, hosts, p),
            "instance_cpu_usage": by_row(source.cpu, consumers, n),
            "instance_ram_usage": by_row(source.ram, consumers, n),
            "instance_root_disk_size": by_row(source.disk, consumers, n),
            "instance_l3_cache_usage": np.array([now for now, _ in cache]),
            "instance_l3_cache_usage over two periods": np.array([both for _, both in cache]),
        }
    )


def quality(view: View, metrics: Measurements, homes: Any) -> dict[str, float]:
    """Return migrations, released hosts and the deviation of CPU use with instances on hosts.

    The deviation is NaN where somebody's host is not known (−1).
    """
    c = view.consumers
    instances = c.alive & (c.type == view.codes.type.find("instance")) & (c.home >= 0)
    hosts = view.provider_mask(types=["compute"])
    column = view.column("VCPU")
    vcpus = view.inventories.total[:, column].astype(float)
    load = metrics._values["instance_cpu_usage"] / 100.0 * c.demand[:, column]

    def on_hosts(at: Any, weights: Any) -> Any:
        there = instances & (at >= 0)
        return np.bincount(at[there], weights=weights[there], minlength=hosts.size)

    ones = np.ones(c.alive.size)
    used = on_hosts(c.home, ones) > 0, on_hosts(homes, ones) > 0
    known = not (instances & (homes < 0)).any()
    return {
        "migrations": int((instances & (homes != c.home)).sum()),
        "released": int((hosts & used[0] & ~used[1]).sum()),
        "deviation": float((on_hosts(homes, load)[hosts] / vcpus[hosts]).std())
        if known
        else np.nan,
    }


def words(found: Mapping[str, float], types: Sequence[str], illegal: int) -> str:
    """Show the quality of a plan whose actions are of some types."""
    deviation = "–" if np.isnan(found["deviation"]) else f"{found['deviation']:.4f}"
    shown = f"{found['migrations']:,} / {found['released']:,} / {deviation}"
    for action_type, unit in OTHERS.items():
        if action_type in types:
            shown += f"; {types.count(action_type):,} {unit}"
    return f"{shown}; {illegal:,} illegal" if illegal else shown


def note(text: str) -> None:
    """Tell what is being done."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
