"""State machines, cell by cell: through the database, for users and for services."""

from __future__ import annotations

import pytest

from tachyon.control.objects import Database, Objects, action, action_plan, audit
from tachyon.control.objects.states import DELETED, StateMachine
from tachyon.errors import StateConflict, TransitionNotAllowed
from tests.control.objects.examples import world

MACHINES = {
    "audits": audit.MACHINE,
    "action_plans": action_plan.MACHINE,
    "actions": action.MACHINE,
}
#: What users may bring about (control plane contract, 2.14 to 2.16).
BY_USER = {
    "audits": {
        ("PENDING", "CANCELLED"),
        ("ONGOING", "CANCELLED"),
        ("ONGOING", "SUSPENDED"),
        ("SUSPENDED", "ONGOING"),
    },
    "action_plans": {
        ("RECOMMENDED", "PENDING"),
        ("RECOMMENDED", "CANCELLED"),
        ("PENDING", "CANCELLED"),
        ("ONGOING", "CANCELLING"),
    },
    "actions": {("PENDING", "SKIPPED")},
}
#: What Watcher's services and users bring about; ours may do more, never less.
WATCHERS = {
    "audits": {
        *BY_USER["audits"],
        ("PENDING", "ONGOING"),
        *(("ONGOING", s) for s in ("FAILED", "SUCCEEDED")),
        *((s, DELETED) for s in ("SUSPENDED", "FAILED", "SUCCEEDED", "CANCELLED")),
    },
    "action_plans": {
        *BY_USER["action_plans"],
        ("RECOMMENDED", "ONGOING"),
        ("RECOMMENDED", "SUPERSEDED"),
        ("PENDING", "ONGOING"),
        *(("ONGOING", s) for s in ("SUCCEEDED", "FAILED", "CANCELLED")),
        *(("CANCELLING", s) for s in ("SUCCEEDED", "FAILED", "CANCELLED")),
        *((s, DELETED) for s in ("SUCCEEDED", "RECOMMENDED", "FAILED", "SUPERSEDED", "CANCELLED")),
    },
    "actions": {
        *BY_USER["actions"],
        *(("PENDING", s) for s in ("ONGOING", "FAILED", "CANCELLED")),
        *(("ONGOING", s) for s in ("SUCCEEDED", "FAILED", "CANCELLING")),
        *(("CANCELLING", s) for s in ("SUCCEEDED", "FAILED", "CANCELLED")),
    },
}
NEVER_LEFT = {
    "audits": {"FAILED", "CANCELLED"},
    "action_plans": {"SUCCEEDED", "FAILED", "CANCELLED", "SUPERSEDED"},
    "actions": {"SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"},
}


@pytest.mark.parametrize("plural", MACHINES)
def test_users_may_what_the_contract_lists(plural: str) -> None:
    """No more, no less, and nothing that services may not."""
    machine = MACHINES[plural]
    allowed = {(old, new) for old, after in machine.by_user.items() for new in after}
    assert allowed == BY_USER[plural]
    assert all(new in machine.moves[old] for old, new in allowed)


@pytest.mark.parametrize("plural", MACHINES)
def test_services_may_what_watchers_do(plural: str) -> None:
    """Each of Watcher's moves exists, and what is over is left for deletion alone."""
    machine = MACHINES[plural]
    assert all(new in machine.moves[old] for old, new in WATCHERS[plural])
    assert all(machine.moves[state] == {DELETED} for state in NEVER_LEFT[plural])


@pytest.mark.integration
@pytest.mark.parametrize("by_user", [True, False])
@pytest.mark.parametrize("plural", MACHINES)
def test_every_cell_of_the_matrix_is_held(objects: Objects, plural: str, by_user: bool) -> None:
    """From every state to every state and to junk: done, or refused with the record as it was."""
    machine: StateMachine = MACHINES[plural]
    collection = getattr(objects, plural)
    here = world(objects)
    record = {"audits": here.audit, "action_plans": here.plan}.get(plural)
    ident = objects.actions.find()[0].id if record is None else record.id
    table = machine.by_user if by_user else machine.moves
    for old in sorted(machine.states - {DELETED}):
        for new in [*sorted(machine.states), "JUNK", ""]:
            with objects.database.engine.begin() as connection:
                rows = collection.kind.table
                connection.execute(rows.update().where(rows.c.id == ident).values(state=old))
            if new in table.get(old, ()):
                assert collection.transition(ident, new, by_user=by_user).state == new
                continue
            with pytest.raises(TransitionNotAllowed) as caught:
                collection.transition(ident, new, by_user=by_user)
            assert f"State transition not allowed: ({old} -> {new})" in str(caught.value)
            assert collection.get(ident).state == old


def test_a_move_may_expect_one_of_the_states_that_allow_it(objects: Objects) -> None:
    """A record in another state is told of as a conflict, one that could never go, as refused."""
    here = world(objects)
    plans = objects.action_plans
    with pytest.raises(StateConflict) as caught:
        plans.transition(here.plan.id, "ONGOING", expected="PENDING")
    assert caught.value.details["found"] == {"state": "RECOMMENDED"}
    plans.transition(here.plan.id, "ONGOING", expected={"PENDING", "RECOMMENDED"}, hostname="a")
    with pytest.raises(StateConflict):
        plans.transition(here.plan.id, "SUCCEEDED", where={"hostname": "b"})
    with pytest.raises(TransitionNotAllowed):
        plans.transition(here.plan.id, "SUPERSEDED", expected="RECOMMENDED")


@pytest.mark.integration
@pytest.mark.parametrize("control_url", ["postgresql", "mariadb"], indirect=True)
def test_a_lost_move_is_judged_by_what_it_lost_against(objects: Objects, control_url: str) -> None:
    """Whoever comes too late hears that it is over, whatever the transaction has read before."""
    audit = world(objects).audit
    # As services open it: with a first connection that is tried at once.
    mine = Objects(Database(control_url, max_retries=10))

    def late() -> None:
        assert mine.audits.get(audit.id).state == "PENDING"
        objects.audits.transition(audit.id, "ONGOING")
        objects.audits.transition(audit.id, "SUCCEEDED")
        mine.audits.transition(audit.id, "CANCELLED", by_user=True)

    with pytest.raises(TransitionNotAllowed, match="SUCCEEDED -> CANCELLED"):
        mine.atomically(late)
    mine.close()
