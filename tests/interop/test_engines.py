"""Two stock decision engines, processes of their own, on one graph at the same time."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tachyon.graph.client import GraphClient, connect
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster
from tachyon.openstack.connection import connect as connect_cloud
from tachyon.openstack.emulator import AT_ONCE, Emulator
from tests.interop.engine import Engine, configuration, create_database, probe
from tests.interop.waiting import until
from tests.servers.rabbitmq import RabbitMQ
from tests.service.processes import ServiceProcess

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return generate(hosts=60, instances=900, zones=2, load=0.4, skew=0.8, seed=21).cluster


@pytest.fixture
def cloud(cluster: Cluster) -> Iterator[Emulator]:
    with Emulator(cluster) as emulator:
        yield emulator


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[str]:
    with ServiceProcess(store_url=f"sqlite:///{tmp_path / 'graph.db'}") as service:
        yield service.url


def zoned(zone: str) -> list[dict[str, Any]]:
    return [{"compute": [{"availability_zones": [{"name": zone}]}]}]


def hosts_of(plan: list[dict[str, Any]]) -> set[str]:
    """The hosts that a plan's actions name."""
    named = set()
    for action in plan:
        if action["type"] == "migrate":
            named |= {action["source_node"], action["destination_node"]}
        else:
            named.add(action["resource_name"])
    return named


def test_engines_share_a_graph_and_nothing_else(
    cloud: Emulator, cluster: Cluster, graph: str, tmp_path: Path
) -> None:
    """Right models, no plan beyond its scope, and who is killed leaves the other unharmed."""
    engines = {
        zone: configuration(tmp_path, cloud, graph, host=f"engine-{zone}", session_ttl=30)
        for zone in ("az-1", "az-2")
    }
    create_database(engines["az-1"])
    shutil.copy(tmp_path / "engine-az-1.db", tmp_path / "engine-az-2.db")
    records = {zone: Records(path.with_suffix(".db")) for zone, path in engines.items()}
    zone_of = {p.name: p.availability_zone for p in cluster.providers if p.type == "compute"}
    with ExitStack() as stack, connect(graph) as client:
        running = {zone: stack.enter_context(Engine(path)) for zone, path in engines.items()}
        for zone, path in engines.items():
            until(records[zone].strategies, "the start of an engine")
            probe(path, "audit", f"engine-{zone}", json.dumps(zoned(zone)))
        for zone in engines:
            for plan in until(records[zone].plans, f"a plan for {zone}"):
                assert plan
                assert {zone_of[name] for name in hosts_of(plan)} == {zone}
        assert {p.uuid for p in client.providers(type="compute")} == {
            p.uuid for p in cluster.providers if p.type == "compute"
        }
        assert len(client.consumers(type="instance")) == 900

        doomed = until(lambda: session_of(client, "engine-az-2"), "an audit under way")
        running["az-2"].kill()
        assert client.sessions.get(doomed).status == "active"
        until(more_plans(records["az-1"]), "one more plan of the engine that lives")
        assert running["az-1"].running
        generation, asked = client.view().generation, reads(cloud)
        with Engine(engines["az-2"]):
            until(more_plans(records["az-2"]), "a plan of the engine started again")
        assert reads(cloud) == asked
        assert client.view().generation == generation
        until(lambda: client.sessions.get(doomed).status == "expired", "the end of its session")


def test_what_the_bus_tells_is_in_the_graph_before_any_audit(
    cluster: Cluster, graph: str, tmp_path: Path
) -> None:
    """Watcher's engines ignore notifications until an audit has built a model."""
    with (
        RabbitMQ() as bus,
        Emulator(cluster, durations=AT_ONCE, transport_url=bus.url) as cloud,
        connect(graph) as client,
    ):
        config = configuration(tmp_path, cloud, graph, bus=bus.url)
        create_database(config)
        with (
            Engine(config),
            connect_cloud(cloud=cloud.name, clouds_file=cloud.clouds_yaml) as connection,
        ):
            # An engine listens before it reads for the first time.
            count = until(lambda: len(client.consumers(type="instance")), "the first reading")
            assert count == 900
            removed = {c.uuid for c in cluster.consumers[:3]}
            for uuid in removed:
                connection.sdk.compute.delete_server(uuid)
            until(
                lambda: len(client.consumers(type="instance")) == count - 3,
                "the removal of three instances",
            )
            assert removed.isdisjoint(c.uuid for c in client.consumers(type="instance"))


class Records:
    """Watcher's database, read past Watcher."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=20)) as found:
            return found.execute(query).fetchall()

    def strategies(self) -> int:
        """How many strategies an engine has noted at its start."""
        return int(self._rows("SELECT count(*) FROM strategies")[0][0])

    def plans(self) -> list[list[dict[str, Any]]]:
        """The actions of each plan of the engine's audit."""
        rows = self._rows(
            "SELECT p.id, x.action_type, x.input_parameters FROM action_plans p "
            "JOIN actions x ON x.action_plan_id = p.id "
            "WHERE p.state IN ('RECOMMENDED', 'CANCELLED')"
        )
        found: dict[int, list[dict[str, Any]]] = {}
        for plan, action, parameters in rows:
            found.setdefault(plan, []).append({"type": action, **json.loads(parameters)})
        return list(found.values())


def more_plans(records: Records) -> Callable[[], bool]:
    """Return what tells that there is one plan more than now."""
    before = len(records.plans())
    return lambda: len(records.plans()) > before


def session_of(client: GraphClient, host: str) -> str | None:
    """Return an active session of an engine."""
    found = [s.id for s in client.sessions.list(status="active") if host in s.name]
    return found[0] if found else None


def reads(cloud: Emulator) -> int:
    """How often the cloud was asked for its servers."""
    return sum(n for (_, _, path), n in cloud.requests.items() if path == "/v2.1/servers/detail")
