"""Actions: the steps of a plan."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tachyon.control.objects import action_plan
from tachyon.control.objects.columns import (
    MESSAGE,
    TYPE,
    JsonDict,
    JsonList,
    reference,
    table,
    unique,
)
from tachyon.control.objects.record import Kind, Record
from tachyon.control.objects.states import StateMachine, moves

#: An action that an applier had begun when it died is taken up again (ONGOING → PENDING) or
#: called off, as configured.
MACHINE = StateMachine(
    "PENDING",
    moves(
        PENDING="ONGOING SUCCEEDED FAILED CANCELLED SKIPPED DELETED",
        ONGOING="PENDING SUCCEEDED FAILED SKIPPED CANCELLING CANCELLED DELETED",
        CANCELLING="CANCELLED SUCCEEDED FAILED DELETED",
        SUCCEEDED="DELETED",
        FAILED="DELETED",
        CANCELLED="DELETED",
        SKIPPED="DELETED",
    ),
    by_user=moves(PENDING="SKIPPED"),
)


class Action(Record, frozen=True, kw_only=True):
    """An action; `parents` are the uuids of those that must be done before it.

    `outputs` is what its execution left for its revert and for the actions after it.
    """

    uuid: str
    action_plan_id: int
    action_type: str
    input_parameters: dict[str, Any]
    state: str
    parents: list[str]
    status_message: str | None
    outputs: dict[str, Any]
    revision: int
    action_plan: action_plan.ActionPlan


KIND = Kind(
    name="action",
    title="Action",
    record=Action,
    relations={"action_plan": action_plan.KIND},
    machine=MACHINE,
    owner="action_plan",
    table=table(
        "actions",
        sa.Column("uuid", sa.String(36), nullable=False),
        reference("action_plan_id", "action_plans"),
        sa.Column("action_type", sa.String(TYPE), nullable=False),
        sa.Column("input_parameters", JsonDict),
        sa.Column("state", sa.String(20)),
        sa.Column("parents", JsonList),
        sa.Column("status_message", sa.String(MESSAGE)),
        sa.Column("outputs", JsonDict),
        sa.Column("revision", sa.Integer, nullable=False, default=0, server_default="0"),
        unique("actions", "uuid"),
        sa.Index("actions_by_plan", "action_plan_id"),
    ),
)
