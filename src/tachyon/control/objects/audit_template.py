"""Audit templates: goal, strategy, scope and parameters under a name, for audits to start from."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tachyon.control.objects import goal, strategy
from tachyon.control.objects.columns import NAME, JsonDict, JsonList, reference, table, unique
from tachyon.control.objects.record import Kind, Record


class AuditTemplate(Record, frozen=True, kw_only=True):
    """An audit template. An audit copies what it takes, so later changes do not reach it."""

    uuid: str
    name: str
    description: str | None
    goal_id: int
    strategy_id: int | None
    scope: list[dict[str, Any]]
    default_parameters: dict[str, Any]
    goal: goal.Goal
    strategy: strategy.Strategy | None


KIND = Kind(
    name="audit_template",
    title="Audit template",
    record=AuditTemplate,
    relations={"goal": goal.KIND, "strategy": strategy.KIND},
    named=True,
    table=table(
        "audit_templates",
        sa.Column("uuid", sa.String(36)),
        sa.Column("name", sa.String(NAME)),
        sa.Column("description", sa.String(255)),
        reference("goal_id", "goals"),
        reference("strategy_id", "strategies", nullable=True),
        sa.Column("scope", JsonList),
        sa.Column("default_parameters", JsonDict),
        unique("audit_templates", "uuid"),
        unique("audit_templates", "name", "deleted"),
    ),
)
