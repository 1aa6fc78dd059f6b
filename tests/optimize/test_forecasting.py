"""Strategies may judge by the expected peak of the next hours instead of the past."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.view import View
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.openstack.telemetry.series_files import SeriesFiles
from tachyon.optimize.strategies.forecasting import look_ahead
from tachyon.optimize.strategies.measurements import Measurements
from tests.optimize.clusters import PLUGINS, host, run, small, steps, view_of, vm

DAY = 86_400.0
#: Midnight after two weeks of values.
NOW = 20_000 * DAY


@pytest.fixture
def source(tmp_path: Path) -> Datasources:
    """x works from 8 to 16 o'clock, y is level; it is midnight."""
    moments = np.arange(NOW - 14 * DAY, NOW, 3600.0)
    hours = (moments % DAY) / 3600.0
    x = np.where((hours >= 8) & (hours < 16), 90.0, 5.0)
    rows = [
        f"{t:.0f},{name},{v:.1f}"
        for name, series in (("x", x), ("y", x * 0 + 20))
        for t, v in zip(moments, series, strict=True)
    ]
    table = "\n".join(["timestamp,resource,value", *rows])
    (tmp_path / "instance_cpu_usage.csv").write_text(table + "\n")
    return Datasources([SeriesFiles(SeriesFiles.default_names, tmp_path)])


CONTENT: ClusterFile = small(
    [host("a"), host("b"), host("c")], [vm("x", "a", 4), vm("z", "a", 4), vm("y", "b", 2)]
)


def measured(source: Datasources, view: View, hours: float) -> Measurements:
    given = {"forecast_hours": hours, "period": 7200}
    needs = PLUGINS.strategy("workload_balance")(given).metrics()
    now = Measurements(source.gather(view, needs).values)
    return look_ahead(now, needs, source, view, NOW)


@pytest.mark.parametrize(("hours", "low", "high"), [(0, 4, 6), (3, 4, 30), (12, 85, 100)])
def test_the_peak_of_the_hours_ahead_is_expected(
    source: Datasources, hours: float, low: float, high: float
) -> None:
    view = view_of(CONTENT)
    given = {"forecast_hours": hours, "period": 7200}
    needs = PLUGINS.strategy("workload_balance")(given).metrics()
    values = measured(source, view, hours).get(needs[0], view)
    assert low <= values[view.consumer_row("x")] <= high
    assert values[view.consumer_row("y")] == pytest.approx(20, abs=1)
    # What was never measured is not made up.
    assert np.isnan(values[view.consumer_row("z")])


def test_balancing_acts_on_the_morning_before_it_comes(source: Datasources) -> None:
    content = small([host("a"), host("b")], [vm("x", "a", 4), vm("y", "b", 1)])
    view = view_of(content)

    def planned(hours: float) -> list[tuple[object, ...]]:
        given = {"forecast_hours": hours, "threshold": 40.0, "metrics": "instance_cpu_usage"}
        found = run(content, "workload_balance", given, measurements=measured(source, view, hours))
        return steps(found)

    assert planned(0) == []
    # Alone on its host it cannot be relieved; beside another instance it can.
    assert planned(12) == []
    content = small([host("a"), host("b")], [vm("x", "a", 4), vm("y", "a", 4)])
    view = view_of(content)
    assert planned(0) == []
    assert planned(12) == [("live", "y", "b")]


def test_consolidation_keeps_room_for_the_morning(source: Datasources) -> None:
    content = small([host("a", 4), host("b", 4)], [vm("x", "a", 2), vm("y", "b", 2)])
    view = view_of(content)

    def planned(hours: float) -> list[tuple[object, ...]]:
        given = {"overload": 0.9, "forecast_hours": hours, "usual_threshold": 0.5, "period": 7200}
        needs = PLUGINS.strategy("consolidation")(given).metrics()
        now = Measurements(source.gather(view, needs).values)
        found = look_ahead(now, needs, source, view, NOW)
        return steps(run(content, "consolidation", given, measurements=found))

    # At midnight both use a quarter of two VCPUs; from 8 o'clock on x alone uses almost two.
    assert len(planned(0)) == 2
    assert len(planned(3)) == 2
    assert planned(12) == []


@pytest.mark.parametrize(
    "name", ["basic", "vm_workload_consolidation", "workload_balance", "workload_stabilization"]
)
def test_balancing_and_consolidation_look_ahead_on_request(name: str) -> None:
    assert {n.ahead for n in PLUGINS.strategy(name)().metrics()} == {0.0}
    assert {n.ahead for n in PLUGINS.strategy(name)({"forecast_hours": 6}).metrics()} == {21_600.0}
