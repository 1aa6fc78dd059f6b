"""Every plan of every strategy is feasible in every prefix, says the independent checker."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from tachyon.errors import NoDestination
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import HostAggregate, ResourceProvider
from tachyon.graph.generator import generate
from tachyon.optimize.audit import AuditReport
from tachyon.optimize.strategies.options import StrategyOptions
from tests.optimize.checker import Replay
from tests.optimize.clusters import PLUGINS, SHAPES, actions, cluster, run

#: Metrics by what draws a value for them.
DRAWN = {
    "host_cpu_usage": (0.0, 100.0),
    "host_ram_usage": (0.0, 2e8),
    "host_outlet_temp": (20.0, 50.0),
    "host_inlet_temp": (15.0, 35.0),
    "host_airflow": (100.0, 700.0),
    "host_power": (100.0, 600.0),
    "instance_cpu_usage": (0.0, 100.0),
    "instance_ram_usage": (0.0, 8000.0),
    "instance_l3_cache_usage": (0.0, 1e8),
    "instance_l3_cache_usage over two periods": (0.0, 1e8),
}


def drawn(content: ClusterFile, seed: int, lacking: float = 0.03) -> dict[str, dict[str, float]]:
    """Values for all metrics; some resources have none."""
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, float]] = {}
    for name, (low, high) in DRAWN.items():
        of_hosts = name.startswith("host_")
        cluster = content.cluster
        uuids = [
            x.uuid
            for x in (cluster.providers if of_hosts else cluster.consumers)
            if x.type == ("compute" if of_hosts else "instance")
        ]
        values = rng.uniform(low, high, len(uuids))
        known = rng.random(len(uuids)) >= lacking
        found[name] = {u: float(v) for u, v, k in zip(uuids, values, known, strict=True) if k}
    return found


def furnished(content: ClusterFile, seed: int) -> ClusterFile:
    """The cluster with bare metal under each host, and with all that binds an instance.

    Like the generator, it chooses rules that hold where everything stands now.
    """
    rng = random.Random(seed)
    content = restricted(content, rng)
    before = content.cluster
    nodes = [
        ResourceProvider(
            uuid=f"node-{p.uuid}",
            name=f"node-{p.name}",
            type="baremetal",
            power_state=rng.choice(["power on", "power off"]) if p.state == "down" else "power on",
            extra={"compute_node_id": p.uuid},
        )
        for p in before.providers
        if p.type == "compute"
    ]
    consumers = [
        replace(
            c,
            metadata={
                "watcher-priority": str(rng.randint(1, 9)),
                **({"optimize": rng.choice(["false", "true"])} if rng.random() < 0.1 else {}),
            },
        )
        for c in before.consumers
    ]
    return replace(
        content,
        cluster=replace(before, providers=[*before.providers, *nodes], consumers=consumers),
    )


def restricted(content: ClusterFile, rng: random.Random) -> ClusterFile:
    """Hints of both kinds, hosts that are kept to projects, and hosts that could not be read."""
    cluster = content.cluster
    replay = Replay(content)
    instances = [c for c in cluster.consumers if c.type == "instance"]
    crowd: dict[str | None, list[str]] = {}
    for one in instances:
        crowd.setdefault(replay.place[one.uuid], []).append(one.uuid)
    changed = {}
    for one in instances:
        here = crowd[replay.place[one.uuid]]
        other = rng.choice(instances).uuid
        if rng.random() < 0.1 and other not in here:
            changed[one.uuid] = replace(one, scheduler_hints={"different_host": [other]})
        elif rng.random() < 0.03 and len(here) > 1:
            beside = rng.choice([u for u in here if u != one.uuid])
            changed[one.uuid] = replace(one, scheduler_hints={"same_host": beside})
    consumers = [changed.get(c.uuid, c) for c in cluster.consumers]
    kept = HostAggregate(name="kept", metadata={"filter_tenant_id": ""})
    projects: set[str] = set()
    providers = []
    for host in cluster.providers:
        drawn = rng.random() if host.type == "compute" else 1.0
        if drawn < 0.15:
            owners = {replay.consumers[u].project_id or "" for u in crowd.get(host.uuid, [])}
            if len(owners) < 4:
                projects |= owners
                providers.append(replace(host, aggregates=(*host.aggregates, kept.name)))
                continue
        elif drawn < 0.2:
            providers.append(replace(host, extra={**host.extra, "stale": True}))
            continue
        providers.append(host)
    kept = replace(kept, metadata={"filter_tenant_id": ", ".join(sorted(projects)) or "nobody"})
    return replace(
        content,
        cluster=replace(
            cluster,
            providers=providers,
            consumers=consumers,
            host_aggregates=[*cluster.host_aggregates, kept],
        ),
    )


def asked(content: ClusterFile, name: str, rng: random.Random) -> dict[str, Any] | None:
    """Parameters of a strategy with values that matter; None where it has no work here."""
    hosts = [p.name for p in content.cluster.providers if p.type == "compute"]
    pools = [p.name for p in content.cluster.providers if p.type == "pool"]
    if name == "host_maintenance":
        return {
            "maintenance_node": rng.choice(hosts),
            "disable_live_migration": rng.random() < 0.3,
            "disable_cold_migration": rng.random() < 0.3,
        }
    if name == "zone_migration":
        given: dict[str, Any] = {
            "compute_nodes": [{"src_node": h} for h in rng.sample(hosts, 3)],
            "with_attached_volume": True,
            "priority": {"compute": "mem_size", "project": [], "storage": "size"},
        }
        if pools:
            # A type goes with a backend: volumes keep theirs among its pools, or change it.
            source, *others = rng.sample(pools, len(pools))
            backend = _backend(source)
            alike = [{"dst_pool": pool} for pool in others if _backend(pool) == backend]
            retypes = [{"dst_type": _backend(p)} for p in others if _backend(p) != backend]
            given["storage_pools"] = [{"src_pool": source, **rng.choice([*alike, *retypes])}]
        return given
    if name == "actuator":
        return {"actions": [{"action_type": "nop", "input_parameters": {"message": "x"}}]}
    if name == "node_resource_consolidation":
        return {"host_choice": rng.choice(["auto", "specify"])}
    if name in ("workload_balance", "outlet_temperature", "noisy_neighbor"):
        return {"migration_limit": 0}
    if name == "workload_stabilization":
        return {
            "metrics": ["instance_cpu_usage", "instance_ram_usage"],
            "host_choice": rng.choice(["cycle", "retry", "fullsearch"]),
            "retry_count": 3,
        }
    if name == "storage_capacity_balance":
        return {"volume_threshold": 40.0}
    return {}


def _backend(pool: str) -> str:
    return pool.partition("@")[2].partition("#")[0]


OPTED_OUT = StrategyOptions(check_optimize_metadata=True)
#: What does not look at the cluster.
FIXED = ("actuator", "dummy", "dummy_with_scorer", "dummy_with_resize")
STRATEGIES = [n for n in PLUGINS.strategies if n not in ("dummy_with_resize", "rebalance")]


def check(content: ClusterFile, report: AuditReport, seed: int) -> None:
    plan = actions(report)
    left_alone = {
        c.uuid for c in content.cluster.consumers if c.metadata.get("optimize") == "false"
    }

    def replay() -> Replay:
        return Replay(content, untouchable=left_alone)

    assert replay().run(plan).problems == []
    assert replay().explore(plan, random.Random(seed)).problems == []
    # The most that its graph lets run side by side.
    eager = replay().explore(plan, random.Random(seed), eager=True)
    assert eager.problems == []
    if eager.moved:
        assert max(eager.moved.values()) == 1 or report.order != "net"


def trial(content: ClusterFile, name: str, seed: int) -> AuditReport | None:
    """Run a strategy and check its plan; None where it says that there can be none."""
    rng = random.Random(f"{name} {seed}")

    try:
        report = run(content, name, asked(content, name, rng), drawn(content, seed), OPTED_OUT)
    except NoDestination:
        return None
    check(content, report, seed)
    return report


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("shape", [s for s in SHAPES if "measured" not in s])
def test_every_prefix_of_every_strategys_plan_is_feasible(shape: str, name: str) -> None:
    trial(furnished(cluster(shape, 7), 7), name, 7)


@pytest.mark.integration
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(10))
def test_no_plan_breaks_a_rule_over_a_thousand_generated_clusters(part: int) -> None:
    planned = 0
    for seed in range(part * 100, part * 100 + 100):
        rng = random.Random(seed)
        pools = rng.choice([0, 4])
        content = generate(
            rng.randint(3, 14),
            rng.randint(5, 70),
            seed,
            skew=rng.choice([0.0, 0.5, 1.0]),
            load=rng.uniform(0.2, 0.9),
            zones=rng.randint(1, 3),
            aggregates=rng.randint(0, 3),
            server_groups=rng.randint(0, 10),
            nested=rng.choice([0, 0, 0, 2]),
            disabled=rng.choice([0.0, 0.2]),
            down=rng.choice([0.0, 0.1]),
            pools=pools,
            volumes=5 * pools,
        )
        content = furnished(content, seed)
        # Every strategy has its turn on every other cluster.
        for name in [n for n in STRATEGIES if n not in FIXED][seed % 2 :: 2]:
            report = trial(content, name, seed)
            planned += bool(report and report.actions)
    assert planned > 400
