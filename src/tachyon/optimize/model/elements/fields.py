"""What the fields of elements hold, and how what is written to them is brought into shape.

The shapes and the errors are those of Watcher's elements (their fields are those of
oslo.versionedobjects): strategies, handlers and tests write strings, numbers and enumeration
members alike and read back one type.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

#: Default of a field that has none: it stays unset until it is written.
UNSET: Final = object()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an element.

    Attributes:
        shape: turns a value into the field's type; raises `ValueError` when it cannot.
        default: the value of an element made without one; `UNSET`: it has none.
        nullable: whether None may be written.
        text: how a value is written in XML.
    """

    shape: Callable[[Any], Any]
    default: Any = UNSET
    nullable: bool = False
    text: Callable[[Any], str] = str

    def coerce(self, name: str, value: Any) -> Any:
        """Return a value as the field holds it; raises `ValueError` naming the field."""
        try:
            shaped = None if value is None else self.shape(value)
        except (TypeError, ValueError, SyntaxError) as error:
            raise ValueError(f"field {name}: {error}") from error
        if shaped is not None or self.nullable:
            return shaped
        if self.default is not UNSET:
            return copy(self.default)
        raise ValueError(f"Field `{name}' cannot be None")


def string(**options: Any) -> Field:
    """Return a field of text; members of an enumeration are kept as they are."""
    return Field(_text, text=_plain, **options)


def whole(**options: Any) -> Field:
    """Return a field of a whole number ≥ 0."""
    return Field(_whole, **options)


def ratio(**options: Any) -> Field:
    """Return a field of a number ≥ 0."""
    return Field(_ratio, **options)


def flag(**options: Any) -> Field:
    """Return a field of a truth value."""
    return Field(_flag, **options)


def document(**options: Any) -> Field:
    """Return a field of a JSON document, given as such or as its text."""
    return Field(_document, text=_json_text, **options)


def identity(**options: Any) -> Field:
    """Return a field of an id; the empty one counts as None."""
    return Field(_identity, **options)


def moment(**options: Any) -> Field:
    """Return a field of a time; one without zone is taken as UTC."""
    return Field(_moment, **options)


def strings(**options: Any) -> Field:
    """Return a field of a list of texts."""
    return Field(_strings, **options)


def mappings(**options: Any) -> Field:
    """Return a field of a list of mappings, given as such or as Python text."""
    return Field(_mappings, **options)


def mapping(**options: Any) -> Field:
    """Return a field of a mapping."""
    return Field(_mapping, **options)


def _text(value: Any) -> Any:
    if isinstance(value, str | Enum):
        return value
    if isinstance(value, int | float | datetime):
        return str(value)
    raise ValueError(f"a string is required, not {type(value).__name__}")


def _plain(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _whole(value: Any) -> int:
    number = int(value)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def _ratio(value: Any) -> float:
    number = float(value)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


#: Texts of false. Watcher takes every text for true, its own "False" in XML among them.
_FALSE = frozenset({"", "0", "false", "no", "off", "none"})


def _flag(value: Any) -> bool:
    return value.strip().lower() not in _FALSE if isinstance(value, str) else bool(value)


def _document(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _json_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _identity(value: Any) -> str | None:
    return None if value == "" else str(value)


def _moment(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        value = ast.literal_eval(value) if value.startswith("[") else [value]
    return [str(item) for item in value]


def _mappings(value: Any) -> list[Any]:
    return list(ast.literal_eval(value) if isinstance(value, str) else value)


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = ast.literal_eval(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"a mapping is required, not {type(value).__name__}")
    return dict(value)
