"""Reading and writing the records of one kind, the same way for all kinds.

What a caller holds is a record as it was read; nothing is ever saved "as a whole". A write names
the fields that change and, in `where`, what must still hold: a compare-and-set in one UPDATE, so
that of two writers one wins and the other is told.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa
from oslo_db import exception as db

from tachyon.control.objects.columns import JsonDict, JsonList, shortened
from tachyon.control.objects.database import Database
from tachyon.control.objects.query import Direction, Order, Query, among
from tachyon.control.objects.record import Change, Kind, Record
from tachyon.control.objects.rows import CHUNK, columns_of, relate, rows, tuples
from tachyon.control.objects.states import DELETED
from tachyon.errors import (
    DuplicateRecord,
    InvalidInput,
    RecordNotFound,
    RecordReferenced,
    StateConflict,
)

R = TypeVar("R", bound=Record)

_NONE: Mapping[str, Any] = {}
#: Nobody sets these directly: the state goes through `transition`, the others are kept here.
_RESERVED = frozenset({"id", "uuid", "state", "deleted", "deleted_at", "updated_at", "revision"})
#: The largest number that a column of numbers takes on every server.
MAX_ID = 2**31 - 1


class Collection(Generic[R]):
    """The records of one kind. `kinds` are all kinds, among them those that this one owns."""

    def __init__(self, database: Database, kind: Kind[R], kinds: Iterable[Kind[Any]]) -> None:
        self.kind = kind
        self._database = database
        self._table = kind.table
        self._kinds = {one.name: one for one in kinds}
        self._owned = [one for one in kinds if one.owner == kind.name]
        self._referring = [
            (one, name) for one in kinds for name, target in one.relations.items() if target is kind
        ]
        self._columns = columns_of(kind)
        self._listed = [c for c in self._columns if c.name not in kind.unlisted]

    # Reading

    def get(self, ident: str | int, *, deleted: bool = False) -> R:
        """Return the record that has a uuid, number or name.

        Args:
            ident: of a kind with names, digits are a number before they are a name.
            deleted: also look among those that are soft-deleted.

        Raises:
            RecordNotFound: there is none.
            InvalidInput: several have that name (services on several hosts).
        """
        found = self._database.read(lambda c: self._find(c, ident, deleted=deleted))
        if len(found) > 1:
            raise InvalidInput(
                f"{len(found)} records of kind {self.kind.title} are named {ident}; use the id",
                ident=ident,
            )
        return found[0]

    def lock(self, ident: str | int) -> R:
        """Return a live record that nobody else changes before this transaction ends.

        For use inside `Objects.atomically`; raises `RecordNotFound`.
        """

        def read(connection: sa.Connection) -> R:
            record = self.get(ident)
            row = sa.select(self._table.c.id).where(self._table.c.id == record.id)
            connection.execute(row.with_for_update())
            return self.get(record.id)

        return self._database.write(read)

    def find(
        self,
        where: Mapping[str, Any] = _NONE,
        *,
        limit: int | None = None,
        marker: str | int | None = None,
        sort_key: str = "id",
        sort_dir: Direction = "asc",
        deleted: bool = False,
        brief: bool = False,
    ) -> list[R]:
        """Return records in order; equal keys in order of creation.

        Args:
            where: filters; see `tachyon.control.objects.query`.
            limit: most records.
            marker: uuid (or number) of the record behind which to begin, deleted or not.
            sort_key: a column, or one of a related record (`goal_name`).
            sort_dir: "asc" or "desc".
            deleted: with those that are soft-deleted.
            brief: related records are a `Reference` each, and what lists do not show is left out
                (`Kind.unlisted`), which is quicker to read.

        Raises:
            InvalidInput: a filter or the sort key is unknown.
            RecordNotFound: there is no such marker.
        """
        query = Query(self.kind)
        query.where(where)
        if not deleted:
            query.conditions.append(self._table.c.deleted == 0)
        order = Order(query, sort_key, sort_dir)

        def read(connection: sa.Connection) -> list[R]:
            if marker is not None:
                query.conditions.append(order.after(*self._place(connection, order, query, marker)))
            columns = self._listed if brief else self._columns
            statement = query.select(*columns).order_by(*order.terms())
            if limit is not None:
                statement = statement.limit(limit)
            return self._records(connection, statement, columns, brief=brief)

        return self._database.read(read)

    def values(
        self, names: Sequence[str], where: Mapping[str, Any] = _NONE, *, deleted: bool = False
    ) -> Sequence[Sequence[Any]]:
        """Return some columns of records in order of creation, without making records."""
        query = Query(self.kind)
        query.where(where)
        if not deleted:
            query.conditions.append(self._table.c.deleted == 0)
        columns = [self._table.c[name] for name in names]
        statement = query.select(*columns).order_by(self._table.c.id)
        return self._database.read(lambda c: tuples(c, statement, columns))

    def count(self, where: Mapping[str, Any] = _NONE, *, deleted: bool = False) -> int:
        """Return how many records satisfy filters."""
        query = Query(self.kind)
        query.where(where)
        if not deleted:
            query.conditions.append(self._table.c.deleted == 0)
        statement = query.select(sa.func.count())
        return self._database.read(lambda c: int(c.execute(statement).scalar_one()))

    # Writing

    def create(self, **fields: Any) -> R:
        """Create a record; what is not given is empty, `uuid` made up, `state` the initial one.

        Raises:
            DuplicateRecord: a live record has that name, or any that uuid.
        """
        return self.create_many([fields])[0]

    def create_many(self, rows: Sequence[Mapping[str, Any]]) -> list[R]:
        """Create records in order, in one transaction; see `create`."""
        prepared = [self._prepared(row) for row in rows]

        def write(connection: sa.Connection) -> list[R]:
            for row in prepared:
                self._check_name(connection, row.get("name"))
            numbers = [self._insert(connection, row) for row in prepared]
            found = {r.id: r for r in self._by_number(connection, numbers)}
            records = [found[number] for number in numbers]
            for record in records:
                self._database.changed(Change(self.kind.name, "create", record))
            return records

        return self._database.write(write) if prepared else []

    def update(
        self, ident: str | int, changes: Mapping[str, Any], *, where: Mapping[str, Any] = _NONE
    ) -> R:
        """Change fields, if `where` still holds; return the record after that.

        Args:
            ident: uuid, number or name of a live record.
            changes: new values; not of `state`, for which there is `transition`.
            where: values that the record must have (a list or set: one of them).

        Raises:
            RecordNotFound: there is no such live record.
            StateConflict: it is no longer as `where` says; nothing was changed.
            DuplicateRecord: the new name belongs to another record.
            InvalidInput: a field cannot be changed this way.
        """
        wrong = sorted(_RESERVED & changes.keys())
        if wrong:
            raise InvalidInput(f"{self.kind.title}: {', '.join(wrong)} cannot be changed")
        return self._change(ident, dict(changes), where, lambda before: None)

    def transition(
        self,
        ident: str | int,
        state: str,
        *,
        expected: str | Names[str] | None = None,
        by_user: bool = False,
        where: Mapping[str, Any] = _NONE,
        **changes: Any,
    ) -> R:
        """Bring a record into a state, with other changes, in one compare-and-set.

        Args:
            ident: uuid, number or name of a live record.
            state: the new state.
            expected: the state, or one of the states, that the record must be in.
            by_user: allow only what a user may ask for.
            where: further values that the record must have.
            changes: other fields that change at the same moment.

        Raises:
            RecordNotFound: there is no such live record.
            TransitionNotAllowed: the state machine has no such move from the state it is in.
            StateConflict: it is in another state than expected, or `where` does not hold.
        """
        machine = self.kind.machine
        assert machine is not None, f"{self.kind.name} has no states"
        table = machine.by_user if by_user else machine.moves
        allowed = {old for old, after in table.items() if state in after}
        if expected is not None:
            allowed &= {expected} if isinstance(expected, str) else set(expected)

        def refuse(before: Record) -> None:
            machine.check(before.state, state, by_user=by_user)  # type: ignore[attr-defined]

        return self._change(ident, {**changes, "state": state}, {**where, "state": allowed}, refuse)

    def soft_delete(self, ident: str | int, *, where: Mapping[str, Any] = _NONE) -> R:
        """Take a record out of sight, with those that it owns; its name is free again.

        Raises:
            RecordNotFound: there is no such live record.
            TransitionNotAllowed: it is in a state in which it cannot be deleted.
            StateConflict: it is no longer as `where` says.
        """
        machine = self.kind.machine
        changes: dict[str, Any] = {"deleted_at": self._database.clock()}
        must = dict(where)
        if machine is not None:
            changes["state"] = DELETED
            must["state"] = machine.sources(DELETED)

        def refuse(before: Record) -> None:
            if machine is not None:
                machine.check(before.state, DELETED)  # type: ignore[attr-defined]

        def write(connection: sa.Connection) -> R:
            record = self._change(ident, changes, must, refuse, verb="delete")
            for kind in self._owned:
                owned = Collection(self._database, kind, self._kinds.values())
                for one in owned.find({f"{self.kind.name}_id": record.id}):
                    owned.soft_delete(one.id)
            return record

        return self._database.write(write)

    def destroy(self, ident: str | int) -> None:
        """Remove a record for good, live or soft-deleted, with the indicators of a plan.

        Raises:
            RecordNotFound: there is none.
            RecordReferenced: others refer to it.
        """

        def write(connection: sa.Connection) -> None:
            record = self.get(ident, deleted=True)
            for kind, name in self._referring:
                column = kind.table.c[f"{name}_id"]
                if connection.execute(
                    sa.select(column).where(column == record.id).limit(1)
                ).first():
                    raise RecordReferenced(self.kind.title, str(ident), kind.name)
            for kind in self._owned:
                column = kind.table.c[f"{self.kind.name}_id"]
                connection.execute(kind.table.delete().where(column == record.id))
            connection.execute(self._table.delete().where(self._table.c.id == record.id))

        self._database.write(write)

    # Behind the scenes

    def _find(self, connection: sa.Connection, ident: str | int, *, deleted: bool) -> list[R]:
        text = str(ident)
        for condition in self._identities(text):
            statement = sa.select(*self._columns).where(condition)
            if not deleted:
                statement = statement.where(self._table.c.deleted == 0)
            # Of records that had one name one after the other, the live one or the last.
            statement = statement.order_by(self._table.c.deleted != 0, self._table.c.id.desc())
            found = self._records(connection, statement, self._columns)
            if found:
                live = [record for record in found if not record.deleted]
                return live or found[:1]
        raise RecordNotFound(self.kind.title, text)

    def _identities(self, text: str) -> Iterable[sa.ColumnElement[bool]]:
        columns = self._table.c
        if "\0" in text:  # in no column, and PostgreSQL does not even compare with it
            return
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_ID:
            yield columns.id == int(text)
        if self.kind.has_uuid:
            yield columns.uuid == _canonical(text)
        if self.kind.named:
            yield columns.name == text
            if self.kind.folds_case:
                yield sa.func.lower(columns.name) == text.lower()

    def _place(
        self, connection: sa.Connection, order: Order, query: Query, marker: str | int
    ) -> tuple[Any, int]:
        column = self._table.c.uuid if self.kind.has_uuid else self._table.c.id
        bare = Query(self.kind)
        bare._from = query._from
        bare.conditions = [column == marker]
        row = connection.execute(bare.select(*order.columns())).first()
        if row is None:
            raise RecordNotFound(self.kind.title, str(marker))
        return row[0], row[1]

    def _by_number(self, connection: sa.Connection, numbers: Sequence[int]) -> list[R]:
        found: list[R] = []
        for start in range(0, len(numbers), CHUNK):
            some = numbers[start : start + CHUNK]
            statement = sa.select(*self._columns).where(among(self._table.c.id, some))
            found += self._records(connection, statement, self._columns)
        return found

    def _records(
        self,
        connection: sa.Connection,
        statement: sa.Select[Any],
        columns: Sequence[sa.Column[Any]],
        *,
        brief: bool = False,
    ) -> list[R]:
        found = rows(connection, statement, columns)
        relate(connection, self.kind, found, brief=brief)
        record = self.kind.record
        return [record(**row) for row in found]

    def _prepared(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        unknown = fields.keys() - self._table.c.keys()
        assert not unknown, f"{self.kind.name} has no {unknown}"
        empty = {c.name: None for c in self._table.c if isinstance(c.type, JsonDict | JsonList)}
        row: dict[str, Any] = {"created_at": self._database.clock(), **empty, **fields}
        if self.kind.has_uuid:
            row.setdefault("uuid", str(uuid4()))
        if self.kind.machine is not None:
            row.setdefault("state", self.kind.machine.initial)
            if row["state"] not in self.kind.machine.states:
                raise InvalidInput(f"Invalid state: {row['state']}")
        return _fitting(row)

    def _insert(self, connection: sa.Connection, row: Mapping[str, Any]) -> int:
        try:
            result = connection.execute(self._table.insert().values(**row))
        except db.DBDuplicateEntry as error:
            raise self._duplicate(row.get("name") or row.get("uuid")) from error
        key = result.inserted_primary_key
        assert key is not None
        return int(key[0])

    def _check_name(
        self, connection: sa.Connection, name: str | None, except_for: int | None = None
    ) -> None:
        """Refuse a name in use, where the database's collation or an old schema might not."""
        if name is None or not self.kind.named or not self.kind.has_uuid:
            return
        columns = self._table.c
        statement = sa.select(columns.id).where(columns.name == name, columns.deleted == 0)
        if any(number != except_for for (number,) in connection.execute(statement)):
            raise self._duplicate(name)

    def _duplicate(self, name: str | None) -> DuplicateRecord:
        return DuplicateRecord(f"{self.kind.title} with name {name} already exists.")

    def _change(
        self,
        ident: str | int,
        changes: dict[str, Any],
        where: Mapping[str, Any],
        refuse: Any,
        *,
        verb: Any = "update",
    ) -> R:
        columns = self._table.c

        def write(connection: sa.Connection) -> R:
            before = self.get(ident)
            values = _fitting({"updated_at": self._database.clock(), **changes})
            if verb == "delete":
                values["deleted"] = before.id
            if "revision" in columns:
                values["revision"] = columns.revision + 1
            if "name" in changes:
                self._check_name(connection, changes["name"], before.id)
            conditions = [columns.id == before.id, columns.deleted == 0]
            conditions += [_is(columns[name], value) for name, value in where.items()]
            try:
                done = connection.execute(self._table.update().where(*conditions).values(**values))
            except db.DBDuplicateEntry as error:
                raise self._duplicate(changes.get("name")) from error
            if done.rowcount == 0:
                self._explain(ident, where, refuse)
            (after,) = self._by_number(connection, [before.id])
            self._database.changed(Change(self.kind.name, verb, after, before))
            return after

        return self._database.write(write)

    def _explain(self, ident: str | int, where: Mapping[str, Any], refuse: Any) -> None:
        """Raise what a compare-and-set that changed nothing means."""
        found = self.get(ident)
        refuse(found)
        values = {name: getattr(found, name) for name in where}
        expected = {
            name: sorted(map(str, value)) if isinstance(value, list | set | frozenset) else value
            for name, value in where.items()
        }
        name = found.uuid if self.kind.has_uuid else ident  # type: ignore[attr-defined]
        said = ", ".join(f"{key} {value}" for key, value in values.items())
        raise StateConflict(
            f"{self.kind.title} {name} is no longer as expected but: {said}",
            expected=msgspec.to_builtins(expected),
            found=msgspec.to_builtins(values),
        )


def _canonical(text: str) -> str:
    """Return a uuid in the form in which it is kept, another text as it is."""
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _is(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    if value is None:
        return column.is_(None)
    if isinstance(value, list | set | frozenset | tuple):
        return column.in_(sorted(value))
    same: sa.ColumnElement[bool] = column == value
    return same


def _fitting(row: dict[str, Any]) -> dict[str, Any]:
    """Shorten the one text that nobody checks: it is made of other people's messages."""
    if "status_message" in row:
        row["status_message"] = shortened(row["status_message"])
    return row
