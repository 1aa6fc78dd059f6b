"""What all records have, and what a collection has to know of a kind of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import sqlalchemy as sa
from msgspec import Struct

from tachyon.control.objects.states import StateMachine


class Record(Struct, frozen=True, kw_only=True):
    """A row as Python sees it. `deleted` is 0 while it is live, its `id` afterwards."""

    id: int
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted: int = 0


class Reference(Struct, frozen=True):
    """What lists show of a record that others refer to; stands for the record in them."""

    id: int
    deleted: int
    uuid: str
    name: str | None = None


R = TypeVar("R", bound=Record)


class Kind(Struct, Generic[R], frozen=True, eq=False, kw_only=True):
    """One kind of records.

    Attributes:
        name: as in the path of the API, in the singular: "action_plan".
        title: as in messages for people: "Action plan".
        table: its rows.
        record: its type.
        relations: kinds that its rows refer to, by the record's field; the column is `<field>_id`.
        named: whether a name tells its live rows apart.
        folds_case: whether names are looked up without regard to case.
        machine: of kinds with a state.
        unlisted: columns that brief lists leave out; the record's fields have defaults.
        owner: the kind with whose rows these die; the column is `<owner>_id`.
    """

    name: str
    title: str
    table: sa.Table
    record: type[R]
    relations: Mapping[str, Kind[Any]] = {}
    named: bool = False
    folds_case: bool = False
    machine: StateMachine | None = None
    unlisted: frozenset[str] = frozenset()
    owner: str | None = None

    @property
    def has_uuid(self) -> bool:
        """Whether rows have a uuid beside their number."""
        return "uuid" in self.table.c


class Change(Struct, frozen=True):
    """What observers are told, after the transaction that made it is durable.

    `before` is the record as it was, None for one that is new.
    """

    kind: str
    verb: Literal["create", "update", "delete"]
    record: Record
    before: Record | None = None
