"""Audits become plans: by a strategy in a session of the graph, stored once."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tachyon import conf as options
from tachyon.control.engine.metrics import Metrics
from tachyon.graph.deltas import Move
from tachyon.graph.generator import generate
from tachyon.graph.simulation import Session
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tests.control.world import World, settle
from tests.waiting import PATIENCE, until


def plugins_with(strategy: type[Strategy]) -> Plugins:
    """The installed plug-ins, with one strategy in the place of `dummy`."""
    plugins = Plugins()
    plugins.strategies["dummy"] = strategy
    return plugins


class Failing(Strategy):
    name = "dummy"
    display_name = ""
    goal = "dummy"
    errors: ClassVar[list[Exception]] = []

    def execute(self, session: Session, context: Context) -> None:
        if self.errors:
            raise self.errors.pop()
        context.propose("nop", None, {"message": "done"})


class Endless(Failing):
    def execute(self, session: Session, context: Context) -> None:
        while True:
            context.step(0, 1, "going on")


def unreachable() -> Metrics:
    """Datasources of which the only one does not answer."""
    conf = options.load()
    conf.set_override("datasources", ["prometheus"], group="watcher_datasources")
    conf.set_override("host", "127.0.0.1", group="prometheus_client")
    conf.set_override("port", 9, group="prometheus_client")
    for name, value in (("query_max_retries", 1), ("query_interval", 0)):
        conf.set_override(name, value, group="watcher_datasources")
    return Metrics(conf, None)


def test_the_state_of_a_strategy_says_in_words_whether_its_datasource_answers(
    world: World,
) -> None:
    """Clients print it as it is."""
    engine = world.engine(graph=world.graph(), datasources=unreachable())
    source, metrics, *_ = engine.get_strategy_info(strategy_name="basic")
    assert (source["type"], source["state"]) == ("Datasource", "prometheus: not available")
    assert {word for one in metrics["state"] for word in one.values()} == {"not available"}


def test_a_strategy_that_can_do_without_measurements_does_so_where_nobody_answers(
    world: World,
) -> None:
    graph = world.graph(generate(hosts=4, instances=12, skew=0.9, seed=1))
    state = {}
    for measured in ("auto", "required"):
        audit = world.audit("standard_deviation", parameters={"measured": measured})
        settle(world.engine(graph=graph, datasources=unreachable()))
        state[measured] = world.objects.audits.get(audit.uuid)
    assert (state["auto"].state, state["required"].state) == ("SUCCEEDED", "FAILED")
    for one in state.values():
        assert "no datasource answers: prometheus" in (one.status_message or "")
    assert "goes without measurements" in (state["auto"].status_message or "")


def test_a_oneshot_audit_becomes_a_recommended_plan(world: World) -> None:
    audit = world.audit("dummy", parameters={"para1": 2.0, "para2": "hi"})
    settle(world.engine())
    after = world.objects.audits.get(audit.uuid)
    assert (after.state, after.hostname) == ("SUCCEEDED", "one")
    (plan,) = world.plans(audit)
    actions = world.objects.actions.find({"action_plan_id": plan.id})
    assert (plan.state, plan.strategy.name) == ("RECOMMENDED", "dummy")
    assert [a.action_type for a in actions] == ["nop", "nop", "sleep"]
    assert actions[2].parents == [actions[1].uuid]
    assert actions[1].input_parameters == {"message": "hi"}
    assert world.events.named("audit.") == [
        "audit.strategy.start",
        "audit.strategy.end",
        "audit.planner.start",
        "audit.planner.end",
    ]


def test_an_audit_that_names_a_goal_only_runs_the_goals_first_strategy(world: World) -> None:
    audit = world.audit(strategy_id=None)
    settle(world.engine())
    (plan,) = world.plans(audit)
    assert plan.strategy.name == "dummy"
    assert world.objects.audits.get(audit.uuid).strategy is None


def test_an_engine_that_tries_all_strategies_keeps_the_best_plan(world: World) -> None:
    graph = world.graph(generate(hosts=20, instances=100, skew=0.7, seed=3))
    goal = world.objects.goals.find({"name": "server_consolidation"})[0]
    released = {}
    for try_all in (False, True):
        audit = world.audit(strategy_id=None, goal_id=goal.id, name=f"all: {try_all}")
        settle(world.engine(graph=graph, try_all=try_all))
        (plan,) = world.plans(audit)
        released[try_all] = plan.global_efficacy[0]["value"]
        assert plan.strategy.goal_id == goal.id
    assert released[True] >= released[False] > 0


def test_a_plan_holds_session_metrics_and_indicators(world: World) -> None:
    graph = world.graph(generate(hosts=20, instances=100, skew=0.7, seed=3))
    audit = world.audit("consolidation", name="tidy up", scope=[])
    settle(world.engine(graph=graph))
    (plan,) = world.plans(audit)
    assert plan.state == "RECOMMENDED"
    session = graph.sessions.get(plan.session_id or "")
    assert (session.name, session.audit_uuid) == ("tidy up", audit.uuid)
    moves = world.objects.actions.find({"action_plan_id": plan.id, "action_type": "migrate"})
    deltas = [d for d in graph.sessions.history(session.id) if isinstance(d, Move)]
    moved = {a.input_parameters["resource_id"] for a in moves}
    assert {d.consumer_uuid for d in deltas} == moved
    before, after = (plan.metrics[k]["VCPU"]["providers_used"] for k in ("before", "after"))
    assert after < before
    found = world.objects.efficacy_indicators.find({"action_plan_id": plan.id})
    assert {i.name: i.data for i in found}["compute_nodes_count"] == 20
    assert plan.global_efficacy[0]["value"] > 0


def test_a_plan_without_actions_has_succeeded(world: World) -> None:
    graph = world.graph(generate(hosts=2, instances=1, seed=1))
    audit = world.audit("consolidation")
    settle(world.engine(graph=graph))
    assert [p.state for p in world.plans(audit)] == ["SUCCEEDED"]


def test_the_scope_of_an_audit_holds(world: World) -> None:
    content = generate(hosts=12, instances=60, skew=0.7, zones=2, seed=3)
    graph = world.graph(content)
    zone = content.cluster.providers[0].availability_zone
    inside = {p.name for p in content.cluster.providers if p.availability_zone == zone}
    audit = world.audit(
        "consolidation", scope=[{"compute": [{"availability_zones": [{"name": zone}]}]}]
    )
    settle(world.engine(graph=graph))
    (plan,) = world.plans(audit)
    moves = world.objects.actions.find({"action_plan_id": plan.id, "action_type": "migrate"})
    assert moves
    for move in moves:
        assert move.input_parameters["source_node"] in inside
        assert move.input_parameters["destination_node"] in inside


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyError("x")])
def test_a_strategy_that_breaks_fails_its_audit_and_says_why(world: World, error: Any) -> None:
    Failing.errors = [error]
    audit = world.audit("dummy")
    settle(world.engine(plugins=plugins_with(Failing)))
    after = world.objects.audits.get(audit.uuid)
    assert after.state == "FAILED"
    assert type(error).__name__ in (after.status_message or "")
    assert world.events.named("audit.strategy") == ["audit.strategy.start", "audit.strategy.error"]
    assert world.plans(audit) == []


def test_wrong_parameters_fail_an_audit(world: World) -> None:
    audit = world.audit("dummy", parameters={"para1": 99})
    settle(world.engine())
    after = world.objects.audits.get(audit.uuid)
    assert (after.state, "para1" in (after.status_message or "")) == ("FAILED", True)


def test_cancelling_stops_a_strategy_and_stores_nothing(world: World) -> None:
    audit = world.audit("dummy")
    engine = world.engine(plugins=plugins_with(Endless))
    engine.look()
    until(lambda: world.objects.audits.get(audit.uuid).state == "ONGOING")
    world.objects.audits.transition(audit.uuid, "CANCELLED", by_user=True)
    engine.look()
    assert engine.join(PATIENCE)
    assert world.objects.audits.get(audit.uuid).state == "CANCELLED"
    assert world.plans(audit) == []


def test_a_cancel_is_noticed_without_a_look(world: World) -> None:
    audit = world.audit("dummy")
    engine = world.engine(plugins=plugins_with(Endless))
    engine.look()
    until(lambda: world.objects.audits.get(audit.uuid).state == "ONGOING")
    world.objects.audits.transition(audit.uuid, "CANCELLED", by_user=True)
    assert engine.join(PATIENCE)


def test_an_event_audit_runs_once_for_each_event(world: World) -> None:
    audit = world.audit("dummy", audit_type="EVENT")
    engine = world.engine()
    settle(engine)
    assert world.plans(audit) == []
    for count in (1, 2):
        world.event(audit)
        settle(engine)
        assert len(world.plans(audit)) == count
        assert world.objects.audits.get(audit.uuid).state == "SUCCEEDED"


def test_a_failed_event_does_not_end_its_audit(world: World) -> None:
    Failing.errors = [ValueError("once")]
    audit = world.audit("dummy", audit_type="EVENT")
    engine = world.engine(plugins=plugins_with(Failing))
    world.event(audit)
    settle(engine)
    after = world.objects.audits.get(audit.uuid)
    assert (after.state, "once" in (after.status_message or "")) == ("PENDING", True)
    world.event(audit)
    settle(engine)
    assert world.objects.audits.get(audit.uuid).state == "SUCCEEDED"


class Launches:
    def __init__(self) -> None:
        self.plans: list[str] = []

    def launch_action_plan(self, *, action_plan_uuid: str) -> None:
        self.plans.append(action_plan_uuid)


def test_auto_trigger_starts_the_plan(world: World) -> None:
    launches = Launches()
    audit = world.audit("dummy", auto_trigger=True)
    settle(world.engine(applier=launches))
    (plan,) = world.plans(audit)
    assert (plan.state, launches.plans) == ("PENDING", [plan.uuid])


@pytest.mark.parametrize("force", [False, True])
def test_a_plan_in_the_way_of_one_under_way_is_superseded_unless_forced(
    world: World, force: bool
) -> None:
    graph = world.graph(generate(hosts=20, instances=100, skew=0.7, seed=3))
    engine = world.engine(graph=graph)
    first, second = (world.audit("consolidation", auto_trigger=True, force=force) for _ in range(2))
    settle(engine)
    states = {p.state for a in (first, second) for p in world.plans(a)}
    assert states == ({"PENDING"} if force else {"PENDING", "SUPERSEDED"})


def test_a_dry_run_stores_nothing(world: World) -> None:
    audit = world.audit("dummy", audit_type="EVENT")
    answer = world.engine().dry_run_audit(audit_uuid=audit.uuid)
    assert [a["action_type"] for a in answer["actions"]] == ["nop", "nop", "sleep"]
    assert world.plans(audit) == []


def test_what_a_strategy_needs_is_told(world: World) -> None:
    graph = world.graph(generate(hosts=2, instances=1, seed=1))
    answer = world.engine(graph=graph).get_strategy_info(strategy_name="basic")
    assert [a["type"] for a in answer] == ["Datasource", "Metrics", "CDM", "Name"]
    assert answer[2]["state"] == [{"compute_model": "available"}]
    assert all(v == "not available" for m in answer[1]["state"] for v in m.values())
    assert answer[0]["mandatory"]
    answer = world.engine(graph=graph).get_strategy_info(strategy_name="standard_deviation")
    # It judges by allocations where nobody measures.
    assert not answer[0]["mandatory"]
    assert [[*m] for m in answer[1]["state"]] == [["instance_cpu_usage"], ["instance_ram_usage"]]
