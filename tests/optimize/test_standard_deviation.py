"""Balancing lowers the weighted deviation or does nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tachyon.errors import Cancelled, InvalidInput, ParametersInvalid
from tachyon.graph.entities import ServerGroup
from tachyon.graph.importers import import_path
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.standard_deviation import StandardDeviation
from tests.optimize.clusters import (
    SHAPES,
    actions,
    audit,
    cluster,
    host,
    planetlab,
    small,
    vm,
)

GOAL = "workload_balancing"


def indicators(report: Any) -> dict[str, float]:
    return {i.name: i.value for i in report.indicators}


@pytest.mark.parametrize("shape", SHAPES)
def test_it_lowers_the_weighted_deviation_or_does_nothing(shape: str) -> None:
    for seed in range(3):
        report = audit(cluster(shape, seed), GOAL)
        before, after = report.before.weighted_deviation, report.after.weighted_deviation
        assert after < before if report.migrations else after == before


def test_the_indicators_are_the_deviations_of_the_hosts_in_service() -> None:
    content = cluster("broken", 0)
    report = audit(content, GOAL, {"weights": {"VCPU": 2, "MEMORY_MB": 0.5}})
    serving = [h for h in report.hosts if h.service_before == "enabled"]

    def deviation(moment: str) -> float:
        loads = [getattr(h, moment) for h in serving]
        return 2 * float(np.std([x["VCPU"] for x in loads])) + 0.5 * float(
            np.std([x["MEMORY_MB"] for x in loads])
        )

    values = indicators(report)
    assert values["standard_deviation_before_audit"] == pytest.approx(deviation("before"), abs=1e-3)
    assert values["standard_deviation_after_audit"] == pytest.approx(deviation("after"), abs=1e-3)
    assert values["instance_migrations_count"] == report.migrations > 0
    assert values["instances_count"] == len(content.cluster.consumers)
    (ratio,) = report.global_efficacy
    assert (ratio.name, ratio.unit) == ("live_migrations_count", "%")
    assert ratio.value == pytest.approx(100 * report.migrations / values["instances_count"])


def test_every_move_lowers_the_deviation() -> None:
    content = cluster("skewed", 2)
    at: list[float] = []
    for limit in range(1, 8):
        at.append(audit(content, GOAL, {"migration_limit": limit}).after.weighted_deviation)
    assert at == sorted(at, reverse=True)
    assert len(set(at)) == len(at)


def test_two_hosts_end_alike() -> None:
    content = small([host("a"), host("b")], [vm(f"vm{k}", "a") for k in range(6)])
    report = audit(content, GOAL)
    assert [h.instances_after for h in report.hosts] == [3, 3]
    assert indicators(report)["standard_deviation_after_audit"] == 0


def test_nothing_moves_below_the_threshold() -> None:
    content = cluster("skewed", 0)
    assert audit(content, GOAL, {"threshold": 0.9}).actions == []


def test_moves_stop_once_every_column_is_at_the_threshold() -> None:
    content = cluster("skewed", 0)
    report = audit(content, GOAL, {"threshold": 0.15})
    full = audit(content, GOAL, {"threshold": 0})
    assert 0 < report.migrations < full.migrations
    assert all(report.after.classes[name].std_deviation <= 0.16 for name in report.weights)


def test_the_migration_limit_is_kept() -> None:
    report = audit(cluster("skewed", 0), GOAL, {"migration_limit": 5})
    assert report.migrations == 5


def test_a_higher_gain_asks_for_fewer_migrations() -> None:
    content = cluster("skewed", 0)
    counts = [
        audit(content, GOAL, {"minimum_gain": gain, "threshold": 0}).migrations
        for gain in (0, 0.05, 0.2)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"locked": True},
        {"watcher_exclude": True},
        {"state": "stopped"},
        {"state": "suspended"},
        {"pinned_az": "west"},
        {"server_group": "together"},
    ],
    ids=str,
)
def test_what_must_stay_stays(fields: dict[str, Any]) -> None:
    content = small(
        [host("a", availability_zone="west"), host("b")],
        [vm(f"vm{k}", "a", **fields) for k in range(4)],
        server_groups=[ServerGroup(uuid="together", policy="affinity")],
    )
    assert audit(content, GOAL).actions == []


def test_members_of_an_anti_affinity_group_spread_no_further_than_it_allows() -> None:
    content = small(
        [host("a"), host("b"), host("c")],
        [vm(f"vm{k}", "a", server_group="g") for k in range(6)],
        server_groups=[
            ServerGroup(uuid="g", policy="anti-affinity", rules={"max_server_per_host": 1})
        ],
    )
    report = audit(content, GOAL)
    assert [h.instances_after for h in report.hosts] == [4, 1, 1]


def test_an_empty_host_is_filled_but_not_one_out_of_service() -> None:
    content = small(
        [host("a"), host("b"), host("off", status="disabled"), host("gone", state="down")],
        [vm(f"vm{k}", "a") for k in range(8)],
    )
    assert [h.instances_after for h in audit(content, GOAL).hosts] == [4, 4, 0, 0]


def test_each_instance_moves_once() -> None:
    found = [a["resource_id"] for a in actions(audit(cluster("skewed", 3), GOAL))]
    assert len(found) == len(set(found))


def test_the_same_input_gives_the_same_plan() -> None:
    assert actions(audit(cluster("groups", 1), GOAL)) == actions(audit(cluster("groups", 1), GOAL))


def test_all_wrong_parameters_are_named_at_once() -> None:
    with pytest.raises(ParametersInvalid) as caught:
        StandardDeviation({"threshold": -1, "weights": {"VCPU": "much"}})
    assert {e["path"] for e in caught.value.details["errors"]} == {"threshold", "weights.VCPU"}


def test_a_weight_on_an_unknown_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no resource class or metric WATTS"):
        audit(cluster("plain", 0), GOAL, {"weights": {"WATTS": 1}})


def test_cancelling_ends_the_run() -> None:
    with pytest.raises(Cancelled):
        audit(cluster("skewed", 0), GOAL, context=Context(cancelled=lambda: True))


def test_real_traces_are_balanced() -> None:
    report = audit(import_path(planetlab("20110303")), GOAL)
    assert report.after.weighted_deviation < 0.8 * report.before.weighted_deviation
