"""A real Prometheus at the size of a cloud, and what only Prometheus can get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tachyon.errors import CloudError
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.generator import generate
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build, snapshot_of
from tachyon.openstack.telemetry.datasource import Query, SeriesQuery
from tachyon.openstack.telemetry.prometheus import aggregated
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.optimize.audit import run_audit, work_out
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.forecasting import look_ahead
from tachyon.optimize.strategies.measurements import Measurements
from tachyon.optimize.strategies.rebalance import Rebalance
from tachyon.optimize.strategies.standard_deviation import StandardDeviation
from tests.servers.prometheus import Prometheus, Sample
from tests.telemetry import measured
from tests.telemetry.backends import of_server, only


class Cloud:
    """1,000 hosts and 20,000 instances of which an hour was measured."""

    def __init__(self) -> None:
        self.content: ClusterFile = generate(hosts=1000, instances=20_000, seed=3)
        self.view: View = build(snapshot_of(self.content.cluster))
        self.hosts = Resources(self.view, "compute_node")
        self.instances = Resources(self.view, "instance")
        rng = np.random.default_rng(5)
        self.host_cpu = rng.uniform(5, 95, len(self.hosts))
        self.instance_cpu = rng.uniform(1, 99, len(self.instances))
        self.instance_ram = rng.uniform(100, 8000, len(self.instances))

    def samples(self) -> Iterator[Sample]:
        moments = [measured.END - 600, measured.END - 300, measured.END]
        for label, cpu in zip(self.hosts.names, self.host_cpu.tolist(), strict=True):
            for moment in moments:
                idle = (1 - cpu / 100) * (moment - moments[0])
                labels = [("fqdn", label), ("cpu", "0"), ("mode", "idle")]
                yield "node_cpu_seconds_total", labels, moment, idle
        for name, value in (("MemTotal", 2.0**36), ("MemAvailable", 2.0**35)):
            for label in self.hosts.names:
                for moment in moments:
                    yield f"node_memory_{name}_bytes", [("fqdn", label)], moment, value
        vcpus = self.instances.held("VCPU")
        busy = (self.instance_cpu / 100 * vcpus * 1e9).tolist()
        for label, cpu in zip(self.instances.uuids, busy, strict=True):
            for moment in moments:
                yield "ceilometer_cpu", [("resource", label)], moment, cpu * (moment - moments[0])
        for label, ram in zip(self.instances.uuids, self.instance_ram.tolist(), strict=True):
            for moment in moments:
                yield "ceilometer_memory_usage", [("resource", label)], moment, ram


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture(scope="module")
def datasources(cloud: Cloud) -> Iterator[Datasources]:
    with Prometheus(cloud.samples()) as server:
        yield only("prometheus", of_server(server.url))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("strategy", "given"),
    [
        ("workload_stabilization", {}),
        ("workload_balance", {}),
        ("basic", {}),
        ("vm_workload_consolidation", {}),
        ("vm_workload_consolidation", {"forecast_hours": 6}),
        ("consolidation", {"overload": 0.9, "forecast_hours": 6, "character_threshold": 0.5}),
        ("standard_deviation", {"character_threshold": 0.5}),
        ("rebalance", {"time_limit": 3}),
        ("node_resource_consolidation", {"host_choice": "specify"}),
    ],
)
def test_a_whole_audit_at_the_size_of_a_cloud_needs_few_queries(
    cloud: Cloud, datasources: Datasources, strategy: str, given: dict[str, Any]
) -> None:
    plugins = Plugins()
    one = plugins.strategy(strategy)(given)
    (prometheus,) = datasources.datasources
    requester = prometheus.requester  # type: ignore[attr-defined]
    before = requester.answers.total()
    gathered = datasources.gather(cloud.view, one.metrics())
    found = Measurements(gathered.values)
    if "forecast_hours" in given:
        found = look_ahead(found, one.metrics(), datasources, cloud.view, measured.END)
    context = Context(measurements=found)
    run_audit(cloud.view, plugins.goal(one.goal), one, context)
    asked = requester.answers.total() - before
    assert 0 < asked <= 20
    assert not gathered.failures


@pytest.mark.integration
@pytest.mark.usefixtures("processor_time")
@pytest.mark.parametrize(
    ("strategy", "given"),
    [(StandardDeviation, {}), (Rebalance, {"time_limit": 6, "safety": 0.2})],
)
def test_what_prometheus_has_measured_is_what_is_evened_out(
    cloud: Cloud, datasources: Datasources, strategy: type[Strategy], given: dict[str, Any]
) -> None:
    """The load that stands on the hosts, worked out from the truth that the server was given."""
    vcpus = cloud.instances.held("VCPU")
    column = cloud.view.column("VCPU")
    rows = [cloud.view.consumers.index[uuid] for uuid in cloud.instances.uuids]
    total = cloud.view.inventories.total[:, column].astype(float)
    serving = cloud.view.provider_mask(types=["compute"], in_service=True)

    def deviation(homes: Any) -> float:
        busy = np.bincount(homes[rows], cloud.instance_cpu / 100 * vcpus, cloud.view.provider_rows)
        return float((busy[serving] / total[serving]).std())

    plugins = Plugins()
    one = strategy({"measured": "required", "metrics": ["instance_cpu_usage"], **given})
    found = Measurements(datasources.gather(cloud.view, one.metrics()).values)
    session, context = Session(cloud.view), Context(measurements=found)
    work_out(session, plugins.goal(one.goal), one, context, plugins.planner(one.planner)())
    assert context.warnings == []
    before, after = (deviation(homes) for homes in (cloud.view.consumers.home, session.homes()))
    assert after < 0.9 * before


@pytest.mark.integration
def test_every_value_arrives_at_its_row(cloud: Cloud, datasources: Datasources) -> None:
    (one,) = datasources.datasources
    found = one.statistic_aggregation(Query(metric="instance_cpu_usage"), cloud.instances)
    assert found == pytest.approx(cloud.instance_cpu, rel=1e-6)
    found = one.statistic_aggregation(Query(metric="host_cpu_usage"), cloud.hosts)
    assert found == pytest.approx(cloud.host_cpu, rel=1e-6)
    found = one.statistic_aggregation(Query(metric="host_ram_usage"), cloud.hosts)
    assert found == pytest.approx(np.full(len(cloud.hosts), 2.0**25))


@pytest.mark.integration
def test_what_the_model_knows_is_not_asked_for(cloud: Cloud, datasources: Datasources) -> None:
    (one,) = datasources.datasources
    before = one.requester.answers.total()  # type: ignore[attr-defined]
    found = one.statistic_aggregation(Query(metric="instance_ram_allocated"), cloud.instances)
    assert found.tolist() == cloud.instances.held("MEMORY_MB").tolist()
    assert one.requester.answers.total() == before  # type: ignore[attr-defined]


@pytest.mark.integration
def test_a_long_series_is_asked_for_in_parts(cloud: Cloud, datasources: Datasources) -> None:
    (one,) = datasources.datasources
    query = SeriesQuery(
        metric="host_ram_usage", start=measured.END - 15_000, end=measured.END, granularity=1
    )
    found = one.statistic_series(query, cloud.hosts)
    assert found.values.shape == (1000, 15_000)
    # One of the three values lies at the very end, and the series ends before it.
    assert np.isfinite(found.values[0]).sum() == 2


def test_a_renamed_metric_keeps_its_formula() -> None:
    query = Query(metric="host_cpu_usage", period=600)
    assert aggregated(query, "my_cpu", "fqdn") == (
        '100 - 100 * avg by (fqdn) (rate(my_cpu{mode="idle"}[600s]))'
    )


def test_a_server_that_is_not_there_is_not_available() -> None:
    (one,) = only("prometheus", of_server("http://127.0.0.1:9")).datasources
    assert not one.check_availability()
    with pytest.raises(CloudError, match="cannot be reached"):
        one.statistic_aggregation(Query(metric="host_cpu_usage"), measured.hosts())


def test_an_empty_cloud_asks_nothing_of_a_view_without_hosts() -> None:
    view = build(snapshot_of(generate(hosts=1, instances=0).cluster))
    assert len(Resources(view, "instance")) == 0
