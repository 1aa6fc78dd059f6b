"""Services: the processes of the control plane, and when each gave its last sign of life."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from tachyon.control.objects.columns import Moment, table
from tachyon.control.objects.record import Kind, Record

#: The names that clients know.
API, DECISION_ENGINE, APPLIER = "watcher-api", "watcher-decision-engine", "watcher-applier"
ACTIVE, FAILED = "ACTIVE", "FAILED"


class Service(Record, frozen=True, kw_only=True):
    """A service on a host."""

    name: str
    host: str
    last_seen_up: datetime | None

    def status(self, moment: datetime, down_time: float) -> str:
        """Return ACTIVE, or FAILED when there was no sign of life for `down_time` seconds."""
        seen = self.last_seen_up or self.updated_at or self.created_at
        alive = seen is not None and moment - seen <= timedelta(seconds=down_time)
        return ACTIVE if alive else FAILED


KIND = Kind(
    name="service",
    title="Service",
    record=Service,
    named=True,
    table=table(
        "services",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("last_seen_up", Moment),
        sa.UniqueConstraint("host", "name", "deleted", name="uniq_services0host0name0deleted"),
    ),
)
