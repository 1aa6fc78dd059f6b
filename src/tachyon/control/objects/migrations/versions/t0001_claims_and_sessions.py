"""What Tachyon adds: revisions to compare by, sessions and metrics of plans, outputs of actions.

On a database of Watcher this also makes names of live audits unique, as Watcher's own model says
they are, and drops the pickled jobs of its scheduler: who is due is said by `next_run_time`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "t0001"
down_revision = "f56ba02662b4"

_LONG = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Add columns and indexes."""
    tables = sa.inspect(op.get_bind()).get_table_names()
    if "apscheduler_jobs" in tables:
        op.drop_table("apscheduler_jobs")
    for name in ("audits", "action_plans", "actions"):
        revision_column = sa.Column("revision", sa.Integer, nullable=False, server_default="0")
        op.add_column(name, revision_column)
    op.add_column("action_plans", sa.Column("session_id", sa.String(64)))
    op.add_column("action_plans", sa.Column("metrics", _LONG))
    op.add_column("action_plans", sa.Column("rollback_of", sa.String(36)))
    op.add_column("actions", sa.Column("outputs", _LONG))
    op.create_index("action_plans_by_audit", "action_plans", ["audit_id"])
    op.create_index("action_plans_by_state", "action_plans", ["state"])
    op.create_index("actions_by_plan", "actions", ["action_plan_id"])
    op.create_index("efficacy_indicators_by_plan", "efficacy_indicators", ["action_plan_id"])
    _audits()


def _audits() -> None:
    known = sa.inspect(op.get_bind()).get_unique_constraints("audits")
    unique = any(constraint["name"] == "uniq_audits0name" for constraint in known)
    with op.batch_alter_table("audits") as batch:
        # A cron expression of seven fields may be longer than Watcher's column.
        batch.alter_column("interval", existing_type=sa.String(36), type_=sa.String(255))
        # Columns that Watcher's migrations left without what its model promises.
        batch.alter_column(
            "force", existing_type=sa.Boolean(), nullable=False, server_default=sa.false()
        )
        if not unique:
            _rename_twins()
            batch.create_unique_constraint("uniq_audits0name", ["name", "deleted"])


def _rename_twins() -> None:
    """Tell audits of one name apart by their number."""
    audits = sa.table(
        "audits", sa.column("id"), sa.column("name"), sa.column("deleted"), sa.column("force")
    )
    connection = op.get_bind()
    connection.execute(audits.update().where(audits.c.force.is_(None)).values(force=sa.false()))
    seen = set()
    statement = sa.select(audits.c.id, audits.c.name, audits.c.deleted).order_by(audits.c.id)
    for number, name, deleted in connection.execute(statement).all():
        if name is not None and (name, deleted) in seen:
            unique = f"{name[:50]}-{number}"
            connection.execute(audits.update().where(audits.c.id == number).values(name=unique))
        seen.add((name, deleted))
