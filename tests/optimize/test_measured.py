"""Metrics stand as columns of a view, and nothing missing is silently zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import ClusterFile, MetricSeries
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build, snapshot_of
from tachyon.graph.view.measured import measure, with_metrics
from tests.optimize.clusters import cluster, host, small, view_of, vm


def series(**fields: Any) -> MetricSeries:
    fields = {
        "name": "cpu",
        "unit": "percent",
        "kind": "consumer",
        "period": 300,
        "values": {"x": [10, 30, None], "y": [100, 50, 0, 50]},
        **fields,
    }
    return MetricSeries(**fields)


@pytest.fixture
def content() -> ClusterFile:
    return small([host("a"), host("b", 16)], [vm("x", "a", 4), vm("y", "a", 2)])


@pytest.fixture
def view(content: ClusterFile) -> View:
    return build(snapshot_of(content.cluster))


def test_per_cent_are_shares_of_what_a_consumer_holds(view: View) -> None:
    one = measure(view, series())
    assert one.load.tolist() == pytest.approx([0.2 * 4, 0.5 * 2])
    assert (one.unit, one.capacity.tolist()) == ("VCPU", [8, 16])


@pytest.mark.parametrize(
    ("statistic", "window", "expected"),
    [
        ("mean", None, [20, 50]),
        ("max", None, [30, 100]),
        ("min", None, [10, 0]),
        ("p50", None, [20, 50]),
        ("mean", (0, 2), [20, 75]),
        ("max", (1, 3), [30, 50]),
    ],
)
def test_statistics_leave_out_missing_values(
    view: View, statistic: str, window: tuple[int, int] | None, expected: list[float]
) -> None:
    one = measure(view, series(unit="MIPS", capacity={"a": 9}), statistic=statistic, window=window)
    assert one.load.tolist() == pytest.approx(expected)
    assert one.capacity.tolist() == [9, 0]


@pytest.mark.parametrize("statistic", ["median", "p", "p101", ""])
def test_unknown_statistics_are_refused(view: View, statistic: str) -> None:
    with pytest.raises(InvalidInput, match="unknown statistic"):
        measure(view, series(), statistic=statistic)


def test_a_series_of_providers_or_without_capacity_is_refused(view: View) -> None:
    with pytest.raises(InvalidInput, match="moves shift that of consumers"):
        measure(view, series(kind="provider"))
    with pytest.raises(InvalidInput, match="no capacity"):
        measure(view, series(unit="furlongs"))


def test_sessions_move_measured_load_with_the_instance(view: View) -> None:
    session = Session(with_metrics(view, [measure(view, series())], missing="refuse"))
    assert session.usage("a")["cpu"].used == pytest.approx(1.8)
    session.record(Move(consumer_uuid="x", to_provider="b"))
    assert session.usage("a")["cpu"].used == pytest.approx(1.0)
    assert session.usage("b")["cpu"].used == pytest.approx(0.8)
    assert session.usage("b")["cpu"].capacity == 16
    assert session.metrics()["cpu"].used == pytest.approx(1.8)


def test_limits_of_destinations_apply_to_metrics_but_recording_checks_none(view: View) -> None:
    hot = series(unit="VCPU", values={"x": [7.9], "y": [7.9]}, capacity={"a": 8, "b": 8})
    session = Session(with_metrics(view, [measure(view, hot)], missing="refuse"))
    assert session.destinations("x", {"cpu": 0.5}).uuids == []
    assert session.destinations("x", {"cpu": 1.0}).uuids == ["b"]
    session.record(Move(consumer_uuid="x", to_provider="b"))
    session.record(Move(consumer_uuid="y", to_provider="b"))
    assert session.usage("b")["cpu"].used == pytest.approx(15.8)


def test_the_caller_says_what_a_missing_value_stands_for(view: View) -> None:
    partly = series(values={"x": [50], "y": [None]})
    one = measure(view, partly)
    full = with_metrics(view, [one], missing="full")
    assert Session(full).usage("a")["cpu"].used == pytest.approx(2 + 2)
    zero = with_metrics(view, [one], missing="zero")
    assert Session(zero).usage("a")["cpu"].used == pytest.approx(2)
    with pytest.raises(InvalidInput, match=r"no value for 1 consumers \(y\)"):
        with_metrics(view, [one], missing="refuse")


def test_full_allocation_is_refused_where_it_is_not_known(view: View) -> None:
    one = measure(view, series(unit="MIPS", capacity={"a": 9}, values={"x": [1]}))
    with pytest.raises(InvalidInput, match="no value for 1 consumers"):
        with_metrics(view, [one], missing="full")


def test_what_a_host_measures_itself_counts_more_than_the_sum(view: View) -> None:
    own = series(kind="provider", values={"a": [50]})
    one = measure(view, series(), on_providers=own)
    session = Session(with_metrics(view, [one], missing="refuse"))
    assert session.usage("a")["cpu"].used == pytest.approx(4)
    session.record(Move(consumer_uuid="x", to_provider="b"))
    assert session.usage("a")["cpu"].used == pytest.approx(4 - 0.8)
    assert session.usage("b")["cpu"].used == pytest.approx(0.8)


def test_a_name_that_is_taken_is_refused(view: View) -> None:
    with pytest.raises(InvalidInput, match="already"):
        with_metrics(view, [measure(view, series(name="VCPU"))], missing="full")


def test_columns_of_nested_clusters_stand_on_the_hosts() -> None:
    content = cluster("nested and measured", 0)
    view = view_of(content)
    column = view.column("cpu_usage")
    assert view.metrics[0].name == "cpu_usage"
    hosts = view.provider_mask(types=["compute"])
    assert not view.used[~hosts, column].any()
    total = int(view.consumers.demand[:, column].sum())
    assert int(view.used[:, column].sum()) == total > 0
    assert np.all(view.capacity[hosts, column] > 0)
