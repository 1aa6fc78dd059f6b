"""From statements to rows, and from rows to the rows that they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from tachyon.control.objects.query import among
from tachyon.control.objects.record import Kind, Reference

#: Numbers in one IN (…): every database takes more.
CHUNK = 1000


def columns_of(kind: Kind[Any]) -> list[sa.Column[Any]]:
    """Return the columns that a record of a kind holds."""
    names = {f.name for f in msgspec.structs.fields(kind.record)}
    return [column for column in kind.table.c if column.name in names]


def tuples(
    connection: sa.Connection, statement: sa.Select[Any], columns: Sequence[sa.Column[Any]]
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement on these columns, each column's values made in one go.

    The library makes an object of every row and goes from column to column in each; for a page of
    a thousand plans that takes longer than all the rest.
    """
    result = connection.execute(statement)
    cursor = result.cursor
    assert cursor is not None
    assert cursor.description is not None
    codes = [described[1] for described in cursor.description]
    found: list[tuple[Any, ...]] = list(cursor.fetchall())
    result.close()
    if not found:
        return []
    by_column: list[Iterable[Any]] = list(zip(*found, strict=True))
    dialect = connection.dialect
    for place, (column, code) in enumerate(zip(columns, codes, strict=True)):
        process = column.type.dialect_impl(dialect).result_processor(dialect, code)
        if process is not None:
            by_column[place] = map(process, by_column[place])
    return list(zip(*by_column, strict=True))


def rows(
    connection: sa.Connection, statement: sa.Select[Any], columns: Sequence[sa.Column[Any]]
) -> list[dict[str, Any]]:
    """Return the rows of a statement by the names of these columns."""
    names = [column.name for column in columns]
    return [dict(zip(names, row)) for row in tuples(connection, statement, columns)]  # noqa: B905


def relate(
    connection: sa.Connection,
    kind: Kind[Any],
    found: Sequence[dict[str, Any]],
    *,
    brief: bool = False,
) -> None:
    """Give rows the records that they refer to, soft-deleted or not: one query a relation."""
    for name, target in kind.relations.items():
        numbers = sorted({row[f"{name}_id"] for row in found} - {None})
        make: type[Struct] = target.record
        columns = columns_of(target)
        if brief:
            make = Reference
            columns = [c for c in target.table.c if c.name in Reference.__struct_fields__]
        records: dict[int | None, Any] = {None: None}
        for start in range(0, len(numbers), CHUNK):
            some = numbers[start : start + CHUNK]
            statement = sa.select(*columns).where(among(target.table.c.id, some))
            related = rows(connection, statement, columns)
            if not brief:
                relate(connection, target, related)
            records |= {row["id"]: make(**row) for row in related}
        for row in found:
            row[name] = records[row[f"{name}_id"]]
