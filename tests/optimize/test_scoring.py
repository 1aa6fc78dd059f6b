"""Scoring engines are plug-ins by name; the dummies score as Watcher's do."""

from __future__ import annotations

import json

import pytest

from tachyon.errors import InvalidInput, PluginNotFound
from tachyon.optimize.scoring import Scoring

SCORING = Scoring()


def features(
    cpu: float = 0, reads: float = 0, writes: float = 0, disk_in: float = 0, disk_out: float = 0
) -> str:
    return json.dumps([cpu, 1e9, 1e9, reads, writes, disk_in, disk_out, 0, 0])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (features(), [0, 100, 0, 0, 0]),
        (features(cpu=80), [1, 0, 100, 0, 0]),
        (features(cpu=40), [0, 100, 50, 0, 0]),
        (features(reads=1000, writes=1000), [2, 0, 0, 100, 0]),
        (features(reads=1000), [0, 100, 0, 50, 0]),
        (features(writes=500), [0, 100, 0, 50, 0]),
        (features(disk_in=50 * 2**20, disk_out=50 * 2**20), [3, 0, 0, 0, 100]),
        (features(disk_in=50 * 2**20), [0, 100, 0, 0, 0]),
        (features(cpu=90, reads=2000, writes=2000), [1, 0, 100, 0, 0]),
    ],
)
def test_the_dummy_scorer_tells_workloads_apart(given: str, wanted: list[int]) -> None:
    assert json.loads(SCORING.engine("dummy_scorer").calculate_score(given)) == wanted


@pytest.mark.parametrize(
    "given", ["", "3", "[]", "[1, 2]", '["a"]', "[true, 1, 1, 1, 1, 1, 1, 1, 1]"]
)
def test_features_of_another_form_are_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="features"):
        SCORING.engine("dummy_scorer").calculate_score(given)


def test_metainfo_says_what_features_and_results_are() -> None:
    metainfo = json.loads(SCORING.engine("dummy_scorer").metainfo)
    assert len(metainfo["feature_columns"]) == 9
    assert len(metainfo["result_columns"]) == 5
    assert metainfo["workloads"] == [
        "idle",
        "cpu-intensive",
        "memory-intensive",
        "disk-intensive",
    ]


@pytest.mark.parametrize(("name", "wanted"), [("min", 1), ("max", 6), ("avg", 3)])
def test_a_container_brings_several_engines(name: str, wanted: float) -> None:
    engine = SCORING.engine(f"dummy_{name}_scorer")
    assert json.loads(engine.calculate_score("[1, 2, 6]")) == [wanted]
    assert engine.metainfo == ""
    with pytest.raises(InvalidInput):
        engine.calculate_score("[]")


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(PluginNotFound, match=r"no scoring engine oracle .*dummy_scorer"):
        SCORING.engine("oracle")
