"""Strategies: the ways to a goal, as the installed plug-ins name them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tachyon.control.objects import goal
from tachyon.control.objects.columns import (
    DISPLAY_NAME,
    NAME,
    JsonDict,
    reference,
    table,
    unique,
)
from tachyon.control.objects.record import Kind, Record


class Strategy(Record, frozen=True, kw_only=True):
    """A strategy; `parameters_spec` is the JSON Schema of its parameters."""

    uuid: str
    name: str
    display_name: str
    goal_id: int
    parameters_spec: dict[str, Any]
    goal: goal.Goal


KIND = Kind(
    name="strategy",
    title="Strategy",
    record=Strategy,
    relations={"goal": goal.KIND},
    named=True,
    folds_case=True,
    table=table(
        "strategies",
        sa.Column("uuid", sa.String(36)),
        sa.Column("name", sa.String(NAME), nullable=False),
        sa.Column("display_name", sa.String(DISPLAY_NAME), nullable=False),
        reference("goal_id", "goals"),
        sa.Column("parameters_spec", JsonDict),
        unique("strategies", "uuid"),
        unique("strategies", "name", "deleted"),
    ),
)
