"""Entities as rows of their tables, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from tachyon.graph.entities import KINDS, Attachment, Entity, Inventory, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_dumps = msgspec.json.Encoder().encode


def json_text(value: Any) -> str:
    """Return a value as JSON; NUL is escaped there, which PostgreSQL's texts could not hold."""
    return _dumps(value).decode()


def json_or_null(value: Any) -> str | None:
    """Return a list or mapping as JSON text, None when it is empty."""
    return _dumps(value).decode() if value else None


def microseconds(moment: datetime | None) -> int | None:
    """Return a moment as whole microseconds since the epoch."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(microseconds_: int | None) -> datetime | None:
    """Return the moment (UTC) that `microseconds` wrote."""
    return None if microseconds_ is None else _EPOCH + timedelta(microseconds=microseconds_)


def _flag(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def _json(form: Any, empty: Callable[[], Any]) -> Codec:
    loads = msgspec.json.Decoder(form).decode
    return json_or_null, lambda text: empty() if text is None else loads(text)


_MAPPING = _json(dict[str, Any], dict)
_NAMES = _json(tuple[str, ...], tuple)
_ATTACHMENTS = _json(tuple[Attachment, ...], tuple)
_FLAG: Codec = (_flag, _bool)
_MOMENT: Codec = (microseconds, moment)

#: How the fields that are no plain numbers or texts go to the database and come back.
_CODECS: dict[Kind, dict[str, Codec]] = {
    "provider": {
        "maintenance": _FLAG,
        "aggregates": _NAMES,
        "traits": _NAMES,
        "extra": _MAPPING,
    },
    "consumer": {
        "locked": _FLAG,
        "watcher_exclude": _FLAG,
        "bootable": _FLAG,
        "created_at": _MOMENT,
        "attachments": _ATTACHMENTS,
        "metadata": _MAPPING,
        "scheduler_hints": _MAPPING,
        "extra": _MAPPING,
    },
    "flavor": {"extra_specs": _MAPPING},
    "server_group": {"rules": _MAPPING},
    "host_aggregate": {"metadata": _MAPPING},
}

#: Fields that have tables of their own.
APART = {"inventories", "allocations"}


class Form(Struct, frozen=True):
    """How the entities of one kind lie in their table.

    `fields` are the table's columns after `row_id`, named and ordered as the entity's fields.
    """

    kind: Kind
    table: str
    key: str
    fields: tuple[str, ...]
    codecs: dict[str, Codec]

    @property
    def select(self) -> str:
        """Text of a query of all rows: `row_id`, then the fields."""
        return f"SELECT row_id, {', '.join(self.fields)} FROM {self.table}"

    @property
    def insert(self) -> str:
        """Text that inserts a row of `row_id` and fields, up to its VALUES."""
        return f"INSERT INTO {self.table} (row_id, {', '.join(self.fields)})"

    def encoded(self, entity: Entity, fields: Sequence[str]) -> list[Any]:
        """Return some fields of an entity as they go to the database."""
        codecs = self.codecs
        return [
            codecs[name][0](getattr(entity, name)) if name in codecs else getattr(entity, name)
            for name in fields
        ]

    def entity(self, values: Sequence[Any], **apart: Any) -> Any:
        """Return the entity of a row (without its `row_id`) and of what lies in other tables."""
        found = dict(zip(self.fields, values, strict=True))
        for name, (_, decode) in self.codecs.items():
            found[name] = decode(found[name])
        return KINDS[self.kind][0](**found, **apart)


def _form(kind: Kind) -> Form:
    entity, key = KINDS[kind]
    return Form(
        kind=kind,
        table=f"{kind}s",
        key=key,
        fields=tuple(name for name in entity.__struct_fields__ if name not in APART),
        codecs=_CODECS.get(kind, {}),
    )


FORMS: dict[Kind, Form] = {kind: _form(kind) for kind in KINDS}

#: Columns of the inventories table after `provider_id` and `resource_class`.
INVENTORY_FIELDS = Inventory.__struct_fields__


def inventory_values(inventory: Inventory) -> list[Any]:
    """Return an inventory as the values of `INVENTORY_FIELDS`."""
    return [getattr(inventory, name) for name in INVENTORY_FIELDS]
