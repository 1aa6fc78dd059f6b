"""Which datasource answers: preference, fall-over, and what `strategy state` is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec import Struct

from tachyon import conf as options
from tachyon.errors import ConfigurationError
from tachyon.openstack.telemetry.datasource import Query, SeriesQuery
from tachyon.openstack.telemetry.opening import open_datasources, verify
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.optimize.strategies.measurements import Measurements, MetricNeed
from tests.telemetry import measured, servers
from tests.telemetry.backends import csv_files, of_catalog, only, surroundings


class Need(Struct, frozen=True, kw_only=True):
    metric: str
    resource_type: str = "compute_node"
    aggregate: str = "mean"
    period: float = 3600
    granularity: float = 300
    name: str = "answer"


class Pair(Struct):
    datasources: Datasources
    gnocchi: servers.Backend


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Gnocchi first, files behind it."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(of_catalog("gnocchi", servers.Gnocchi))
        second = stack.enter_context(csv_files(tmp_path))
        assert first.server is not None
        yield Pair(Datasources([first.datasource, second.datasource]), first.server)


def test_the_first_that_has_a_metric_answers(pair: Pair) -> None:
    found = pair.datasources.gather(measured.view(), [Need(metric="host_cpu_usage")])
    assert found.sources == {"answer": "gnocchi"}
    assert not found.failures


def test_answers_stand_in_the_rows_of_the_view(pair: Pair) -> None:
    view = measured.view()
    needs = [
        MetricNeed(metric="host_cpu_usage", resource_type="compute_node", period=3600),
        MetricNeed(metric="instance_cpu_usage", resource_type="instance", period=3600),
    ]
    answers = Measurements(pair.datasources.gather(view, needs).values)
    hosts = answers.get(needs[0], view)
    for row, wanted in zip(
        measured.hosts().rows, measured.expected("host_cpu_usage", "mean"), strict=True
    ):
        assert hosts[row] == pytest.approx(wanted, nan_ok=True)
    assert np.isnan(np.delete(hosts, measured.hosts().rows)).all()
    assert answers.get(needs[1], view).shape == (view.consumer_rows,)


def test_the_next_one_answers_when_the_first_cannot_be_asked(pair: Pair) -> None:
    pair.gnocchi.failures[:] = [503] * 20
    needs = [Need(metric="host_cpu_usage"), Need(metric="host_power", name="power")]
    found = pair.datasources.gather(measured.view(), needs)
    assert found.sources == {"answer": "file", "power": "file"}
    assert list(found.failures) == ["gnocchi"]
    # Four attempts for the first need; for the second one it was left alone.
    assert pair.gnocchi.requests.total() == 4


def test_the_next_one_answers_when_the_first_has_no_value(pair: Pair) -> None:
    one = pair.datasources.datasources[0]
    one.names["host_cpu_usage"] = "renamed.and.gone"
    found = pair.datasources.gather(measured.view(), [Need(metric="host_cpu_usage")])
    assert found.sources == {"answer": "file"}


def test_what_nobody_has_is_missing_for_all_and_no_error(pair: Pair) -> None:
    found = pair.datasources.gather(measured.view(), [Need(metric="host_outlet_temp")])
    assert found.sources == {"answer": None}
    assert np.isnan(found.values["answer"]).all()


def test_equal_needs_are_asked_for_once(pair: Pair) -> None:
    needs = [Need(metric="host_cpu_usage", name=name) for name in "abc"]
    found = pair.datasources.gather(measured.view(), needs)
    assert set(found.values) == {"a", "b", "c"}
    assert pair.gnocchi.requests.total() == 1


def test_series_fall_over_too(pair: Pair) -> None:
    pair.gnocchi.failures[:] = [503] * 20
    query = SeriesQuery(metric="host_power", start=measured.START, end=measured.END)
    found = pair.datasources.series(query, measured.hosts())
    assert np.isfinite(found.values).sum() == 4 * measured.COUNT


def test_state_names_the_datasource_and_which_metrics_it_has(pair: Pair) -> None:
    metrics = ["host_cpu_usage", "host_outlet_temp"]
    assert pair.datasources.state(metrics) == {
        "datasource": "gnocchi",
        "available": True,
        "metrics": {
            "compute.node.cpu.percent": True,
            "hardware.ipmi.node.outlet_temperature": False,
        },
    }


def test_state_says_when_nothing_answers() -> None:
    nobody = only("gnocchi", surroundings("http://127.0.0.1:9"))
    assert nobody.state(["host_power"]) == {
        "datasource": "gnocchi",
        "available": False,
        "metrics": {"host_power": False},
    }
    assert Datasources([]).state(["host_power"])["datasource"] is None


def test_the_global_preference_holds_unless_a_strategy_has_its_own(tmp_path: Path) -> None:
    around = surroundings(
        "http://127.0.0.1:9",
        watcher_datasources={"datasources": ["monasca", "gnocchi"]},
        file_client={"path": str(tmp_path)},
    )
    names = [d.name for d in open_datasources(around.conf, surroundings=around).datasources]
    assert names == ["monasca", "gnocchi"]
    own = open_datasources(around.conf, names=["file"], surroundings=around)
    assert [d.name for d in own.datasources] == ["file"]


def test_defaults_that_are_not_configured_are_left_out() -> None:
    assert open_datasources(options.load()).datasources == ()
    cloud = surroundings("http://127.0.0.1:9")
    names = [d.name for d in open_datasources(cloud.conf, surroundings=cloud).datasources]
    assert names == ["gnocchi", "aetos"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["prometheus", "aetos"], "cannot be used together"),
        (["prometeus"], "no datasource prometeus"),
        (["prometheus"], "host is not given"),
        (["grafana"], "needs a token"),
        (["file"], "path is not given"),
    ],
)
def test_what_was_asked_for_and_cannot_be_is_a_mistake_of_configuration(
    names: list[str], reason: str
) -> None:
    around = surroundings("http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=reason):
        open_datasources(around.conf, names=names, surroundings=around)


def test_aetos_that_the_cloud_lacks_is_found_out_at_the_start() -> None:
    with servers.Gnocchi() as other:  # answers, but not to what Aetos would
        with pytest.raises(ConfigurationError, match="aetos cannot be used"):
            verify(only("aetos", surroundings(other.url)))
        verify(only("gnocchi", surroundings(other.url)))


def test_many_instances_are_searched_for_by_type_and_few_by_id() -> None:
    with of_catalog("gnocchi", servers.Gnocchi) as opened:
        assert opened.server is not None
        opened.datasource.statistic_aggregation(
            Query(metric="instance_cpu_usage", period=3600), measured.instances()
        )
        assert opened.server.bodies[-1]["search"] == {"in": {"id": measured.instances().uuids}}
