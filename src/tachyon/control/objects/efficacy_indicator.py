"""Efficacy indicators: what a plan is worth, in figures."""

from __future__ import annotations

import sqlalchemy as sa

from tachyon.control.objects.columns import NAME, reference, table, unique
from tachyon.control.objects.record import Kind, Record


class EfficacyIndicator(Record, frozen=True, kw_only=True):
    """One figure of a plan; `data` is its value."""

    uuid: str
    name: str
    description: str | None
    unit: str | None
    data: float | None
    action_plan_id: int


KIND = Kind(
    name="efficacy_indicator",
    title="Efficacy indicator",
    record=EfficacyIndicator,
    owner="action_plan",
    table=table(
        "efficacy_indicators",
        sa.Column("uuid", sa.String(36)),
        sa.Column("name", sa.String(NAME)),
        sa.Column("description", sa.String(255)),
        sa.Column("unit", sa.String(63)),
        # What Watcher kept before 2025.2; nobody writes it any more.
        sa.Column("value", sa.Numeric),
        sa.Column("data", sa.Float),
        reference("action_plan_id", "action_plans"),
        unique("efficacy_indicators", "uuid"),
        sa.Index("efficacy_indicators_by_plan", "action_plan_id"),
    ),
)
