"""Goals: what audits are for, as the installed plug-ins name them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tachyon.control.objects.columns import DISPLAY_NAME, NAME, JsonList, table, unique
from tachyon.control.objects.record import Kind, Record


class Goal(Record, frozen=True, kw_only=True):
    """A goal; its efficacy specification is a list of {name, description, unit, schema}."""

    uuid: str
    name: str
    display_name: str
    efficacy_specification: list[dict[str, Any]]


KIND = Kind(
    name="goal",
    title="Goal",
    record=Goal,
    named=True,
    folds_case=True,
    table=table(
        "goals",
        sa.Column("uuid", sa.String(36)),
        sa.Column("name", sa.String(NAME), nullable=False),
        sa.Column("display_name", sa.String(DISPLAY_NAME), nullable=False),
        sa.Column("efficacy_specification", JsonList, nullable=False),
        unique("goals", "uuid"),
        unique("goals", "name", "deleted"),
    ),
)
