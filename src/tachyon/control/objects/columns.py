"""Columns that the tables are made of: moments, JSON texts, and the four that every table has.

Table and column names are Watcher's, so that its operators' queries and its database go on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.types import TypeDecorator

METADATA = sa.MetaData()

#: Longest texts of the columns of these names.
NAME, DISPLAY_NAME, MESSAGE, TYPE = 63, 63, 255, 255


class Moment(TypeDecorator[datetime]):
    """A moment in whole seconds, kept as UTC without a zone; in Python always with one.

    Seconds, because DATETIME of MySQL keeps no more, and a compare-and-set on a moment must find
    the same moment in every database.
    """

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the moment as the database keeps it; one without a zone is UTC."""
        if value is None:
            return None
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return value.replace(microsecond=0)

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        """Return what gives a moment its zone; one call a value, for lists are long."""
        if dialect.name == "sqlite":
            read = datetime.fromisoformat
            return lambda text: None if text is None else read(f"{text}+00:00")
        inner = self.impl_instance.result_processor(dialect, coltype)

        def process(value: Any) -> Any:
            if value is None:
                return None
            found: Any = value if inner is None else inner(value)
            return found.replace(tzinfo=UTC)

        return process


_decode = msgspec.json.Decoder().decode


class _Json(TypeDecorator[Any]):
    """A JSON text; NULL is the empty value of the column's type."""

    impl = sa.Text
    cache_ok = True
    empty: type[Any]

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Return the type that is long enough on every server."""
        return LONGTEXT() if dialect.name in ("mysql", "mariadb") else sa.Text()

    def process_bind_param(self, value: Any, dialect: Any) -> str:
        """Return the text."""
        return msgspec.json.encode(self.empty() if value is None else value).decode()

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a text."""
        decode, empty = _decode, self.empty
        return lambda text: decode(text) if text else empty()


class JsonList(_Json):
    """A list."""

    empty = list
    cache_ok = True


class JsonDict(_Json):
    """An object."""

    empty = dict
    cache_ok = True


class Deleted(TypeDecorator[int]):
    """0 while a row is live, then its number: so that unique keys leave deleted rows alone."""

    impl = sa.Integer
    cache_ok = True

    def process_result_value(self, value: int | None, dialect: Any) -> int:
        """Return the number; Watcher's older rows hold NULL for 0."""
        return value or 0


def table(
    name: str, *columns: sa.Column[Any] | sa.UniqueConstraint | sa.Index, numbered: bool = True
) -> sa.Table:
    """Return a table with the columns that all have, ready for every server."""
    number = [sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)] if numbered else []
    return sa.Table(
        name,
        METADATA,
        sa.Column("created_at", Moment),
        sa.Column("updated_at", Moment),
        sa.Column("deleted_at", Moment),
        sa.Column("deleted", Deleted, default=0),
        *number,
        *columns,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def reference(name: str, target: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Return a column that refers to another table's row."""
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{target}.id"), nullable=nullable)


def unique(owner: str, *columns: str) -> sa.UniqueConstraint:
    """Return a unique constraint under the name that oslo.db's users expect."""
    return sa.UniqueConstraint(*columns, name=f"uniq_{owner}0{columns[0]}")


def now() -> datetime:
    """Return the moment, in whole seconds as the columns keep it."""
    return datetime.now(UTC).replace(microsecond=0)


Clock = Callable[[], datetime]


def shortened(text: str | None, most: int = MESSAGE) -> str | None:
    """Return a text that fits its column; what is cut off is told by an ellipsis."""
    return text if text is None or len(text) <= most else text[: most - 1] + "…"
