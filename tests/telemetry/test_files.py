"""The datasource `file`: cluster files, tables, their changes and their mistakes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tachyon.errors import CloudError, ConfigurationError
from tachyon.graph.cluster_file import write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.view import build, snapshot_of
from tachyon.openstack.telemetry.datasource import Datasource, Query
from tachyon.openstack.telemetry.resources import Resources
from tests.telemetry import measured
from tests.telemetry.backends import only, surroundings


def files(path: Path) -> Datasource:
    (one,) = only("file", surroundings(file_client={"path": str(path)})).datasources
    return one


def test_series_of_a_cluster_file_are_metrics(tmp_path: Path) -> None:
    content = generate(hosts=4, instances=10, samples=6)
    path = tmp_path / "cluster.json"
    write_cluster_file(path, content)
    (series, *_) = [s for s in content.metrics if s.name == "cpu_usage"]
    view = build(snapshot_of(content.cluster))
    query = Query(metric="instance_cpu_usage", period=series.period * 2)
    found = files(path).statistic_aggregation(query, Resources(view, "instance"))
    wanted = [np.nanmean(np.array(series.values[u][-2:], float))
              for u in Resources(view, "instance").uuids]  # fmt: skip
    assert found == pytest.approx(np.clip(wanted, 0, 100))


def test_a_table_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "host_power.csv"
    host = measured.hosts().names[0]
    one = files(tmp_path)
    for moment, watts in ((1, 100.0), (2, 250.0)):
        path.write_text(f"timestamp,resource,value\n2026-01-01T00:00:00,{host},{watts}\n")
        os.utime(path, (moment, moment))
        found = one.statistic_aggregation(Query(metric="host_power"), measured.hosts())
        assert found[0] == watts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time,resource,value\n", "no column timestamp"),
        ("timestamp,resource,value\n0,h,warm\n", "line 2"),
        ("timestamp,resource,value\nyesterday,h,1\n", "line 2"),
    ],
)
def test_a_table_with_a_mistake_is_refused_with_its_place(
    tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "host_power.csv").write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        files(tmp_path).statistic_aggregation(Query(metric="host_power"), measured.hosts())


def test_a_file_that_is_gone_lets_the_next_datasource_answer(tmp_path: Path) -> None:
    one = files(tmp_path / "gone.json")
    assert not one.check_availability()
    with pytest.raises(CloudError):
        one.statistic_aggregation(Query(metric="host_power"), measured.hosts())


def test_hosts_are_found_by_full_or_short_name(tmp_path: Path) -> None:
    first, second = measured.hosts().names[:2]
    rows = f"0,{first}.example.org,1\n0,{second},2\n0,nobody,3\n"
    (tmp_path / "host_power.csv").write_text("timestamp,resource,value\n" + rows)
    found = files(tmp_path).statistic_aggregation(Query(metric="host_power"), measured.hosts())
    assert found[:2].tolist() == [1.0, 2.0]
    assert np.isnan(found[2:]).all()
