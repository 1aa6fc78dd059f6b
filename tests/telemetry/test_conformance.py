"""What holds for every datasource, each asked over HTTP (or files) as in a cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tachyon.errors import CloudError, InvalidInput
from tachyon.openstack.telemetry.datasource import Query, SeriesQuery
from tachyon.openstack.telemetry.metrics import AGGREGATES
from tests.telemetry import measured
from tests.telemetry.backends import BACKENDS, SERVERS, Opened


@pytest.fixture(
    scope="module",
    params=[*BACKENDS, *(pytest.param(name, marks=pytest.mark.integration) for name in SERVERS)],
)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    folder: Path = tmp_path_factory.mktemp("files")
    with {**BACKENDS, **SERVERS}[request.param](folder) as one:
        yield one


def resources(metric: str) -> measured.Resources:
    return measured.instances() if metric.startswith("instance") else measured.hosts()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_period_is_reduced_to_one_number_for_each_resource(
    opened: Opened, aggregate: str
) -> None:
    for metric in opened.metrics:
        found = opened.datasource.statistic_aggregation(
            Query(metric=metric, aggregate=aggregate, period=3600, granularity=300),
            resources(metric),
        )
        assert found == pytest.approx(
            measured.expected(metric, aggregate), rel=1e-9, nan_ok=True
        ), metric


def test_the_period_ends_now(opened: Opened) -> None:
    for metric in opened.metrics:
        found = opened.datasource.statistic_aggregation(
            Query(metric=metric, aggregate="max", period=900, granularity=300), resources(metric)
        )
        wanted = measured.expected(metric, "max", since=measured.END - 900)
        assert found == pytest.approx(wanted, rel=1e-9, nan_ok=True), metric


def test_a_resource_without_a_series_is_missing_and_no_error(opened: Opened) -> None:
    found = opened.datasource.statistic_aggregation(
        Query(metric="host_cpu_usage", period=3600), measured.hosts()
    )
    assert np.isnan(found).tolist() == [False] * 4 + [True]


def test_a_metric_that_the_map_does_not_have_is_refused(opened: Opened) -> None:
    assert not opened.datasource.supports("no_such_metric")
    opened.datasource.names.pop("host_outlet_temp", None)
    with pytest.raises(InvalidInput, match="has no metric host_outlet_temp"):
        opened.datasource.statistic_aggregation(Query(metric="host_outlet_temp"), measured.hosts())


def test_one_request_serves_all_instances(opened: Opened, request: pytest.FixtureRequest) -> None:
    if opened.server is None or "monasca" in request.node.name:
        pytest.skip("files are not asked; Monasca answers in pages of its own size")
    before = opened.server.requests.total()
    opened.datasource.statistic_aggregation(
        Query(metric="instance_cpu_usage", period=3600), measured.instances()
    )
    assert opened.server.requests.total() == before + 1


def test_a_series_has_a_column_for_each_moment(
    opened: Opened, request: pytest.FixtureRequest
) -> None:
    if request.node.name.endswith("[grafana]"):
        pytest.skip("a query of the operator's that does not group by time has no series")
    for metric in opened.metrics:
        query = SeriesQuery(metric=metric, start=measured.START, end=measured.END, granularity=300)
        found = opened.datasource.statistic_series(query, resources(metric))
        assert found.times.tolist() == measured.times().tolist()
        known = measured.truth(metric)
        which = resources(metric)
        labels = which.uuids if which.resource_type == "instance" else which.names
        for label, values in zip(labels, found.values, strict=True):
            wanted = known.get(label, np.full(measured.COUNT, np.nan))
            assert values == pytest.approx(wanted, rel=1e-9, nan_ok=True), (metric, label)


def test_it_is_available_and_tells_its_metrics(opened: Opened) -> None:
    assert opened.datasource.check_availability()
    there = opened.datasource.list_metrics()
    for metric in opened.metrics:
        name = opened.datasource.names[metric]
        assert (name if isinstance(name, str) else metric) in there


def test_an_answer_that_may_pass_is_asked_for_again(opened: Opened) -> None:
    if opened.server is None:
        pytest.skip("files are not asked over HTTP")
    opened.server.failures[:] = [503, 500]
    found = opened.datasource.statistic_aggregation(
        Query(metric="host_cpu_usage", period=3600), measured.hosts()
    )
    assert np.nanmax(found) > 0


def test_a_server_that_stays_away_is_an_error(opened: Opened) -> None:
    if opened.server is None:
        pytest.skip("files are not asked over HTTP")
    opened.server.failures[:] = [503] * 20
    try:
        with pytest.raises(CloudError):
            opened.datasource.statistic_aggregation(
                Query(metric="host_cpu_usage", period=3600), measured.hosts()
            )
        assert not opened.datasource.check_availability()
    finally:
        opened.server.failures.clear()


def test_a_refusal_is_not_repeated(opened: Opened) -> None:
    if opened.server is None:
        pytest.skip("files are not asked over HTTP")
    opened.server.failures[:] = [403]
    before = opened.server.requests.total()
    with pytest.raises(CloudError):
        opened.datasource.statistic_aggregation(
            Query(metric="host_cpu_usage", period=3600), measured.hosts()
        )
    assert opened.server.requests.total() == before + 1


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"metric": "cpu"}, "metric"),
        ({"metric": "host_power", "aggregate": "median"}, "aggregate"),
        ({"metric": "host_power", "period": 0}, "period"),
        ({"metric": "host_power", "granularity": -1}, "granularity"),
    ],
)
def test_a_query_names_what_is_wrong_with_it(wrong: dict[str, object], place: str) -> None:
    with pytest.raises(InvalidInput, match=place):
        Query(**wrong)  # type: ignore[arg-type]


def test_a_series_starts_before_it_ends() -> None:
    with pytest.raises(InvalidInput, match="start"):
        SeriesQuery(metric="host_power", start=10, end=10)
