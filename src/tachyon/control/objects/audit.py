"""Audits: requests to work towards a goal, once, again and again, or on an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from tachyon.control.objects import goal, strategy
from tachyon.control.objects.columns import (
    MESSAGE,
    NAME,
    JsonDict,
    JsonList,
    Moment,
    reference,
    table,
    unique,
)
from tachyon.control.objects.record import Kind, Record
from tachyon.control.objects.states import StateMachine, moves

AuditType = Literal["ONESHOT", "CONTINUOUS", "EVENT"]

#: A continuous audit may end by its end time before any round, and an event starts an audit that
#: has succeeded anew; the synchronisation of plug-ins cancels what has lost its strategy.
MACHINE = StateMachine(
    "PENDING",
    moves(
        PENDING="ONGOING CANCELLED SUCCEEDED FAILED",
        ONGOING="PENDING SUCCEEDED FAILED CANCELLED SUSPENDED",
        SUSPENDED="ONGOING CANCELLED SUCCEEDED DELETED",
        SUCCEEDED="ONGOING DELETED",
        FAILED="DELETED",
        CANCELLED="DELETED",
    ),
    by_user=moves(
        PENDING="CANCELLED",
        ONGOING="CANCELLED SUSPENDED",
        SUSPENDED="ONGOING",
    ),
)

#: States in which an EVENT audit waits for the next event.
IDLE = frozenset({"PENDING", "SUCCEEDED"})


class Audit(Record, frozen=True, kw_only=True):
    """An audit.

    Attributes:
        interval: of a continuous audit: whole seconds or a cron expression, as it was given.
        next_run_time: when the next round is due; claimed by compare-and-set. Of an EVENT audit
            the moment of the event that no engine has taken up yet.
        hostname: the decision engine that works or worked on it.
        start_time, end_time: outside them no round of a continuous audit runs.
        force: run although plans are being executed.
        revision: goes up with every change, for compare-and-set.
    """

    uuid: str
    name: str
    audit_type: AuditType
    state: str
    parameters: dict[str, Any]
    interval: str | None
    goal_id: int
    strategy_id: int | None
    scope: list[dict[str, Any]]
    auto_trigger: bool
    next_run_time: datetime | None
    hostname: str | None
    start_time: datetime | None
    end_time: datetime | None
    force: bool
    status_message: str | None
    revision: int
    goal: goal.Goal
    strategy: strategy.Strategy | None


KIND = Kind(
    name="audit",
    title="Audit",
    record=Audit,
    relations={"goal": goal.KIND, "strategy": strategy.KIND},
    named=True,
    machine=MACHINE,
    table=table(
        "audits",
        sa.Column("uuid", sa.String(36)),
        sa.Column("name", sa.String(NAME)),
        sa.Column("audit_type", sa.String(20)),
        sa.Column("state", sa.String(20)),
        sa.Column("parameters", JsonDict),
        sa.Column("interval", sa.String(255)),
        reference("goal_id", "goals"),
        reference("strategy_id", "strategies", nullable=True),
        sa.Column("scope", JsonList),
        sa.Column("auto_trigger", sa.Boolean, nullable=False, default=False),
        sa.Column("next_run_time", Moment),
        sa.Column("hostname", sa.String(255)),
        sa.Column("start_time", Moment),
        sa.Column("end_time", Moment),
        sa.Column("force", sa.Boolean, nullable=False, default=False),
        sa.Column("status_message", sa.String(MESSAGE)),
        sa.Column("revision", sa.Integer, nullable=False, default=0, server_default="0"),
        unique("audits", "uuid"),
        unique("audits", "name", "deleted"),
    ),
)
