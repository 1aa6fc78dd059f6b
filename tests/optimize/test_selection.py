"""An audit that names a goal only takes the best of all plans, by the goal's objective."""

from __future__ import annotations

import pytest

from tachyon.errors import Cancelled, InvalidInput, MetricsMissing
from tachyon.optimize.audit import AuditReport
from tachyon.optimize.selection import Selection, select
from tests.optimize.clusters import PLUGINS, cluster, indicators, run
from tests.optimize.test_strategy_plans import drawn

GOAL = PLUGINS.goal("server_consolidation")


def best(metrics: dict[str, dict[str, float]] | None, *names: str) -> Selection[AuditReport]:
    content = cluster("skewed", 2)
    return select(
        GOAL,
        {name: lambda n=name: run(content, n, metrics=metrics) for name in names},
        indicators,
    )


def test_the_first_strategy_is_the_default_and_the_others_follow_by_name() -> None:
    found = [s.name for s in PLUGINS.strategies_for("server_consolidation")]
    assert found[0] == "consolidation"
    assert found[1:] == sorted(found[1:])
    assert PLUGINS.strategy_for("dummy").name == "dummy"
    assert PLUGINS.strategy_for("unclassified").name == "actuator"


def test_the_plan_that_releases_most_hosts_is_taken() -> None:
    names = [s.name for s in PLUGINS.strategies_for("server_consolidation")]
    found = best(drawn(cluster("skewed", 2), 1), *names)
    released = {name: objective[0] for name, objective in found.objectives.items()}
    assert set(released) == set(names)
    assert released[found.strategy] == max(released.values())
    assert found.outcome.strategy == found.strategy


def test_of_equal_plans_the_first_is_taken() -> None:
    assert best(None, "consolidation", "consolidation").strategy == "consolidation"


def test_a_strategy_that_fails_is_left_out_and_named() -> None:
    found = best({}, "basic", "consolidation")
    assert found.strategy == "consolidation"
    assert isinstance(found.refused["basic"], MetricsMissing)


def test_where_all_fail_the_first_error_is_raised() -> None:
    with pytest.raises(MetricsMissing, match="host_cpu_usage"):
        best({}, "basic", "vm_workload_consolidation")
    with pytest.raises(InvalidInput):
        best({})


def test_cancelling_one_ends_all() -> None:
    def cancelled() -> AuditReport:
        raise Cancelled("called off")

    with pytest.raises(Cancelled):
        select(GOAL, {"a": cancelled, "b": cancelled}, indicators)
