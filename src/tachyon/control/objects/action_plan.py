"""Action plans: what an audit proposes, and what becomes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tachyon.control.objects import audit, strategy
from tachyon.control.objects.columns import (
    MESSAGE,
    JsonDict,
    JsonList,
    reference,
    table,
    unique,
)
from tachyon.control.objects.record import Kind, Record
from tachyon.control.objects.states import StateMachine, moves

#: An applier that stops hands a plan that it has claimed and not begun back to PENDING.
MACHINE = StateMachine(
    "RECOMMENDED",
    moves(
        RECOMMENDED="PENDING ONGOING SUCCEEDED CANCELLED SUPERSEDED DELETED",
        PENDING="ONGOING FAILED CANCELLED",
        ONGOING="PENDING SUCCEEDED FAILED CANCELLING CANCELLED",
        CANCELLING="CANCELLED SUCCEEDED FAILED",
        SUCCEEDED="DELETED",
        FAILED="DELETED",
        CANCELLED="DELETED",
        SUPERSEDED="DELETED",
    ),
    by_user=moves(
        RECOMMENDED="PENDING CANCELLED",
        PENDING="CANCELLED",
        ONGOING="CANCELLING",
    ),
)


class ActionPlan(Record, frozen=True, kw_only=True):
    """An action plan.

    Attributes:
        global_efficacy: list of {name, description, unit, value}.
        hostname: the applier that executes or executed it.
        session_id: the simulation session that the plan was made in.
        metrics: load of the cluster as the session's `before` and `after`; empty in brief lists.
        rollback_of: uuid of the plan that this one takes back.
        revision: goes up with every change, for compare-and-set.
    """

    uuid: str
    audit_id: int
    strategy_id: int
    state: str
    global_efficacy: list[dict[str, Any]]
    hostname: str | None
    status_message: str | None
    session_id: str | None
    metrics: dict[str, Any] = msgspec.field(default_factory=dict)
    rollback_of: str | None
    revision: int
    audit: audit.Audit
    strategy: strategy.Strategy


KIND = Kind(
    name="action_plan",
    title="Action plan",
    record=ActionPlan,
    relations={"audit": audit.KIND, "strategy": strategy.KIND},
    machine=MACHINE,
    unlisted=frozenset({"metrics"}),
    table=table(
        "action_plans",
        sa.Column("uuid", sa.String(36)),
        reference("audit_id", "audits"),
        reference("strategy_id", "strategies"),
        sa.Column("state", sa.String(20)),
        sa.Column("global_efficacy", JsonList),
        sa.Column("hostname", sa.String(255)),
        sa.Column("status_message", sa.String(MESSAGE)),
        sa.Column("session_id", sa.String(64)),
        sa.Column("metrics", JsonDict),
        sa.Column("rollback_of", sa.String(36)),
        sa.Column("revision", sa.Integer, nullable=False, default=0, server_default="0"),
        unique("action_plans", "uuid"),
        sa.Index("action_plans_by_audit", "audit_id"),
        sa.Index("action_plans_by_state", "state"),
    ),
)
