"""What is installed, and what the database lists of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tachyon.control.objects import Database, Objects, migrations
from tachyon.control.synchronisation import Installed, installed, synchronise
from tests.control.objects.examples import SPEC, add_plan


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[Objects]:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}", sqlite_synchronous=False)
    migrations.upgrade(database)
    made = Objects(database)
    yield made
    made.close()


FOUND = Installed(
    goals={
        "save": {"display_name": "Save", "efficacy_specification": []},
        "balance": {"display_name": "Balance", "efficacy_specification": []},
    },
    strategies={
        "pack": {"display_name": "Pack", "parameters_spec": SPEC},
        "spread": {"display_name": "Spread", "parameters_spec": {}},
    },
    goal_of={"pack": "save", "spread": "balance"},
    scoring_engines={"scorer": {"description": "d", "metainfo": "{}"}},
)


def changed(kind: str, name: str, **values: Any) -> Installed:
    rows = {k: dict(v) for k, v in getattr(FOUND, kind).items()}
    rows[name].update(values)
    return replace(FOUND, **{kind: rows})


def without(kind: str, name: str) -> Installed:
    rows = {k: v for k, v in getattr(FOUND, kind).items() if k != name}
    return replace(FOUND, **{kind: rows})


@pytest.fixture
def audits(objects: Objects) -> dict[str, Any]:
    """Audits of the strategy `pack` in every state, each with a plan in a like one."""
    synchronise(objects, FOUND)
    strategy = objects.strategies.get("pack")
    made = {}
    objects.audit_templates.create(name="t", goal_id=strategy.goal_id, strategy_id=strategy.id)
    for state, plan_state in (
        ("PENDING", "RECOMMENDED"),
        ("ONGOING", "PENDING"),
        ("SUSPENDED", "ONGOING"),
        ("SUCCEEDED", "SUCCEEDED"),
        ("FAILED", "FAILED"),
    ):
        audit = objects.audits.create(
            name=state,
            audit_type="ONESHOT",
            goal_id=strategy.goal_id,
            strategy_id=strategy.id,
            state=state,
        )
        plan = add_plan(objects, audit, strategy)
        if plan_state != "RECOMMENDED":
            for step in {"SUCCEEDED": ["ONGOING"], "FAILED": ["ONGOING"]}.get(plan_state, []):
                objects.action_plans.transition(plan.id, step)
            objects.action_plans.transition(plan.id, plan_state)
        made[state] = plan
    return made


def states(objects: Objects, audits: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        name: (objects.audits.get(name).state, objects.action_plans.get(plan.uuid).state)
        for name, plan in audits.items()
    }


def test_what_is_installed_is_listed(objects: Objects) -> None:
    """All plug-ins of this very installation, and once: a second time nothing changes."""
    found = installed()
    done = synchronise(objects, found)
    assert set(done.added["goal"]) == found.goals.keys() >= {"dummy", "server_consolidation"}
    assert {s.name for s in objects.strategies.find()} == found.strategies.keys()
    assert all(s.goal.name == found.goal_of[s.name] for s in objects.strategies.find())
    assert objects.scoring_engines.count() == len(found.scoring_engines) > 0
    again = synchronise(objects, found)
    assert (again.added, again.replaced, again.removed) == ({}, {}, {})


@pytest.mark.parametrize(
    "new",
    [
        changed("strategies", "pack", parameters_spec={"type": "object"}),
        changed("strategies", "pack", display_name="Pack tightly"),
        changed("goals", "save", display_name="Save energy"),
        changed("goals", "save", efficacy_specification=[{"name": "x"}]),
    ],
)
def test_what_changed_is_replaced(objects: Objects, audits: dict[str, Any], new: Installed) -> None:
    """By a new row that everything points to; what could run is called off, the rest stays."""
    old = objects.strategies.get("pack")
    done = synchronise(objects, new)
    strategy = objects.strategies.get("pack")
    assert strategy.uuid != old.uuid
    assert objects.strategies.get(old.uuid, deleted=True).deleted
    assert strategy.goal == objects.goals.get("save")
    assert objects.audit_templates.get("t").strategy == strategy
    assert objects.audit_templates.get("t").goal == strategy.goal
    assert states(objects, audits) == {
        "PENDING": ("CANCELLED", "CANCELLED"),
        "ONGOING": ("CANCELLED", "CANCELLED"),
        "SUSPENDED": ("CANCELLED", "ONGOING"),
        "SUCCEEDED": ("SUCCEEDED", "SUCCEEDED"),
        "FAILED": ("FAILED", "FAILED"),
    }
    assert objects.audits.get("PENDING").status_message == "Strategy pack changed."
    assert {a.strategy_id for a in objects.audits.find()} == {strategy.id}
    assert {p.strategy_id for p in objects.action_plans.find()} == {strategy.id}
    assert len(done.cancelled) == 5


def test_a_strategy_that_is_gone_leaves_its_template(
    objects: Objects, audits: dict[str, Any]
) -> None:
    """The template keeps its goal; audits that could run are called off."""
    synchronise(objects, without("strategies", "pack"))
    template = objects.audit_templates.get("t")
    assert (template.strategy, template.goal.name) == (None, "save")
    assert states(objects, audits)["PENDING"] == ("CANCELLED", "CANCELLED")
    assert states(objects, audits)["SUCCEEDED"] == ("SUCCEEDED", "SUCCEEDED")
    assert [s.name for s in objects.strategies.find()] == ["spread"]


def test_a_goal_that_is_gone_is_told_of(objects: Objects, audits: dict[str, Any]) -> None:
    """Its templates dangle, with a warning; its strategies go with it."""
    gone = replace(
        without("goals", "save"),
        strategies={"spread": FOUND.strategies["spread"]},
    )
    done = synchronise(objects, gone)
    assert "audit template t" in done.warnings[0]
    assert done.removed == {"goal": ["save"], "strategy": ["pack"]}
    assert states(objects, audits)["ONGOING"] == ("CANCELLED", "CANCELLED")
    back = synchronise(objects, FOUND)
    assert back.added == {"goal": ["save"], "strategy": ["pack"]}


def test_scoring_engines_come_change_and_go(objects: Objects) -> None:
    """As rows of their own."""
    synchronise(objects, FOUND)
    new = changed("scoring_engines", "scorer", description="other")
    assert synchronise(objects, new).replaced == {"scoring_engine": ["scorer"]}
    assert synchronise(objects, replace(FOUND, scoring_engines={})).removed == {
        "scoring_engine": ["scorer"]
    }


def test_many_engines_synchronise_at_once(objects: Objects) -> None:
    """Each row is there once, whoever made it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            synchronise(objects, FOUND)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert objects.goals.count() == 2
    assert objects.strategies.count() == 2
