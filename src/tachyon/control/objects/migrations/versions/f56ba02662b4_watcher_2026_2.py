"""Watcher's schema as of 2026.2, under Watcher's own revision number."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "f56ba02662b4"
down_revision = None

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_LONG = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def _create(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        sa.Column("created_at", sa.DateTime),
        sa.Column("updated_at", sa.DateTime),
        sa.Column("deleted_at", sa.DateTime),
        sa.Column("deleted", sa.Integer),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        *columns,
        **_OPTIONS,
    )


def _uuid(*, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column("uuid", sa.String(36), nullable=nullable)


def _text(name: str, length: int, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _json(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, _LONG, nullable=nullable)


def _to(name: str, target: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{target}.id"), nullable=nullable)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uniq_{table}0{columns[0]}")


def upgrade() -> None:
    """Create the tables; what only APScheduler used is left out."""
    _create(
        "goals",
        _uuid(),
        _text("name", 63, nullable=False),
        _text("display_name", 63, nullable=False),
        _json("efficacy_specification", nullable=False),
        _unique("goals", "uuid"),
        _unique("goals", "name", "deleted"),
    )
    _create(
        "strategies",
        _uuid(),
        _text("name", 63, nullable=False),
        _text("display_name", 63, nullable=False),
        _to("goal_id", "goals"),
        _json("parameters_spec"),
        _unique("strategies", "uuid"),
        _unique("strategies", "name", "deleted"),
    )
    _create(
        "audit_templates",
        _uuid(),
        _text("name", 63),
        _text("description", 255),
        _to("goal_id", "goals"),
        _to("strategy_id", "strategies", nullable=True),
        _json("scope"),
        _json("default_parameters"),
        _unique("audit_templates", "uuid"),
        _unique("audit_templates", "name", "deleted"),
    )
    _create(
        "audits",
        _uuid(),
        _text("name", 63),
        _text("audit_type", 20),
        _text("state", 20),
        _json("parameters"),
        _text("interval", 36),
        _to("goal_id", "goals"),
        _to("strategy_id", "strategies", nullable=True),
        _json("scope"),
        sa.Column("auto_trigger", sa.Boolean, nullable=False),
        sa.Column("next_run_time", sa.DateTime),
        _text("hostname", 255),
        sa.Column("start_time", sa.DateTime),
        sa.Column("end_time", sa.DateTime),
        sa.Column("force", sa.Boolean, nullable=False),
        _text("status_message", 255),
        _unique("audits", "uuid"),
        _unique("audits", "name", "deleted"),
    )
    _create(
        "action_plans",
        _uuid(),
        _to("audit_id", "audits"),
        _to("strategy_id", "strategies"),
        _text("state", 20),
        _json("global_efficacy"),
        _text("hostname", 255),
        _text("status_message", 255),
        _unique("action_plans", "uuid"),
    )
    _create(
        "actions",
        _uuid(nullable=False),
        _to("action_plan_id", "action_plans"),
        _text("action_type", 255, nullable=False),
        _json("input_parameters"),
        _text("state", 20),
        _json("parents"),
        _text("status_message", 255),
        _unique("actions", "uuid"),
    )
    _create(
        "efficacy_indicators",
        _uuid(),
        _text("name", 63),
        _text("description", 255),
        _text("unit", 63),
        sa.Column("value", sa.Numeric),
        sa.Column("data", sa.Float),
        _to("action_plan_id", "action_plans"),
        _unique("efficacy_indicators", "uuid"),
    )
    _create(
        "scoring_engines",
        _uuid(nullable=False),
        _text("name", 63, nullable=False),
        _text("description", 255),
        sa.Column("metainfo", sa.Text),
        _unique("scoring_engines", "uuid"),
        _unique("scoring_engines", "name", "deleted"),
    )
    _create(
        "services",
        _text("name", 255, nullable=False),
        _text("host", 255, nullable=False),
        sa.Column("last_seen_up", sa.DateTime),
        sa.UniqueConstraint("host", "name", "deleted", name="uniq_services0host0name0deleted"),
    )
    _create(
        "action_descriptions",
        _text("action_type", 255, nullable=False),
        _text("description", 255, nullable=False),
        sa.UniqueConstraint("action_type", name="uniq_action_description0action_type"),
    )
