"""Purges against what a purge must be: whole trees, old enough, and nothing beside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachyon.control.objects import KINDS, Objects, purge
from tachyon.errors import InvalidInput
from tests.control.databases import Clock, empty
from tests.control.objects.examples import add_plan, world

TREE = {
    "goal": "goals",
    "strategy": "strategies",
    "audit_template": "audit_templates",
    "audit": "audits",
    "action_plan": "action_plans",
    "action": "actions",
}


def everything(objects: Objects) -> dict[tuple[str, int], Any]:
    """Return all records by kind and number."""
    return {
        (kind, record.id): record
        for kind, plural in TREE.items()
        for record in getattr(objects, plural).find(deleted=True)
    }


def parents(kind: str, record: Any) -> set[tuple[str, int]]:
    names = {k.name: k for k in KINDS}[kind].relations
    found = {(name, getattr(record, f"{name}_id")) for name in names}
    return {(name, number) for name, number in found if number is not None}


def fill(objects: Objects, clock: Clock, deletions: list[tuple[int, int]]) -> None:
    """Make two trees; delete records, chosen by number, so many days ago."""
    for name in ("one", "two"):
        here = world(objects, name, actions=1)
        objects.audit_templates.create(
            name=name, goal_id=here.goal.id, strategy_id=here.strategy.id
        )
        add_plan(objects, here.audit, here.strategy, actions=1)
    known = sorted(everything(objects))
    with objects.database.engine.begin() as connection:
        for choice, days in deletions:
            kind, number = known[choice % len(known)]
            table = getattr(objects, TREE[kind]).kind.table
            values = {"deleted": number, "deleted_at": clock() - timedelta(days=days)}
            connection.execute(table.update().where(table.c.id == number).values(**values))


@pytest.mark.integration
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    deletions=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), max_size=6),
    age=st.integers(0, 15),
    exclude=st.booleans(),
)
def test_a_purge_takes_old_trees_as_a_whole(
    objects: Objects, clock: Clock, deletions: list[tuple[int, int]], age: int, exclude: bool
) -> None:
    """What goes was deleted long ago, or hangs on what was; what stays lacks no parent."""
    empty(objects.database)
    fill(objects, clock, deletions)
    before = everything(objects)
    old = {
        node
        for node, record in before.items()
        if record.deleted and record.deleted_at <= clock() - timedelta(days=age)
    }
    above: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for node, record in sorted(before.items(), key=lambda item: list(TREE).index(item[0][0])):
        direct = parents(node[0], record)
        above[node] = {node, *direct, *(a for p in direct for a in above[p])}
    hanging = {node for node in before if above[node] & old}
    if exclude:
        # A tree with anything alive in it stays, from its root down.
        kept_roots = {
            root
            for root in old
            if any(root in above[node] and not before[node].deleted for node in before)
        }
        hanging = {node for node in before if above[node] & (old - kept_roots)}
    selection = purge.select(objects, age_in_days=age, exclude_orphans=exclude)
    chosen = {(kind, number) for kind, numbers in selection.rows.items() for number in numbers}
    assert chosen == hanging
    purge.remove(objects, selection)
    assert everything(objects).keys() == before.keys() - hanging
    plans = {p.id for p in objects.action_plans.find(deleted=True)}
    indicators = objects.efficacy_indicators.find(deleted=True)
    assert {i.action_plan_id for i in indicators} <= plans


def test_the_plans_of_an_audit_deleted_just_now_stay(objects: Objects, clock: Clock) -> None:
    """Their age is that of what they hang on, not "orphan"."""
    here = world(objects)
    objects.audits.transition(here.audit.id, "CANCELLED")
    objects.audits.soft_delete(here.audit.id)
    clock.forward(days=1)
    assert purge.select(objects, age_in_days=90).total == 0
    assert purge.select(objects, age_in_days=1).total == 5
    assert purge.select(objects, age_in_days=1, exclude_orphans=True).total == 0


def test_a_purge_of_one_goal_takes_its_tree(objects: Objects) -> None:
    """The goal must be deleted, and others are left alone."""
    one, two = world(objects, "one"), world(objects, "two")
    with pytest.raises(InvalidInput, match="not deleted"):
        purge.select(objects, goal="one")
    objects.goals.soft_delete(one.goal.id)
    objects.goals.soft_delete(two.goal.id)
    selection = purge.select(objects, goal="one")
    assert selection.counts() == {
        **{"Goals": 1, "Strategies": 1, "Audit Templates": 0, "Audits": 1},
        **{"Action Plans": 1, "Actions": 3, "Scoring Engines": 0, "Services": 0},
        "Action Descriptions": 0,
    }
    purge.remove(objects, selection)
    assert objects.goals.find(deleted=True) == [objects.goals.get("two", deleted=True)]
    assert len(objects.actions.find()) == 3


def test_too_many_rows_are_left_out_tree_by_tree(objects: Objects) -> None:
    """A tree is never cut to fit."""
    for name in ("one", "two"):
        objects.goals.soft_delete(world(objects, name).goal.id)
    selection = purge.select(objects, max_number=10)
    assert (selection.total, selection.left) == (7, 7)
    assert purge.select(objects, max_number=6).total == 0
    with pytest.raises(InvalidInput):
        purge.select(objects, max_number=-1)
