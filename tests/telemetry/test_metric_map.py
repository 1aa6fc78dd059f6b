"""Names of metrics by YAML file: both written forms, all mistakes at once, no leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachyon.errors import ConfigurationError
from tachyon.openstack.telemetry.datasource import Datasource
from tests.telemetry.backends import only, surroundings


def gnocchi(path: Path) -> Datasource:
    around = surroundings(
        "http://127.0.0.1:9", watcher_decision_engine={"metric_map_path": str(path)}
    )
    (one,) = only("gnocchi", around).datasources
    return one


@pytest.mark.parametrize(
    "text",
    [
        "gnocchi:\n  instance_cpu_usage: cpu_vm_util\n",
        "gnocchi:\n  - instance_cpu_usage: cpu_vm_util\n",
        "- gnocchi:\n  - instance_cpu_usage: cpu_vm_util\n",
    ],
    ids=["mapping", "list of pairs", "list of lists"],
)
def test_a_file_overrides_what_it_names_and_nothing_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    one = gnocchi(path)
    assert one.names["instance_cpu_usage"] == "cpu_vm_util"
    assert one.names["host_cpu_usage"] == "compute.node.cpu.percent"


def test_null_takes_a_metric_away(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("gnocchi:\n  host_power: null\n")
    assert not gnocchi(path).supports("host_power")


def test_a_changed_file_counts_from_the_next_opening_on_and_leaks_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("gnocchi: {host_power: watts}\n")
    first = gnocchi(path)
    path.write_text("gnocchi: {host_airflow: cfm}\n")
    second = gnocchi(path)
    assert first.names["host_power"] == "watts"
    assert second.names["host_power"] == "hardware.ipmi.node.power"
    path.unlink()
    assert gnocchi(path).names["host_airflow"] == "hardware.ipmi.node.airflow"


def test_every_mistake_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("gnochi: {host_power: watts}\ngnocchi: {host_pwr: watts, host_power: 3}\n")
    with pytest.raises(ConfigurationError) as refused:
        gnocchi(path)
    places = [error["path"] for error in refused.value.details["errors"]]
    assert places == ["gnochi", "gnocchi.host_pwr", "gnocchi.host_power"]


@pytest.mark.parametrize("text", ["gnocchi: [", "just words", "\x00"])
def test_what_is_no_map_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"map\.yaml"):
        gnocchi(path)
