"""Every prefix of every plan is feasible, says a checker that shares no code with the planner."""

from __future__ import annotations

import random

import pytest

from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.importers import import_path
from tachyon.openstack.captured import read_captured
from tachyon.optimize.audit import AuditReport
from tests.optimize.checker import Replay
from tests.optimize.clusters import CAPTURE, SHAPES, actions, audit, cluster, planetlab, shared

GOALS = ("server_consolidation", "workload_balancing")


def check(content: ClusterFile, report: AuditReport, limits: dict[str, float]) -> Replay:
    for eager in (True, False):
        explored = Replay(content, limits).explore(actions(report), random.Random(1), eager=eager)
        assert explored.problems == []
    replay = Replay(content, limits).run(actions(report))
    assert replay.problems == []
    assert len(replay.hosts_in_use()) == report.after.hosts_in_use
    for one in report.hosts:
        placed = sum(1 for at in replay.place.values() if at == one.uuid)
        assert placed == one.instances_after
    return replay


def limits_of(content: ClusterFile, goal: str) -> dict[str, float]:
    if goal == "workload_balancing":
        return {}
    return {series.name: 0.8 for series in content.metrics}


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_every_prefix_is_feasible_on_generated_clusters(shape: str, seed: int, goal: str) -> None:
    content = cluster(shape, seed)
    check(content, audit(content, goal), limits_of(content, goal))


@pytest.mark.parametrize("goal", GOALS)
def test_every_prefix_keeps_limits_that_the_caller_gives(goal: str) -> None:
    content = cluster("skewed", 5)
    limits = {"VCPU": 0.6, "MEMORY_MB": 0.7}
    report = audit(content, goal, {"limits": limits})
    assert report.migrations
    check(content, report, limits)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("day", ["20110303", "20110306"])
def test_every_prefix_is_feasible_on_real_traces(day: str, goal: str) -> None:
    content = import_path(planetlab(day))
    report = audit(content, goal)
    assert report.migrations
    check(content, report, limits_of(content, goal))


@pytest.mark.parametrize("goal", GOALS)
def test_every_prefix_is_feasible_on_a_captured_cloud(goal: str) -> None:
    content = read_captured(CAPTURE)
    check(content, audit(content, goal, {"minimum_gain": 0}), {})


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("name", ["a1_4", "b_1"])
def test_every_prefix_is_feasible_on_machine_reassignment_instances(name: str, goal: str) -> None:
    content = import_path(shared(f"roadef2012/model_{name}.txt.gz"))
    parameters = {"migration_limit": 300}
    check(content, audit(content, goal, parameters), {})
