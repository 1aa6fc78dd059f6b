"""Lists against a naive model: any filter, order and page gives what sorting in Python gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.control.objects import ActionPlan, Database, Objects
from tachyon.errors import InvalidInput, RecordNotFound
from tests.control.databases import Clock, empty
from tests.control.objects.examples import world

HOSTS = [None, "a", "b", "B", "ä"]
STATES = ["RECOMMENDED", "PENDING", "FAILED"]


@pytest.fixture(scope="module")
def filled(control_url: str) -> Iterator[tuple[Objects, list[ActionPlan]]]:
    """Some plans of four audits with few values, so that many are alike."""
    database = Database(control_url, clock=Clock(), sqlite_synchronous=False)
    empty(database)
    objects = Objects(database)
    worlds = [world(objects, name, actions=0) for name in ("w", "x", "y", "z")]
    for number in range(24):
        here = worlds[number * 7 % 4]
        plan = objects.action_plans.create(
            audit_id=here.audit.id,
            strategy_id=worlds[number % 3].strategy.id,
            hostname=HOSTS[number * 3 % 5],
            state=STATES[number % 3],
        )
        if number % 7 == 0 and number % 3 != 1:
            objects.action_plans.soft_delete(plan.id)
    yield objects, objects.action_plans.find(deleted=True)
    database.close()


KEYS: dict[str, Any] = {
    "id": lambda p: p.id,
    "uuid": lambda p: p.uuid,
    "hostname": lambda p: p.hostname,
    "state": lambda p: p.state,
    "created_at": lambda p: p.created_at,
    "deleted_at": lambda p: p.deleted_at,
    "audit_uuid": lambda p: p.audit.uuid,
    "strategy_name": lambda p: p.strategy.name,
    "goal_name": lambda p: p.audit.goal.name,
}


def order(plans: list[ActionPlan], key: str, direction: str) -> list[ActionPlan]:
    value = KEYS[key]

    def place(plan: ActionPlan) -> tuple[Any, ...]:
        found = value(plan)
        # By code point, as SQLite and binary collations compare.
        raw = found.encode() if isinstance(found, str) else found
        return (found is None, raw if found is not None else b"", plan.id)

    return sorted(plans, key=place, reverse=direction == "desc")


FILTERS: dict[str, Any] = {
    "state": (STATES, lambda p, v: p.state == v),
    "state__in": ([STATES[:2], STATES[1:]], lambda p, v: p.state in v),
    "state__neq": (STATES, lambda p, v: p.state != v),
    "hostname": (HOSTS, lambda p, v: p.hostname == v),
    "id__gt": ([0, 10, 25, 99999], lambda p, v: p.id > v),
    "audit_name": (["w-audit", "nobody"], lambda p, v: p.audit.name == v),
    "goal_name": (["x"], lambda p, v: p.audit.goal.name == v),
}


@settings(max_examples=25)
@given(
    key=st.sampled_from(sorted(KEYS)),
    direction=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 45),
    deleted=st.booleans(),
    filters=st.lists(
        st.sampled_from(sorted(FILTERS)).flatmap(
            lambda name: st.tuples(st.just(name), st.sampled_from(FILTERS[name][0]))
        ),
        max_size=2,
        unique_by=lambda pair: pair[0],
    ),
)
def test_pages_make_up_the_whole_list_in_order(
    filled: tuple[Objects, list[ActionPlan]],
    key: str,
    direction: Any,
    limit: int,
    deleted: bool,
    filters: list[tuple[str, Any]],
) -> None:
    """Followed from marker to marker, pages hold each record once, in the order of one sort."""
    objects, plans = filled
    if objects.database.engine.dialect.name == "postgresql" and key == "hostname":
        key = "id"  # its collation is the database's, not ours
    wanted = [
        p
        for p in plans
        if (deleted or not p.deleted) and all(FILTERS[n][1](p, v) for n, v in filters)
    ]
    expected = order(wanted, key, direction)
    found: list[ActionPlan] = []
    marker = None
    while True:
        page = objects.action_plans.find(
            dict(filters),
            limit=limit,
            marker=marker,
            sort_key=key,
            sort_dir=direction,
            deleted=deleted,
        )
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            break
        marker = page[-1].uuid
    assert [p.id for p in found] == [p.id for p in expected]
    assert objects.action_plans.count(dict(filters), deleted=deleted) == len(expected)


@pytest.mark.parametrize("key", ["audit", "nothing", "deleted", "revision", "goal_nothing", ""])
def test_an_unknown_key_is_refused(filled: tuple[Objects, list[ActionPlan]], key: str) -> None:
    """Relations, inner fields and inventions are nothing to sort or filter by."""
    with pytest.raises(InvalidInput):
        filled[0].action_plans.find(sort_key=key)
    if key not in ("deleted", "revision"):
        with pytest.raises(InvalidInput):
            filled[0].action_plans.find({key: 1})
    with pytest.raises(InvalidInput):
        filled[0].action_plans.find({"state__like": "P%"})


def test_an_unknown_marker_is_not_found(filled: tuple[Objects, list[ActionPlan]]) -> None:
    """A page cannot begin behind what never was."""
    with pytest.raises(RecordNotFound):
        filled[0].action_plans.find(marker="00000000-0000-0000-0000-000000000000")


def test_texts_of_json_are_sorted_as_texts(filled: tuple[Objects, list[ActionPlan]]) -> None:
    """A column of JSON orders by its text, so that no sort key is an error of the server."""
    objects, plans = filled
    live = [p for p in plans if not p.deleted]
    assert len(objects.action_plans.find(sort_key="global_efficacy")) == len(live)
    assert len(objects.action_plans.find(sort_key="metrics", marker=live[3].uuid)) < len(live)
