"""What every collection does, on every database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tachyon.control.objects import Change, Objects
from tachyon.errors import (
    DuplicateRecord,
    InvalidInput,
    RecordNotFound,
    RecordReferenced,
    StateConflict,
    TransitionNotAllowed,
)
from tests.control.databases import Clock
from tests.control.objects.examples import add_plan, world


def test_a_record_is_read_as_it_was_written(objects: Objects) -> None:
    """Texts of every script, nested values and moments survive; what was not given is empty."""
    here = world(objects)
    scope = [{"compute": [{"availability_zones": [{"name": "zöne-☃-😀"}]}]}]
    audit = objects.audits.create(
        name="näme 😀",
        audit_type="CONTINUOUS",
        goal_id=here.goal.id,
        interval="*/5 * * * *",
        scope=scope,
        parameters={"a": {"b": [1, 2.5, None, "\0"]}},
        start_time=datetime(2026, 5, 1, 12, 0, 0, 999_999, tzinfo=UTC),
        end_time=datetime(2026, 5, 1, 14, 0, tzinfo=UTC),
    )
    found = objects.audits.get(audit.uuid)
    assert found == audit
    assert (found.name, found.scope) == ("näme 😀", scope)
    assert found.parameters == {"a": {"b": [1, 2.5, None, "\0"]}}
    assert found.start_time == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert (found.state, found.strategy, found.next_run_time) == ("PENDING", None, None)
    assert found.goal == here.goal
    assert UUID(found.uuid)


def test_relations_come_with_the_record_at_every_depth(objects: Objects) -> None:
    """An action knows its plan, that its audit, and that its goal."""
    here = world(objects)
    action = objects.actions.find()[0]
    assert action.action_plan == objects.action_plans.get(here.plan.uuid)
    assert action.action_plan.audit.goal == here.goal
    assert action.action_plan.strategy.goal == here.goal


@pytest.mark.parametrize("ident", ["DUMMY", "dummy", "Dummy"])
def test_goals_are_found_by_name_in_any_letter_case(objects: Objects, ident: str) -> None:
    """Clients write names of goals as they like."""
    here = world(objects)
    assert objects.goals.get(ident) == here.goal
    assert objects.strategies.get(ident) == here.strategy


def test_names_of_audits_are_told_apart_by_letter_case(objects: Objects) -> None:
    """An audit is found by exactly its name, on every database."""
    here = world(objects)
    with pytest.raises(RecordNotFound):
        objects.audits.get(here.audit.name.upper())
    objects.audits.create(name=here.audit.name.upper(), audit_type="ONESHOT", goal_id=here.goal.id)


def test_a_record_is_found_by_uuid_in_any_form_and_by_number(objects: Objects) -> None:
    """Digits are a number first, then a name."""
    here = world(objects)
    for ident in (here.audit.id, str(here.audit.id), here.audit.uuid.upper()):
        assert objects.audits.get(ident) == here.audit
    named = objects.audits.create(name="999999999", audit_type="EVENT", goal_id=here.goal.id)
    assert objects.audits.get("999999999") == named


@pytest.mark.parametrize(
    "ident", ["", "nobody", "0", "-1", "9" * 30, "2147483648", "\0", "x" * 999]
)
def test_what_is_not_there_is_not_found(objects: Objects, ident: str) -> None:
    """No text that names nothing breaks a look-up."""
    world(objects)
    for collection in (objects.audits, objects.action_plans, objects.services, objects.goals):
        with pytest.raises(RecordNotFound):
            collection.get(ident)


def test_a_name_belongs_to_one_live_record(objects: Objects) -> None:
    """A second one is refused when it is made and when it is renamed; a deleted one frees it."""
    here = world(objects)
    objects.audits.create(name="other", audit_type="ONESHOT", goal_id=here.goal.id)
    with pytest.raises(DuplicateRecord):
        objects.audits.create(name="other", audit_type="ONESHOT", goal_id=here.goal.id)
    with pytest.raises(DuplicateRecord):
        objects.audits.update(here.audit.uuid, {"name": "other"})
    objects.audits.transition("other", "CANCELLED")
    objects.audits.soft_delete("other")
    again = objects.audits.create(name="other", audit_type="ONESHOT", goal_id=here.goal.id)
    assert objects.audits.get("other", deleted=True) == again
    assert len(objects.audits.find({"name": "other"}, deleted=True)) == 2


def test_several_services_of_a_name_need_the_number(objects: Objects) -> None:
    """A name that means several records is no name."""
    for host in ("a", "b"):
        objects.services.create(name="watcher-applier", host=host)
    with pytest.raises(InvalidInput, match="use the id"):
        objects.services.get("watcher-applier")
    with pytest.raises(DuplicateRecord):
        objects.services.create(name="watcher-applier", host="a")


def test_a_change_names_what_changes_and_what_must_hold(objects: Objects, clock: Clock) -> None:
    """Nothing changes when the condition does not hold, and the error says what was found."""
    here = world(objects)
    clock.forward(seconds=5)
    changed = objects.audits.update(here.audit.uuid, {"hostname": "h1"}, where={"hostname": None})
    assert (changed.hostname, changed.updated_at, changed.revision) == ("h1", clock(), 1)
    with pytest.raises(StateConflict) as caught:
        objects.audits.update(here.audit.uuid, {"hostname": "h2"}, where={"hostname": None})
    assert caught.value.details["found"] == {"hostname": "h1"}
    assert objects.audits.get(here.audit.uuid) == changed
    assert (
        objects.audits.update(
            here.audit.uuid, {"hostname": "h3"}, where={"hostname": ["h1", "h2"], "revision": 1}
        ).hostname
        == "h3"
    )


def test_moments_are_compared_to_the_second(objects: Objects, clock: Clock) -> None:
    """A round is claimed by the moment that it was due at."""
    here = world(objects)
    due = clock() + timedelta(seconds=60)
    objects.audits.update(here.audit.id, {"next_run_time": due})
    after = due + timedelta(seconds=60)
    claim = {"next_run_time": after}
    assert objects.audits.update(here.audit.id, claim, where={"next_run_time": due})
    with pytest.raises(StateConflict):
        objects.audits.update(here.audit.id, claim, where={"next_run_time": due})
    assert objects.audits.find({"next_run_time__lte": after}) != []
    assert objects.audits.find({"next_run_time__lt": after}) == []


@pytest.mark.parametrize("name", ["state", "uuid", "id", "deleted", "revision"])
def test_some_fields_are_nobodys_to_set(objects: Objects, name: str) -> None:
    """States go through their machine, and identities stay."""
    here = world(objects)
    with pytest.raises(InvalidInput):
        objects.audits.update(here.audit.id, {name: "x"})


def test_a_long_status_message_is_cut(objects: Objects) -> None:
    """It is made of other people's messages and must fit its column."""
    here = world(objects)
    done = objects.audits.transition(here.audit.id, "FAILED", status_message="x" * 300)
    assert done.status_message == "x" * 254 + "…"


def test_what_is_soft_deleted_is_out_of_sight(objects: Objects, clock: Clock) -> None:
    """A plan goes with its actions and indicators, and is shown to those who ask for it."""
    here = world(objects)
    other = add_plan(objects, here.audit, here.strategy)
    gone = objects.action_plans.soft_delete(here.plan.uuid)
    assert (gone.state, gone.deleted, gone.deleted_at) == ("DELETED", gone.id, clock())
    assert [p.uuid for p in objects.action_plans.find()] == [other.uuid]
    assert {a.action_plan_id for a in objects.actions.find()} == {other.id}
    assert len(objects.actions.find(deleted=True)) == 6
    assert objects.efficacy_indicators.count() == 1
    assert objects.action_plans.get(here.plan.uuid, deleted=True) == gone
    for again in (objects.action_plans.get, objects.action_plans.soft_delete):
        with pytest.raises(RecordNotFound):
            again(here.plan.uuid)


def test_what_others_refer_to_is_not_destroyed(objects: Objects) -> None:
    """An audit stays while it has plans; a plan takes its indicators along."""
    here = world(objects, actions=0)
    with pytest.raises(RecordReferenced):
        objects.audits.destroy(here.audit.uuid)
    objects.action_plans.destroy(here.plan.uuid)
    objects.audits.destroy(here.audit.uuid)
    assert objects.efficacy_indicators.count(deleted=True) == 0
    with pytest.raises(RecordNotFound):
        objects.audits.get(here.audit.uuid, deleted=True)


def test_a_transaction_is_all_or_nothing(objects: Objects) -> None:
    """What was done before an error is undone, and nobody hears of it."""
    here = world(objects)
    heard: list[Change] = []
    objects.observe(heard.append)

    def work() -> None:
        add_plan(objects, here.audit, here.strategy)
        objects.audits.transition(here.audit.id, "ONGOING")
        objects.audits.transition(here.audit.id, "DELETED")

    with pytest.raises(TransitionNotAllowed):
        objects.atomically(work)
    assert objects.action_plans.count() == 1
    assert objects.audits.get(here.audit.id).state == "PENDING"
    assert heard == []


def test_observers_hear_of_durable_changes(objects: Objects) -> None:
    """They are told what was and what is, once for each change, and cannot break it."""
    heard: list[Change] = []

    def broken(_change: Change) -> None:
        raise RuntimeError("an observer's own problem")

    objects.observe(broken)
    objects.observe(heard.append)
    here = world(objects, actions=1)
    assert [(c.kind, c.verb) for c in heard] == [
        (kind, "create")
        for kind in ("goal", "strategy", "audit", "action_plan", "action", "efficacy_indicator")
    ]
    heard.clear()
    after = objects.audits.transition(here.audit.id, "ONGOING")
    objects.action_plans.soft_delete(here.plan.id)
    update, *deletes = heard
    assert (update.verb, update.before, update.record) == ("update", here.audit, after)
    assert [(c.kind, c.verb) for c in deletes] == [
        ("action_plan", "delete"),
        ("action", "delete"),
        ("efficacy_indicator", "delete"),
    ]


def test_of_many_that_claim_one_wins(objects: Objects) -> None:
    """However many threads compare and set at once, one of them changes the record."""
    here = world(objects)
    won: list[int] = []
    lost: list[int] = []
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        barrier.wait()
        try:
            objects.action_plans.transition(
                here.plan.uuid, "ONGOING", expected="RECOMMENDED", hostname=f"h{number}"
            )
            won.append(number)
        except (StateConflict, TransitionNotAllowed):
            lost.append(number)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert objects.action_plans.get(here.plan.uuid).hostname == f"h{won[0]}"


def test_many_writers_lose_nothing(objects: Objects) -> None:
    """Writers that meet are served one after the other; each change counts."""
    here = world(objects)

    def write() -> None:
        for _ in range(5):
            while True:
                found = objects.audits.get(here.audit.id)
                counted = {"parameters": {"n": found.parameters.get("n", 0) + 1}}
                try:
                    objects.audits.update(found.id, counted, where={"revision": found.revision})
                    break
                except StateConflict:
                    continue

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert objects.audits.get(here.audit.id).parameters == {"n": 20}
