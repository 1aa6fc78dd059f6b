"""Scoring engines: models that judge features, as the installed plug-ins name them."""

from __future__ import annotations

import sqlalchemy as sa

from tachyon.control.objects.columns import NAME, table, unique
from tachyon.control.objects.record import Kind, Record


class ScoringEngine(Record, frozen=True, kw_only=True):
    """A scoring engine; `metainfo` is text in whatever form the engine likes."""

    uuid: str
    name: str
    description: str | None
    metainfo: str | None


KIND = Kind(
    name="scoring_engine",
    title="Scoring engine",
    record=ScoringEngine,
    named=True,
    table=table(
        "scoring_engines",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(NAME), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("metainfo", sa.Text),
        unique("scoring_engines", "uuid"),
        unique("scoring_engines", "name", "deleted"),
    ),
)
