"""Rounds of continuous audits run once each, keep their phase, and survive engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tachyon.control.objects.service import DECISION_ENGINE
from tests.control.engine.test_audits import Endless, Failing, plugins_with
from tests.control.world import DOWN_TIME, World, background, settle
from tests.waiting import PATIENCE, until

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def continuous(world: World, interval: str = "600", **fields: Any) -> Any:
    return world.audit("dummy", audit_type="CONTINUOUS", interval=interval, **fields)


def test_a_round_runs_at_once_and_then_every_interval(world: World) -> None:
    audit, engine = continuous(world), world.engine()
    for count in (1, 2, 3):
        settle(engine)
        settle(engine)
        assert len(world.plans(audit)) == count
        after = world.objects.audits.get(audit.uuid)
        assert after.state == "ONGOING"
        assert after.next_run_time == NOON + timedelta(seconds=600 * count)
        world.clock.advance(600)


def test_a_new_round_cancels_the_untouched_plan_of_the_last(world: World) -> None:
    audit, engine = continuous(world), world.engine()
    for _ in range(3):
        settle(engine)
        world.clock.advance(600)
    assert [p.state for p in world.plans(audit)] == ["CANCELLED", "CANCELLED", "RECOMMENDED"]
    assert set(world.states(world.plans(audit)[0])) == {"CANCELLED"}


def test_rounds_that_nobody_could_run_are_left_out_and_the_phase_is_kept(world: World) -> None:
    audit = continuous(world)
    settle(world.engine())
    world.clock.advance(3 * 600 + 17)
    engine = world.engine()
    settle(engine)
    assert len(world.plans(audit)) == 2
    after = world.objects.audits.get(audit.uuid)
    assert after.next_run_time == NOON + timedelta(seconds=4 * 600)


def test_cron_rounds_are_due_in_utc(world: World) -> None:
    audit, engine = continuous(world, "30 */2 * * *"), world.engine()
    settle(engine)
    assert world.plans(audit) == []
    after = world.objects.audits.get(audit.uuid)
    assert after.next_run_time == NOON + timedelta(minutes=30)
    world.clock.advance(30 * 60)
    settle(engine)
    assert len(world.plans(audit)) == 1
    assert world.objects.audits.get(audit.uuid).next_run_time == NOON + timedelta(minutes=150)


def test_an_audit_is_over_after_the_last_time_of_its_cron_expression(world: World) -> None:
    """One that names years has a last time; before, its round was run again and again."""
    audit, engine = continuous(world, "30,45 12 1 3 * 0 2026"), world.engine()
    states = []
    for _ in range(4):
        settle(engine)
        states.append((len(world.plans(audit)), world.objects.audits.get(audit.uuid).state))
        world.clock.advance(15 * 60)
    assert states == [(0, "PENDING"), (0, "PENDING"), (1, "ONGOING"), (2, "SUCCEEDED")]
    assert world.objects.audits.get(audit.uuid).next_run_time is None


def test_an_interval_that_is_none_fails_its_own_audit_only(world: World) -> None:
    bad, good = continuous(world, "junk"), continuous(world)
    settle(world.engine())
    assert world.objects.audits.get(bad.uuid).state == "FAILED"
    assert len(world.plans(good)) == 1


def test_no_round_runs_outside_the_window(world: World) -> None:
    audit = continuous(
        world,
        start_time=NOON + timedelta(seconds=100),
        end_time=NOON + timedelta(seconds=800),
    )
    engine = world.engine()
    counts = []
    for _ in range(5):
        settle(engine)
        counts.append((len(world.plans(audit)), world.objects.audits.get(audit.uuid).state))
        world.clock.advance(200 if len(counts) > 1 else 100)
    assert counts == [
        (0, "PENDING"),
        (1, "ONGOING"),
        (1, "ONGOING"),
        (1, "ONGOING"),
        (2, "ONGOING"),
    ]
    world.clock.advance(200)
    settle(engine)
    assert world.objects.audits.get(audit.uuid).state == "SUCCEEDED"


def test_a_failed_round_does_not_end_the_audit(world: World) -> None:
    Failing.errors = [ValueError("once")]
    audit, engine = continuous(world), world.engine(plugins=plugins_with(Failing))
    settle(engine)
    after = world.objects.audits.get(audit.uuid)
    assert (after.state, "once" in (after.status_message or "")) == ("ONGOING", True)
    world.clock.advance(600)
    settle(engine)
    after = world.objects.audits.get(audit.uuid)
    assert (len(world.plans(audit)), after.status_message) == (1, None)


def test_a_failed_round_ends_the_audit_where_that_is_configured(world: World) -> None:
    Failing.errors = [ValueError("once")]
    audit = continuous(world)
    settle(world.engine(plugins=plugins_with(Failing), end_failed_audits=True))
    assert world.objects.audits.get(audit.uuid).state == "FAILED"


@pytest.mark.parametrize("state", ["SUSPENDED", "CANCELLED"])
def test_suspending_or_cancelling_stops_the_round(world: World, state: str) -> None:
    audit = continuous(world)
    engine = world.engine(plugins=plugins_with(Endless))
    engine.look()
    until(lambda: world.objects.audits.get(audit.uuid).state == "ONGOING")
    world.objects.audits.transition(audit.uuid, state, by_user=True)
    settle(engine)
    assert (world.objects.audits.get(audit.uuid).state, world.plans(audit)) == (state, [])
    if state == "SUSPENDED":
        world.objects.audits.transition(audit.uuid, "ONGOING", by_user=True)
        settle(world.engine())
        assert len(world.plans(audit)) == 1


def test_a_changed_interval_takes_effect(world: World) -> None:
    audit, engine = continuous(world), world.engine()
    settle(engine)
    world.objects.audits.update(audit.uuid, {"interval": "10", "next_run_time": None})
    settle(engine)
    world.clock.advance(10)
    settle(engine)
    assert len(world.plans(audit)) == 3


@pytest.mark.integration
def test_with_many_engines_every_round_runs_once(world: World) -> None:
    audits = [continuous(world, "60") for _ in range(5)]
    hosts = [f"host{n}" for n in range(3)]
    engines = [world.engine(host) for host in hosts]
    threads = [background(engine) for engine in engines]
    for count in range(1, 4):
        until(lambda: all(len(world.plans(a)) == count for a in audits))  # noqa: B023
        world.clock.advance(60)
        # Else they count as dead after two rounds, and take what they run from each other.
        world.beat(DECISION_ENGINE, *hosts)
    until(lambda: all(len(world.plans(a)) == 4 for a in audits))
    for engine in engines:
        engine.stop()
    for thread in threads:
        thread.join(PATIENCE)
    assert [len(world.plans(a)) for a in audits] == [4] * 5


@pytest.mark.parametrize("kind", ["ONESHOT", "EVENT", "CONTINUOUS"])
def test_a_dead_engines_audit_is_run_by_the_next(world: World, kind: str) -> None:
    interval = "600" if kind == "CONTINUOUS" else None
    audit = world.audit("dummy", audit_type=kind, interval=interval)
    dead = world.engine("dead", plugins=plugins_with(Endless))
    if kind == "EVENT":
        world.event(audit)
    dead.look()
    until(lambda: world.objects.audits.get(audit.uuid).state == "ONGOING")
    settle(world.engine("alive"))
    assert world.plans(audit) == []
    world.clock.advance(DOWN_TIME + 1)
    settle(world.engine("alive"))
    assert len(world.plans(audit)) == 1
    assert world.objects.audits.get(audit.uuid).hostname == "alive"
    assert dead.join(PATIENCE), "an engine that only starved gives up what is no longer its own"
    assert len(world.plans(audit)) == 1


@pytest.mark.parametrize("kind", ["ONESHOT", "EVENT", "CONTINUOUS"])
def test_an_engine_that_restarts_runs_what_it_was_at(world: World, kind: str) -> None:
    interval = "600" if kind == "CONTINUOUS" else None
    audit = world.audit("dummy", audit_type=kind, interval=interval)
    world.objects.audits.transition(
        audit.uuid, "ONGOING", hostname="one", next_run_time=NOON if interval else None
    )
    settle(world.engine("one"))
    assert len(world.plans(audit)) == 1


def test_stopping_hands_back_what_is_not_done(world: World) -> None:
    audit = world.audit("dummy")
    engine = world.engine(plugins=plugins_with(Endless), shutdown_timeout=0.1)
    engine.look()
    until(lambda: world.objects.audits.get(audit.uuid).state == "ONGOING")
    engine.stop()
    until(lambda: world.objects.audits.get(audit.uuid).state == "PENDING")
    settle(world.engine("two"))
    assert len(world.plans(audit)) == 1
