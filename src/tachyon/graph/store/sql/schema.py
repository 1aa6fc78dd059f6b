"""The tables of the SQL store.

Rows are numbered by the store, under its write lock: a new row gets the highest number in use
plus one, so numbers tell the order in which entities came into the graph, and a table can be
filled in bulk without asking a sequence for each row. Keys are compared byte by byte: 'a', 'A'
and 'a ' are three keys. Free values (metadata, extra …), traits and aggregates are JSON texts,
NULL when empty; moments are microseconds since the epoch; flags are 0 and 1.

Second indexes are unique constraints, because these come with their table in one statement:
`CREATE INDEX IF NOT EXISTS` is not known to every server.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.types import TypeEngine

#: Raised with every change of the tables; kept in `global_state`.
SCHEMA_VERSION = 2
#: What makes tables of the version before into those of a version.
UPGRADES = {2: "ALTER TABLE host_aggregates ADD COLUMN id BIGINT"}

_LONG = Text().with_variant(LONGTEXT(), "mysql")
_KEY = String(255)
_NOTE = String(1024)
_WORD = String(32)
_BIG = BigInteger()
_FLAG = SmallInteger()
# SQLite takes a column for its row number only when it is declared INTEGER.
_ROW_ID = BigInteger().with_variant(Integer(), "sqlite")


def tables(collation: str | None = None) -> MetaData:
    """Return all tables; `collation` is the binary one of a MySQL-like server."""
    metadata = MetaData()
    options: dict[str, Any] = {}
    if collation is not None:
        options = {
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": collation,
            "mysql_row_format": "DYNAMIC",
        }
    for name, columns in (_state() | _graph() | _records()).items():
        Table(name, metadata, _key("row_id", _ROW_ID), *columns, **options)
    for name, columns in (_parts() | _journal() | _sessions()).items():
        # Rows of a composite key lie in the tree of that key, without a second one of numbers.
        Table(name, metadata, *columns, sqlite_with_rowid=False, **options)
    return metadata


Columns = dict[str, list[Column[Any] | UniqueConstraint]]


def _key(name: str, kind: TypeEngine[Any], *target: ForeignKey) -> Column[Any]:
    return Column(name, kind, *target, primary_key=True, autoincrement=False)


def _must(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _may(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _named(name: str) -> Column[Any]:
    return Column(name, _KEY, nullable=False, unique=True)


def _state() -> Columns:
    return {
        # One row, number 1: the lock of all writers.
        "global_state": [
            _must("generation", _BIG),
            _must("log_floor", _BIG),
            _must("schema_version", Integer()),
        ],
    }


def _graph() -> Columns:
    return {
        "providers": [
            _named("uuid"),
            _must("name", _KEY),
            _must("type", _KEY),
            _must("generation", _BIG),
            _may("parent_uuid", _KEY),
            _must("status", _WORD),
            _must("state", _WORD),
            _may("disabled_reason", _NOTE),
            _may("power_state", _KEY),
            _must("maintenance", _FLAG),
            _may("maintenance_reason", _NOTE),
            _may("availability_zone", _KEY),
            _may("aggregates", _LONG),
            _may("traits", _LONG),
            _may("extra", _LONG),
            UniqueConstraint("parent_uuid", "row_id", name="providers_by_parent"),
        ],
        "consumers": [
            _named("uuid"),
            _must("name", _NOTE),
            _must("type", _KEY),
            _must("generation", _BIG),
            _must("placed", _BIG),
            _must("state", _KEY),
            _may("status", _KEY),
            _must("locked", _FLAG),
            _must("watcher_exclude", _FLAG),
            _may("bootable", _FLAG),
            _may("created_at", _BIG),
            _may("project_id", _KEY),
            _may("flavor_id", _KEY),
            _may("server_group", _KEY),
            _may("pinned_az", _KEY),
            _may("attachments", _LONG),
            _may("metadata", _LONG),
            _may("scheduler_hints", _LONG),
            _may("extra", _LONG),
        ],
    }


def _records() -> Columns:
    return {
        "flavors": [
            _named("id"),
            _must("name", _NOTE),
            *(
                _must(amount, _BIG)
                for amount in ("vcpus", "memory_mb", "disk_gb", "ephemeral_gb", "swap_mb")
            ),
            _may("extra_specs", _LONG),
        ],
        "projects": [_named("external_id"), _must("name", _NOTE)],
        "server_groups": [
            _named("uuid"),
            _must("name", _NOTE),
            _must("policy", _WORD),
            _may("rules", _LONG),
        ],
        "host_aggregates": [
            _named("name"),
            _may("uuid", _KEY),
            _may("id", _BIG),
            _may("availability_zone", _KEY),
            _may("metadata", _LONG),
        ],
        "availability_zones": [_named("name")],
    }


def _parts() -> Columns:
    return {
        "inventories": [
            _key("provider_id", _ROW_ID, ForeignKey("providers.row_id")),
            _key("resource_class", _KEY),
            _must("total", _BIG),
            _must("reserved", _BIG),
            _must("allocation_ratio", Double()),
            _must("min_unit", _BIG),
            _must("max_unit", _BIG),
            _must("step_size", _BIG),
        ],
        "allocations": [
            _key("consumer_id", _ROW_ID, ForeignKey("consumers.row_id")),
            _key("provider_id", _ROW_ID, ForeignKey("providers.row_id")),
            _key("resource_class", _KEY),
            _must("amount", _BIG),
            UniqueConstraint(
                "provider_id", "consumer_id", "resource_class", name="allocations_by_provider"
            ),
        ],
    }


def _journal() -> Columns:
    return {
        # A transaction's changes, in parts that fit into a packet of any server.
        "change_log": [
            _key("generation", _BIG),
            _key("part", Integer()),
            _must("size", Integer()),
            _must("removals", Integer()),
            _must("body", _LONG),
        ],
    }


def _sessions() -> Columns:
    return {
        "sessions": [
            _key("id", _KEY),
            _must("base_generation", _BIG),
            _must("created_at", _BIG),
            _must("expires_at", _BIG),
            _may("audit_uuid", _KEY),
            _must("name", _NOTE),
            _must("status", _WORD),
            _must("delta_count", Integer()),
            _must("version", _BIG),
            _must("persistence", _WORD),
            _may("closed_at", _BIG),
            UniqueConstraint("status", "base_generation", "id", name="sessions_by_status"),
        ],
        "deltas": [
            _key("session_id", _KEY, ForeignKey("sessions.id")),
            _key("position", Integer()),
            _must("body", _LONG),
        ],
    }
