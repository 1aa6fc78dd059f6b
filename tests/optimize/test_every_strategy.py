"""What holds of every strategy alike: filters, limits, least gains, metrics that are missing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tachyon.errors import MetricsMissing, NoDestination
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.entities import Consumer, HostAggregate, ResourceProvider, ServerGroup
from tachyon.optimize.audit import AuditReport
from tachyon.optimize.strategies.options import StrategyOptions
from tests.optimize.checker import Replay
from tests.optimize.clusters import PLUGINS, cluster, host, run, small
from tests.optimize.test_scope_of_strategies import MOVING
from tests.optimize.test_strategy_plans import asked, drawn, furnished

#: Those that move instances.
MOVERS = [n for n in MOVING if n not in ("saving_energy", "storage_capacity_balance")]
#: Those that judge by what is measured.
MEASURED = [
    n
    for n in MOVERS
    if any(
        not need.optional
        for need in PLUGINS.strategy(n)(asked(cluster("storage", 5), n, random.Random(5))).metrics()
    )
]


def changed(
    content: ClusterFile,
    of_instances: Callable[[Consumer], Consumer] = lambda c: c,
    of_hosts: Callable[[ResourceProvider], ResourceProvider] = lambda p: p,
    **records: Any,
) -> ClusterFile:
    before = content.cluster
    consumers = [of_instances(c) if c.type == "instance" else c for c in before.consumers]
    providers = [of_hosts(p) if p.type == "compute" else p for p in before.providers]
    records = {k: [*getattr(before, k), *v] for k, v in records.items()}
    return replace(
        content, cluster=replace(before, consumers=consumers, providers=providers, **records)
    )


def specified(content: ClusterFile, key: str, value: str) -> ClusterFile:
    flavors = [
        replace(f, extra_specs={**f.extra_specs, key: value}) for f in content.cluster.flavors
    ]
    return replace(content, cluster=replace(content.cluster, flavors=flavors))


def among_projects(content: ClusterFile) -> ClusterFile:
    kept = HostAggregate(name="kept", metadata={"filter_tenant_id": "nobody"})
    return changed(
        content,
        of_hosts=lambda p: replace(p, aggregates=(*p.aggregates, "kept")),
        host_aggregates=[kept],
    )


def bound(content: ClusterFile, how: Callable[[Consumer, str], Consumer]) -> ClusterFile:
    """Bind each instance to another on its host; who is alone there is locked instead."""
    place = Replay(content).place
    crowd: dict[str | None, list[str]] = {}
    for one in content.cluster.consumers:
        crowd.setdefault(place[one.uuid], []).append(one.uuid)

    def made(one: Consumer) -> Consumer:
        others = [u for u in crowd[place[one.uuid]] if u != one.uuid]
        return how(one, others[0]) if others else replace(one, locked=True)

    return changed(content, made)


def hinted(one: Consumer, other: str) -> Consumer:
    return replace(one, scheduler_hints={"same_host": [other]})


def in_groups(content: ClusterFile) -> ClusterFile:
    """Those of a host are a group that has to stay together."""
    place = Replay(content).place
    groups = [ServerGroup(uuid=f"of {h}", policy="affinity") for h in {*place.values()} if h]
    found = bound(content, lambda one, _: replace(one, server_group=f"of {place[one.uuid]}"))
    return changed(found, server_groups=groups)


def apart(content: ClusterFile, key: str) -> ClusterFile:
    """Nobody may go to a host where anybody is, and there is no other."""
    place = Replay(content).place
    hosts = [p for p in content.cluster.providers if p.uuid in {*place.values()}]
    content = replace(content, cluster=replace(content.cluster, providers=hosts))
    if key == "group":
        group = ServerGroup(uuid="apart", policy="anti-affinity")
        return changed(
            content, lambda one: replace(one, server_group="apart"), server_groups=[group]
        )
    everybody = [c.uuid for c in content.cluster.consumers]
    return changed(content, lambda one: replace(one, scheduler_hints={"different_host": everybody}))


#: By the filter that refuses: a way to let no instance go anywhere.
RULES: dict[str, Callable[[ClusterFile], ClusterFile]] = {
    "AvailabilityZoneFilter": lambda c: changed(c, lambda i: replace(i, pinned_az="elsewhere")),
    "TraitsFilter": lambda c: specified(c, "trait:CUSTOM_NOWHERE", "required"),
    "TraitsFilter forbidden": lambda c: specified(c, "trait:COMPUTE_NODE", "forbidden"),
    "AggregateInstanceExtraSpecsFilter": lambda c: specified(
        c, "aggregate_instance_extra_specs:disk", "nowhere"
    ),
    "AggregateMultiTenancyIsolation": among_projects,
    "ServerGroupFilter": in_groups,
    "ServerGroupFilter apart": lambda c: apart(c, "group"),
    "DifferentHostFilter": lambda c: apart(c, "hint"),
    "SameHostFilter": lambda c: bound(c, hinted),
}
#: What no option lets pass.
ALWAYS: dict[str, Callable[[ClusterFile], ClusterFile]] = {
    "locked": lambda c: changed(c, lambda i: replace(i, locked=True)),
    "excluded": lambda c: changed(c, lambda i: replace(i, watcher_exclude=True)),
    "in error": lambda c: changed(c, lambda i: replace(i, state="error")),
    "down": lambda c: changed(c, of_hosts=lambda p: replace(p, state="down")),
    "maintained": lambda c: changed(c, of_hosts=lambda p: replace(p, maintenance=True)),
    "stale": lambda c: changed(c, of_hosts=lambda p: replace(p, extra={"stale": True})),
    "disabled": lambda c: changed(
        c, of_hosts=lambda p: replace(p, status="disabled", disabled_reason="repair")
    ),
}


def plan(
    content: ClusterFile, name: str, options: StrategyOptions | None = None, **parameters: Any
) -> AuditReport | None:
    """Run a strategy on a cluster that gives it work; None where it says there is no place."""
    given = {**(asked(content, name, random.Random(5)) or {}), **parameters}
    if name == "host_maintenance":
        given.update(disable_live_migration=False, disable_cold_migration=False)
    try:
        return run(content, name, given, drawn(content, 5, lacking=0.0), options)
    except NoDestination:
        return None


def moves(report: AuditReport | None) -> int:
    kinds = ("migrate", "volume_migrate")
    return sum(a.action_type in kinds for a in report.actions) if report else 0


@pytest.fixture(scope="module")
def content() -> ClusterFile:
    """Of instances of different priorities, with no rule but those of the generator."""
    priorities = random.Random(8)
    return changed(
        cluster("skewed", 8),
        lambda one: replace(one, metadata={"watcher-priority": str(priorities.randint(1, 9))}),
    )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", MOVERS)
@pytest.mark.illegal_plan("a filter is switched off, to see that it is the filter that holds")
def test_no_strategy_moves_anybody_past_a_filter_that_is_not_switched_off(
    content: ClusterFile, name: str, rule: str
) -> None:
    bound = RULES[rule](content)
    assert moves(plan(bound, name)) == 0
    without = tuple(f for f in RULES if " " not in f and f != rule.split(maxsplit=1)[0])
    assert moves(plan(bound, name, StrategyOptions(filters=without))) > 0


@pytest.mark.parametrize("rule", ALWAYS)
@pytest.mark.parametrize("name", MOVERS)
def test_no_strategy_moves_what_or_where_nova_would_not(
    content: ClusterFile, name: str, rule: str
) -> None:
    none = StrategyOptions(filters=("AllHostsFilter",))
    assert moves(plan(ALWAYS[rule](content), name, none)) == 0


@pytest.mark.parametrize("name", MOVING)
def test_no_plan_has_more_migrations_than_its_limit(name: str) -> None:
    content = furnished(cluster("storage", 5), 5)
    for limit in (1, 2, 5):
        assert moves(plan(content, name, migration_limit=limit)) <= limit


def test_there_is_more_to_do_than_the_limits_allow() -> None:
    content = furnished(cluster("storage", 5), 5)
    found = {name: moves(plan(content, name)) for name in MOVING}
    # One of a host, as a rule: that is how airflow is lowered.
    assert found.pop("uniform_airflow") >= 1
    assert [name for name, count in found.items() if count < 2] == ["saving_energy"]


@pytest.mark.parametrize("name", MOVING)
def test_nothing_is_done_for_less_than_the_least_gain(name: str) -> None:
    content = furnished(cluster("storage", 5), 5)
    most = PLUGINS.strategies[name].schema["properties"]["minimum_gain"].get("maximum", 1e9)
    report = plan(content, name, minimum_gain=most)
    assert report is None or [a.action_type for a in report.actions] == []


@pytest.mark.parametrize("name", MEASURED)
def test_no_plan_is_built_on_metrics_that_nobody_measured(content: ClusterFile, name: str) -> None:
    parameters = asked(content, name, random.Random(5))
    needs = [n for n in PLUGINS.strategy(name)(parameters).metrics() if not n.optional]
    with pytest.raises(MetricsMissing) as caught:
        run(content, name, parameters, {})
    assert {m["metric"] for m in caught.value.details["missing"]} == {n.metric for n in needs}
    for need in needs:
        metrics = drawn(content, 5, lacking=0.0)
        del metrics[need.name]
        with pytest.raises(MetricsMissing, match=need.metric):
            run(content, name, parameters, metrics)


@pytest.mark.parametrize("name", MEASURED)
def test_what_lacks_a_value_is_left_out_or_ends_the_audit_as_the_parameter_says(
    content: ClusterFile, name: str
) -> None:
    parameters = asked(content, name, random.Random(5)) or {}
    metrics = drawn(content, 6, lacking=0.2)
    stopped = {c.uuid for c in content.cluster.consumers if c.state == "stopped"}
    report = run(content, name, parameters, metrics)
    needs = [n for n in PLUGINS.strategy(name)(parameters).metrics() if not n.optional]
    for need in needs:
        assert any(need.metric in text and "left out" in text for text in report.warnings)
        for action in report.actions:
            if action.movement and need.resource_type == "instance":
                # What is stopped uses nothing, whether it is measured or not.
                assert action.resource_id in {*metrics[need.name], *stopped}
            elif action.movement:
                assert action.movement.source in metrics[need.name]
                assert action.movement.destination in metrics[need.name]
    with pytest.raises(MetricsMissing):
        run(content, name, {**parameters, "missing_metrics": "fail"}, metrics)


def test_those_that_judge_by_metrics_are_told_from_those_that_do_not() -> None:
    assert set(MOVERS) - set(MEASURED) == {
        "consolidation",
        "standard_deviation",
        "node_resource_consolidation",
        "host_maintenance",
        "zone_migration",
    }


#: Those whose parameters need not name a host.
FREE = [n for n in MOVING if n not in ("host_maintenance", "zone_migration")]


@pytest.mark.parametrize("name", FREE)
def test_without_hosts_or_without_instances_there_is_nothing_to_do(name: str) -> None:
    parameters = asked(cluster("storage", 5), name, random.Random(5))
    for content in (small([], []), small([host("a"), host("b")], [])):
        assert moves(run(content, name, parameters, drawn(content, 5, lacking=0.0))) == 0
