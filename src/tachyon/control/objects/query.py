"""From filters, sort keys and markers to SQL: what a list of records shows, and in which order.

Keys are columns (`state`), or columns of what a row refers to (`goal_name`, `audit_uuid`), at any
depth. A filter is a key, or a key with an operator (`created_at__lt`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from tachyon.control.objects.columns import JsonDict, JsonList
from tachyon.control.objects.record import Kind
from tachyon.errors import InvalidInput

Direction = Literal["asc", "desc"]
Condition = sa.ColumnElement[bool]


def among(column: sa.ColumnElement[Any], values: Sequence[Any]) -> Condition:
    """Return the condition that a column has one of some values.

    Numbers stand in the text of the statement: as parameters, a thousand of them take longer to
    prepare than the database takes to find their rows.
    """
    if not values or not all(type(value) is int for value in values):
        return column.in_(values)
    listed: sa.TextClause = sa.text(", ".join(map(str, values)))
    return column.op("IN", is_comparison=True)(sa.sql.elements.Grouping(listed))


_OPERATORS: dict[str, Callable[[sa.ColumnElement[Any], Any], Condition]] = {
    "eq": lambda column, value: column.is_(None) if value is None else column == value,
    "neq": lambda column, value: column.is_not(None) if value is None else column != value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "in": lambda column, value: among(column, list(value)),
    "notin": lambda column, value: column.not_in(list(value)),
}


class Query:
    """The rows of one kind that satisfy conditions, with the joins that these need."""

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind
        self._from: sa.FromClause = kind.table
        self._aliases: dict[tuple[str, ...], sa.FromClause] = {(): kind.table}
        self.conditions: list[Condition] = []

    def select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return the statement so far."""
        return sa.select(*columns).select_from(self._from).where(*self.conditions)

    def where(self, filters: Mapping[str, Any]) -> None:
        """Add filters, all of which must hold; raises `InvalidInput` for an unknown one."""
        for key, value in filters.items():
            self.conditions.append(self._condition(key, value))

    def _condition(self, key: str, value: Any) -> Condition:
        name, _, operator = key.partition("__")
        column = self.column(name)
        if column is None or (operator or "eq") not in _OPERATORS:
            raise InvalidInput(f"Invalid filter: {key}", key=key)
        return _OPERATORS[operator or "eq"](column, value)

    def column(self, key: str) -> sa.ColumnElement[Any] | None:
        """Return the column of a key, None when there is none."""
        if key in self._kind.table.c:
            return self._kind.table.c[key]
        for path, kind, name in _related(self._kind, key):
            if name in kind.table.c:
                return self._joined(path).c[name]
        return None

    def nullable(self, key: str) -> bool:
        """Tell whether rows may lack a value of a key."""
        if key in self._kind.table.c:
            return _nullable(self._kind.table.c[key])
        for path, kind, name in _related(self._kind, key):
            if name in kind.table.c:
                return self._optional(path) or _nullable(kind.table.c[name])
        return True

    def _optional(self, path: tuple[str, ...]) -> bool:
        """Tell whether some rows refer to nothing by a path."""
        steps = [(_kind_at(self._kind, path[:n]), name) for n, name in enumerate(path)]
        return any(kind.table.c[f"{name}_id"].nullable for kind, name in steps)

    def _joined(self, path: tuple[str, ...]) -> sa.FromClause:
        if path not in self._aliases:
            parent = self._joined(path[:-1])
            alias = _kind_at(self._kind, path).table.alias("__".join(path))
            on = parent.c[f"{path[-1]}_id"] == alias.c.id
            self._from = self._from.join(alias, on, isouter=self._optional(path))
            self._aliases[path] = alias
        return self._aliases[path]


#: Columns that no row is without, though the schema, which is Watcher's, would allow it.
_ALWAYS = frozenset({"uuid", "state", "created_at"})


def _nullable(column: sa.Column[Any]) -> bool:
    return bool(column.nullable) and column.name not in _ALWAYS


def _related(kind: Kind[Any], key: str) -> list[tuple[tuple[str, ...], Kind[Any], str]]:
    """Return (path, kind, column name) of every relation that a key could be of, nearest first."""
    found = []
    level: list[tuple[tuple[str, ...], Kind[Any]]] = [((), kind)]
    while level:
        below = [
            ((*path, name), related)
            for path, one in level
            for name, related in one.relations.items()
        ]
        for path, related in below:
            if key.startswith(f"{path[-1]}_"):
                found.append((path, related, key[len(path[-1]) + 1 :]))
        level = below
    return found


def _kind_at(kind: Kind[Any], path: tuple[str, ...]) -> Kind[Any]:
    for name in path:
        kind = kind.relations[name]
    return kind


class Order:
    """An order of rows: by a key, then by number, rows without a value of the key last."""

    def __init__(self, query: Query, key: str, direction: Direction) -> None:
        column = query.column(key)
        if column is None or key in ("deleted", "revision"):
            raise InvalidInput(f"Invalid sort key: {key}", key=key)
        if isinstance(column.type, JsonList | JsonDict):
            column = sa.type_coerce(column, sa.Text)
        self._key = column
        self._number = query.column("id")
        self._ascending = direction == "asc"
        self._by_number = key == "id"
        # Without NULLs to put last, a database may go along an index and sort nothing.
        self._nullable = query.nullable(key)

    def terms(self) -> list[Any]:
        """Return the terms of ORDER BY."""
        assert self._number is not None
        columns = [self._number] if self._by_number else [self._key, self._number]
        if self._nullable:
            columns.insert(0, self._key.is_(None))
        return [c.asc() if self._ascending else c.desc() for c in columns]

    def columns(self) -> tuple[Any, Any]:
        """Return what tells a row's place in the order: its key and its number."""
        return self._key, self._number

    def after(self, key: Any, number: int) -> Condition:
        """Return the condition of the rows behind one that has this key and number."""
        assert self._number is not None
        past: Callable[[Any, Any], Any] = _GREATER if self._ascending else _LESS
        if self._by_number:
            return past(self._number, number)  # type: ignore[no-any-return]
        if key is None:
            same = sa.and_(self._key.is_(None), past(self._number, number))
            return same if self._ascending else sa.or_(same, self._key.is_not(None))
        behind = sa.or_(past(self._key, key), sa.and_(self._key == key, past(self._number, number)))
        last = self._nullable and self._ascending
        return sa.or_(behind, self._key.is_(None)) if last else behind


_GREATER = _OPERATORS["gt"]
_LESS = _OPERATORS["lt"]
