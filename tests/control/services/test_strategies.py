"""Every strategy of a cloud's life, from an audit over HTTP to a cloud that is as planned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from msgspec.structs import replace

from tachyon import conf as options
from tachyon.cli.all_in_one import emulated
from tachyon.control.all_in_one import AllInOne, in_folder
from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.generator import generate
from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import Connection, connect
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect
from tests.control.services.test_all_in_one import (
    FAST,
    Running,
    ask_often,
    call,
    ended,
    start,
    until_filled,
)
from tests.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

HOST = "OS-EXT-SRV-ATTR:host"
POOL = "os-vol-host-attr:host"
#: Moments of the measurements, two periods of the noisy neighbour's.
MOMENTS = range(1_800_000_000, 1_800_000_200, 10)


def furnished() -> ClusterFile:
    """A cloud with volumes, and a bare metal node under each host."""
    content = generate(8, 40, 5, skew=0.8, load=0.3, pools=4, volumes=12, server_groups=0)
    cluster = content.cluster
    nodes = [
        ResourceProvider(
            uuid=str(uuid5(NAMESPACE_OID, p.uuid)),
            name=f"node-{p.name}",
            type="baremetal",
            power_state="power on",
            extra={"compute_node_id": p.uuid},
        )
        for p in cluster.providers
        if p.type == "compute"
    ]
    # Of the instances of a host, the first is the most important one.
    consumers = [
        replace(c, metadata={"watcher-priority": str(n % 9 + 1)}) if c.type == "instance" else c
        for n, c in enumerate(cluster.consumers)
    ]
    return replace(
        content,
        cluster=replace(cluster, providers=[*cluster.providers, *nodes], consumers=consumers),
    )


CONTENT = furnished()
HOSTS = [p for p in CONTENT.cluster.providers if p.type == "compute"]
POOLS = [p for p in CONTENT.cluster.providers if p.type == "pool"]
INSTANCES = [c for c in CONTENT.cluster.consumers if c.type == "instance"]


def measurements(folder: Path) -> Path:
    """A folder of tables: hosts are the hotter the more instances they hold."""
    folder.mkdir()
    held = {p.uuid: sum(p.uuid in c.allocations for c in INSTANCES) for p in HOSTS}
    fullest = max(held, key=lambda uuid: held[uuid])
    crowd = [c.uuid for c in INSTANCES if fullest in c.allocations]
    of_hosts = {
        "host_cpu_usage": {u: 5.0 * n for u, n in held.items()},
        "host_ram_usage": {u: 1e6 * n for u, n in held.items()},
        "host_outlet_temp": {u: 30.0 + n for u, n in held.items()},
        "host_inlet_temp": dict.fromkeys(held, 30.0),
        "host_airflow": {u: 380.0 + 10 * n for u, n in held.items()},
        "host_power": dict.fromkeys(held, 400.0),
    }
    steady = {
        **of_hosts,
        "instance_cpu_usage": {c.uuid: 60.0 for c in INSTANCES},
        "instance_ram_usage": {c.uuid: 500.0 for c in INSTANCES},
    }
    rows: dict[str, list[tuple[int, str, float]]] = {
        name: [(at, u, v) for u, v in values.items() for at in MOMENTS]
        for name, values in steady.items()
    }
    by_priority = sorted(
        crowd,
        key=lambda u: int(next(c for c in INSTANCES if c.uuid == u).metadata["watcher-priority"]),
    )
    changes = {by_priority[0]: (1000.0, 100.0), by_priority[-1]: (100.0, 1000.0)}
    rows["instance_l3_cache_usage"] = [
        (at, c.uuid, changes.get(c.uuid, (500.0, 500.0))[2 * k // len(MOMENTS)])
        for c in INSTANCES
        for k, at in enumerate(MOMENTS)
    ]
    for name, found in rows.items():
        lines = [f"{at},{u},{v}" for at, u, v in found]
        (folder / f"{name}.csv").write_text("\n".join(["timestamp,resource,value", *lines]) + "\n")
    return folder


@contextmanager
def control_plane(folder: Path, *, maas: bool = False) -> Iterator[Running]:
    """Bring an emulated cloud and the services; hosts' power is Ironic's or MAAS's."""
    conf = options.load()
    in_folder(conf, folder)
    conf.set_override("enable_authentication", False)
    conf.set_override("port", 0, group="api")
    ask_often(conf)
    conf.set_override("datasources", ["file"], group="watcher_datasources")
    conf.set_override("path", str(measurements(folder / "metrics")), group="file_client")
    with emulated(conf, CONTENT, FAST) as cloud:
        if maas:
            conf.set_override("url", cloud.maas_url, group="maas_client")
            conf.set_override("api_key", cloud.maas_key, group="maas_client")
        with AllInOne(conf) as running:
            until_filled(running.url, "compute", "storage", "baremetal")
            yield Running(running.url, cloud, conf.graph.url)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with control_plane(tmp_path_factory.mktemp("strategies")) as running:
        yield running


@pytest.fixture(scope="module")
def cloud(services: Running) -> Iterator[Connection]:
    with connected(services) as found:
        yield found


def connected(services: Running) -> Connection:
    emulator = services.emulator
    return connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml)


def as_planned(cloud: Connection, actions: list[dict[str, Any]]) -> list[str]:
    """Return what is not as the last action on each resource has it."""
    last = {(a["action_type"], a["input_parameters"].get("resource_id")): a for a in actions}
    services = {s["host"]: s["status"] for s in queries.compute_services(cloud)}
    wrong = []
    for (kind, uuid), action in last.items():
        given = action["input_parameters"]
        if kind == "migrate":
            server = queries.server(cloud, uuid)
            assert server is not None
            wanted = given.get("destination_node")
            there = server[HOST] == wanted if wanted else server[HOST] != given["source_node"]
        elif kind == "volume_migrate":
            volume = queries.volume(cloud, uuid)
            assert volume is not None
            key, name = (
                (POOL, "destination_node")
                if given["migration_type"] == "migrate"
                else ("volume_type", "destination_type")
            )
            there = volume[key] == given[name]
        elif kind == "change_nova_service_state":
            there = services[given["resource_name"]] == given["state"]
        elif kind == "change_node_power_state":
            node = queries.node(cloud, uuid)
            there = node is not None and node["power_state"] == f"power {given['state']}"
        else:
            there = kind == "stop"
        if not there:
            wrong.append(f"{kind} {uuid}")
    return wrong


BOTH = {"metrics": ["instance_cpu_usage", "instance_ram_usage"], "host_choice": "fullsearch"}
ZONE = {
    "compute_nodes": [{"src_node": HOSTS[1].name}],
    "storage_pools": [{"src_pool": POOLS[0].name, "dst_pool": POOLS[1].name}],
}
#: In this order on one cloud: the last ones take hosts out of service and switch nodes off.
AUDITS = [
    ("workload_balancing", "rebalance", {"time_limit": 1}, {"migrate"}),
    ("thermal_optimization", "outlet_temperature", {"threshold": 33.0}, {"migrate"}),
    ("noisy_neighbor", "noisy_neighbor", {}, {"migrate"}),
    ("airflow_optimization", "uniform_airflow", {}, {"migrate"}),
    ("workload_balancing", "workload_balance", {"threshold": 20.0}, {"migrate"}),
    (
        "workload_balancing",
        "workload_stabilization",
        {**BOTH, "thresholds": {"instance_cpu_usage": 0.01, "instance_ram_usage": 0.01}},
        {"migrate"},
    ),
    ("workload_balancing", "standard_deviation", {"threshold": 0, "minimum_gain": 0}, {"migrate"}),
    (
        "workload_balancing",
        "storage_capacity_balance",
        {"volume_threshold": 50.0},
        {"volume_migrate"},
    ),
    ("hardware_maintenance", "zone_migration", ZONE, {"migrate", "volume_migrate"}),
    (
        "cluster_maintaining",
        "host_maintenance",
        {"maintenance_node": HOSTS[0].name},
        {"change_nova_service_state", "migrate"},
    ),
    (
        "server_consolidation",
        "node_resource_consolidation",
        {"migration_limit": 6},
        {"migrate", "change_nova_service_state"},
    ),
    (
        "server_consolidation",
        "vm_workload_consolidation",
        {"migration_limit": 8},
        {"migrate", "change_nova_service_state"},
    ),
    (
        "saving_energy",
        "saving_energy",
        {"min_free_hosts_num": 0, "free_used_percent": 0},
        {"change_node_power_state"},
    ),
]


@pytest.mark.usefixtures("processor_time")
@pytest.mark.parametrize(
    ("goal", "strategy", "parameters", "kinds"), AUDITS, ids=[a[1] for a in AUDITS]
)
def test_an_audit_ends_in_a_cloud_that_is_as_planned(
    services: Running,
    cloud: Connection,
    goal: str,
    strategy: str,
    parameters: dict[str, Any],
    kinds: set[str],
) -> None:
    found = applied(services, goal=goal, strategy=strategy, parameters=parameters)
    assert {a["action_type"] for a in found} >= kinds
    assert as_planned(cloud, found) == []


def test_what_a_strategy_needs_is_told_in_whole_after_a_scoped_audit(services: Running) -> None:
    url = services.url
    scope = [{"compute": [{"exclude": [{"compute_nodes": [{"name": HOSTS[0].name}]}]}]}]
    given = {"name": "scoped", "goal": "dummy", "strategy": "dummy", "scope": scope}
    template = call(url, "POST", "/audit_templates", given)["uuid"]
    asked = {"audit_type": "ONESHOT", "audit_template_uuid": template}
    audit = call(url, "POST", "/audits", asked)
    assert audit["scope"] == scope
    assert ended(url, f"/audits/{audit['uuid']}")["state"] == "SUCCEEDED"
    told = {e["type"]: e["state"] for e in call(url, "GET", "/strategies/workload_balance/state")}
    assert told["Datasource"] == "file: available"
    assert told["Metrics"] == [{"instance_cpu_usage": "available"}]
    assert told["CDM"] == [{"compute_model": "available"}]
    # The audit's scope is its own: the model is whole.
    names = {row["node_hostname"] for row in call(url, "GET", "/data_model")["context"]}
    assert names == {host.name for host in HOSTS}


def applied(services: Running, **audit: Any) -> list[dict[str, Any]]:
    """Ask for an audit, start its plan, and return its actions when all has succeeded."""
    url = services.url
    made = call(url, "POST", "/audits", {"audit_type": "ONESHOT", **audit})
    done = ended(url, f"/audits/{made['uuid']}")
    assert done["state"] == "SUCCEEDED", done["status_message"]
    (plan,) = call(url, "GET", f"/action_plans?audit_uuid={made['uuid']}")["action_plans"]
    found = call(url, "GET", f"/actions/detail?action_plan_uuid={plan['uuid']}")["actions"]
    done = start(url, plan)
    assert done["state"] == "SUCCEEDED", done["status_message"]
    until_heard(services)
    return list(found)


def until_heard(services: Running) -> None:
    """Wait until the graph is what the cloud answers, as all its notifications are read.

    Until then migrations that are over hold their sources, and who asks finds fewer hosts free.
    """
    until(lambda: services.emulator.clock.idle)
    with connected(services) as cloud, connect_graph("sqlite://") as graph:
        collect(cloud, graph)
        wanted = told(graph)
    with connect_graph(services.graph) as graph:
        until(lambda: not differences(told(graph), wanted), pause=0.05)


def told(graph: GraphClient) -> dict[str, dict[str, Any]]:
    """Return what a graph holds; of nodes, for which MAAS has names of its own, their power."""
    found = content(graph)
    for uuid, provider in found["provider"].items():
        if provider["type"] == "baremetal":
            found["provider"][uuid] = {"power_state": provider["power_state"]}
    return found
