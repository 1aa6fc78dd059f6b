"""Descriptions of action types, as the appliers' plug-ins give them."""

from __future__ import annotations

import sqlalchemy as sa

from tachyon.control.objects.columns import TYPE, table
from tachyon.control.objects.record import Kind, Record


class ActionDescription(Record, frozen=True, kw_only=True):
    """What actions of a type do, for people."""

    action_type: str
    description: str


KIND = Kind(
    name="action_description",
    title="Action description",
    record=ActionDescription,
    table=table(
        "action_descriptions",
        sa.Column("action_type", sa.String(TYPE), nullable=False),
        sa.Column("description", sa.String(255), nullable=False),
        sa.UniqueConstraint("action_type", name="uniq_action_description0action_type"),
    ),
)
