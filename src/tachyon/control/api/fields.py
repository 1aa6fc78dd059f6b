"""Fields of request bodies: how each is read, and every wrong one told at once.

A reader takes a JSON value and returns what the database keeps, or raises `ValueError` with the
reason. Texts of errors are those that clients of Watcher look for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from croniter import croniter
from msgspec import Struct

from tachyon.control.api.call import Call
from tachyon.control.api.versions import Version
from tachyon.errors import InvalidInput
from tachyon.graph.service.problems import NotAcceptable
from tachyon.graph.service.validation import unfit

Reader = Callable[[Any, Call], Any]

#: The largest whole number of seconds between rounds: about 68 years.
_LONGEST = 2**31 - 1
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


class Field(Struct, frozen=True, eq=False):
    """A field of a body.

    Attributes:
        read: its reader.
        schema: JSON Schema of its values, for the API's description.
        required: whether it must be there, and not null.
        since: the microversion that brought it.
    """

    read: Reader
    schema: Mapping[str, Any]
    required: bool = False
    since: Version | None = None


Fields = Mapping[str, Field]


def decode(fields: Fields, body: Any, call: Call) -> dict[str, Any]:
    """Return the values of a body by field; those that are null or left out are missing.

    Raises:
        InvalidInput: names every field that is unknown, wrong or missing.
        NotAcceptable: a field is newer than the microversion in force.
    """
    if not isinstance(body, Mapping):
        raise InvalidInput("Invalid input: the body must be a JSON object.")
    problems = [f'Unknown attribute: "{name[:255]}".' for name in body if name not in fields]
    values: dict[str, Any] = {}
    for name, one in fields.items():
        given = body.get(name)
        if name in body:
            check_since(name, one.since, call)
        if given is None:
            if one.required:
                problems.append(wrong(name, None, "Mandatory field missing."))
            continue
        try:
            values[name] = one.read(given, call)
        except ValueError as error:
            problems.append(wrong(name, given, str(error)))
    if problems:
        raise InvalidInput(" ".join(problems))
    return values


def check_since(name: str, since: Version | None, call: Call) -> None:
    """Raise `NotAcceptable` when a field is newer than the microversion in force."""
    if since is not None and call.version < since:
        raise NotAcceptable(f"Request not acceptable: {name} needs API microversion {since}.")


def wrong(name: str, value: Any, reason: str) -> str:
    """Return the sentence that tells of a wrong field."""
    return f"Invalid input for field/attribute {name}. Value: '{str(value)[:255]}'. {reason}"


def text(most: int, *, least: int = 1, lines: bool = False) -> Field:
    """Return a field of text; `lines`: it may hold line ends and tabs."""
    schema: dict[str, Any] = {"type": "string", "minLength": least, "maxLength": most}
    if not lines:
        schema["pattern"] = r"^[^\x00-\x1f\x7f]*$"
    allowed = "\n\r\t" if lines else ""

    def read(value: Any, _call: Call) -> str:
        if not isinstance(value, str):
            raise ValueError("Value should be a string.")
        if not least <= len(value) <= most:
            raise ValueError(f"Value should have {least} to {most} characters.")
        if any((c < " " or c == "\x7f") and c not in allowed for c in value):
            raise ValueError("Value should have no control characters.")
        return value

    return Field(read, schema)


def _identifier(value: Any, call: Call) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    found: str = text(255).read(value, call)
    return found


def _uuid(value: Any, _call: Call) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("Value should be a uuid.")
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("Value should be a uuid.") from None


def _boolean(value: Any, _call: Call) -> bool:
    said = str(value).lower() if isinstance(value, bool | int | str) else ""
    if said in _TRUE or said in _FALSE:
        return said in _TRUE
    raise ValueError("Value should be true or false.")


def _strict_boolean(value: Any, _call: Call) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Value should be true or false.")
    return value


def _mapping(value: Any, _call: Call) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Value should be an object.")
    for path, reason in unfit(value, "", 0):
        raise ValueError(f"{path.lstrip('.')} {reason}.".strip())
    return value


def _list(value: Any, _call: Call) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("Value should be a list.")
    for path, reason in unfit(value, "", 0):
        raise ValueError(f"{path} {reason}.".strip())
    return value


def _moment(value: Any, call: Call) -> datetime:
    """Read ISO 8601. Without a zone it is UTC since 1.8, before that the server's local time."""
    if not isinstance(value, str):
        raise ValueError("Value should be a moment in ISO 8601.")
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None and call.since(8):
            found = found.replace(tzinfo=UTC)
        found = found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("Value should be a moment in ISO 8601.") from None
    if not 1970 <= found.year <= 9998:
        raise ValueError("Value should be between the years 1970 and 9998.")
    return found


def _interval(value: Any, _call: Call) -> str:
    """Read what lies between two rounds: whole seconds, or a cron expression, as text."""
    if not isinstance(value, str) or len(value) > 255:
        raise ValueError("Value should be a string: whole seconds or a cron expression.")
    stripped = value.strip()
    if stripped.lstrip("+-").isdigit() and stripped.isascii():
        if not 0 < int(stripped[:20]) <= _LONGEST:
            raise ValueError(f"Value should be between 1 and {_LONGEST} seconds.")
        return value
    try:
        if not 5 <= len(value.split()) <= 7:
            raise ValueError
        croniter(value, datetime.now(UTC), max_years_between_matches=30).get_next()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):
        raise ValueError(
            "Value should be whole seconds, or a cron expression of 5 to 7 fields that has a "
            "next time."
        ) from None
    return value


IDENTIFIER = Field(_identifier, {"type": ["string", "integer"]})
UUID_FIELD = Field(_uuid, {"type": "string", "format": "uuid"})
BOOLEAN = Field(_boolean, {"type": ["boolean", "string", "integer"]})
STRICT_BOOLEAN = Field(_strict_boolean, {"type": "boolean"})
MAPPING = Field(_mapping, {"type": "object"})
LIST = Field(_list, {"type": "array"})
MOMENT = Field(_moment, {"type": "string", "format": "date-time"})
INTERVAL = Field(_interval, {"type": "string", "minLength": 1, "maxLength": 255})


def required(one: Field) -> Field:
    """Return the field as one that must be there."""
    return Field(one.read, one.schema, required=True, since=one.since)


def since(one: Field, minor: int) -> Field:
    """Return the field as one that came with microversion 1.`minor`."""
    return Field(one.read, one.schema, required=one.required, since=Version(1, minor))
