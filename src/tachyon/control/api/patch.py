"""JSON patches (RFC 6902) as PATCH takes them: add, replace and remove on what a record shows."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from tachyon.control.api.call import Call
from tachyon.control.api.fields import Fields, check_since, wrong
from tachyon.errors import InvalidInput

_PATH = re.compile(r"^(/[\w-]+)+$(?!\n)", re.ASCII)
#: Operations in one patch; each may copy what it changes.
_MOST = 100
INTERNAL = frozenset({"created_at", "updated_at", "deleted_at", "id", "uuid", "links"})


class Operation(Struct, frozen=True):
    """One operation; `path` in segments."""

    op: Literal["add", "replace", "remove"]
    path: tuple[str, ...]
    value: Any = None

    def __str__(self) -> str:
        return f"{self.op} /{'/'.join(self.path)}"


def parse(body: Any) -> list[Operation]:
    """Return the operations of a body; raises `InvalidInput` for anything else."""
    if not isinstance(body, list):
        raise InvalidInput("Invalid input: the body must be a JSON list of patch operations.")
    if len(body) > _MOST:
        raise InvalidInput(f"Invalid input: a patch has at most {_MOST} operations.")
    return [_operation(item) for item in body]


def _operation(item: Any) -> Operation:
    if not isinstance(item, dict):
        raise InvalidInput("Invalid input: a patch operation must be a JSON object.")
    unknown = [key for key in item if key not in ("op", "path", "value")]
    if unknown:
        raise InvalidInput(" ".join(f'Unknown attribute: "{key[:255]}".' for key in unknown))
    op, path = item.get("op"), item.get("path")
    if op not in ("add", "replace", "remove"):
        raise InvalidInput(wrong("op", op, "Value should be one of: add, replace, remove."))
    if not isinstance(path, str) or len(path) > 1024 or not _PATH.match(path):
        raise InvalidInput(wrong("path", path, f"Value should match {_PATH.pattern}."))
    if op != "remove" and "value" not in item:
        raise InvalidInput("'add' and 'replace' operations need a value")
    return Operation(op, tuple(path[1:].split("/")), item.get("value"))


def apply(
    operations: list[Operation],
    document: Mapping[str, Any],
    fields: Fields,
    call: Call,
    *,
    read_only: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the new values of the fields that a patch touches.

    Args:
        operations: the patch.
        document: the values of all fields now, as JSON.
        fields: those that may be changed; a required one cannot be removed.
        call: the request.
        read_only: what is shown and cannot be changed.

    Raises:
        InvalidInput: an operation cannot be applied, or leaves a wrong value.
        NotAcceptable: a field is newer than the microversion in force.
    """
    patched = copy.deepcopy(dict(document))
    touched: dict[str, None] = {}
    for one in operations:
        name = one.path[0]
        if name in INTERNAL or name in read_only:
            raise InvalidInput(f"'/{name}' is an internal attribute and can not be updated")
        if name not in fields:
            raise _failed(one, f"{name} is not a member that can be changed")
        check_since(name, fields[name].since, call)
        if len(one.path) == 1 and fields[name].required and one.value is None:
            raise InvalidInput(f"'/{name}' is a mandatory attribute and can not be removed")
        _apply(patched, one)
        touched[name] = None
    return {name: _read(fields, name, patched.get(name), call) for name in touched}


def _read(fields: Fields, name: str, value: Any, call: Call) -> Any:
    if value is None:
        return None
    try:
        return fields[name].read(value, call)
    except ValueError as error:
        raise InvalidInput(wrong(name, value, str(error))) from None


def _apply(document: dict[str, Any], one: Operation) -> None:
    container: Any = document
    for segment in one.path[:-1]:
        container = _member(container, segment, one)
    last = one.path[-1]
    if isinstance(container, dict):
        if one.op == "add":
            container[last] = one.value
            return
        if last not in container:
            raise _failed(one, f"{last} does not exist")
        if one.op == "replace" or container is document:
            container[last] = one.value if one.op == "replace" else None
        else:
            del container[last]
    elif isinstance(container, list):
        _apply_to_list(container, last, one)
    else:
        raise _failed(one, "there is nothing below a plain value")


def _apply_to_list(container: list[Any], last: str, one: Operation) -> None:
    if one.op == "add":
        place = len(container) if last == "-" else _position(last, len(container) + 1, one)
        container.insert(place, one.value)
    elif one.op == "replace":
        container[_position(last, len(container), one)] = one.value
    else:
        del container[_position(last, len(container), one)]


def _member(container: Any, segment: str, one: Operation) -> Any:
    if isinstance(container, dict) and segment in container:
        return container[segment]
    if isinstance(container, list):
        return container[_position(segment, len(container), one)]
    raise _failed(one, f"{segment} does not exist")


def _position(segment: str, length: int, one: Operation) -> int:
    if segment.isdigit() and len(segment) < 10 and int(segment) < length:
        return int(segment)
    raise _failed(one, f"{segment} is no place in the list")


def _failed(one: Operation, reason: str) -> InvalidInput:
    return InvalidInput(f"Couldn't apply patch '{one}'. Reason: {reason}")
