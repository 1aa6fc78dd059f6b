"""Two hours of the PlanetLab day: audits go on from one another, and beat published policies."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.planetlab_audits import Audits, Traces
from benchmarks.planetlab_data import arrays
from benchmarks.planetlab_day import SPARING, TIGHT, simulate
from benchmarks.planetlab_published import Published, regression, static
from tachyon.graph.importers.planetlab import read_planetlab
from tachyon.graph.view import build, snapshot_of
from tachyon.openstack.telemetry.datasource import Query, SeriesQuery
from tachyon.openstack.telemetry.resources import Resources
from tests.optimize.clusters import planetlab

MOMENTS = 24


def test_two_hours_take_less_energy_and_less_from_machines_than_the_published_policies() -> None:
    content = read_planetlab(planetlab("20110306"))
    day, fleet, homes = arrays(content)
    theirs = [
        simulate(day, fleet, homes, Published(day, fleet, detector).decide, MOMENTS)
        for detector in (static(0.8), regression(1.2, 300.0))
    ]
    for given in (SPARING, TIGHT):
        ours = simulate(
            day, fleet, homes, Audits(content, day, "consolidation", given).decide, MOMENTS
        )
        # The first hour empties most of the hosts of the start, whoever does it.
        assert ours.migrations < min(one.migrations for one in theirs) / 2
        assert ours.energy < min(one.energy for one in theirs)
        assert ours.esv < min(one.esv for one in theirs) / 5


def test_where_memory_counts_no_host_holds_more_than_it_has() -> None:
    content = read_planetlab(planetlab("20110306"))
    day, _, homes = arrays(content)
    audits = Audits(content, day, "consolidation", SPARING, memory=True)
    after = audits.decide(1, homes)
    assert len(set(after.tolist())) < len(set(homes.tolist()))
    assert np.bincount(after, day.memory).max() <= 4096


def test_the_traces_tell_nothing_of_what_is_to_come() -> None:
    content = read_planetlab(planetlab("20110306"))
    day, _, _ = arrays(content)
    use = day.demand / day.mips[:, None] * 100.0
    traces = Traces((one.uuid for one in content.cluster.consumers), day)
    traces.at = 30
    resources = Resources(build(snapshot_of(content.cluster)), "instance")
    rows = [resources.find(one.uuid) for one in content.cluster.consumers]
    newest = traces.statistic_aggregation(Query(metric="instance_cpu_usage"), resources)
    assert newest[rows] == pytest.approx(use[:, 30])
    hour = Query(metric="instance_cpu_usage", period=3600, aggregate="max")
    assert traces.statistic_aggregation(hour, resources)[rows] == pytest.approx(
        use[:, 19:31].max(axis=1)
    )
    end = traces.now + 300.0
    past = traces.statistic_series(
        SeriesQuery(metric="instance_cpu_usage", start=end - 7200, end=end, granularity=3600),
        resources,
    )
    means = [use[:, 7:19].mean(axis=1), use[:, 19:31].mean(axis=1)]
    assert past.values[rows] == pytest.approx(np.column_stack(means))
