"""Turn what the JSON decoder says of a bad file into the place that its author can look up.

msgspec counts bytes and leaves out the keys of objects (`$.consumers[3].allocations[...]`). Here
bytes become line and column, and the keys are found by trying.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

_BYTE = re.compile(r" ?\(byte (\d+)\)$")
_PLACE = re.compile(r" - at (?:`key` in )?`([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")

#: A step from a JSON value to one in it; None is a key that is not known.
Step = str | int | None


def line_and_column(data: bytes, message: str) -> tuple[str, str]:
    """Return (place, reason) of a syntax error; columns count characters, both from 1."""
    found = _BYTE.search(message)
    reason = message[: found.start()] if found else message
    position = int(found.group(1)) if found else len(data)
    if "trailing" in reason:
        position -= 1  # the decoder has gone past the first of them
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start <= position:
            position, reason = error.start, "the text is not UTF-8"
    if not data.strip():
        return "line 1, column 1", "the file is empty"
    before = data[:position]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return f"line {line}, column {column}", reason


def wrong_field(data: bytes, kind: Any, message: str) -> tuple[str, str]:
    """Return (JSON path, reason) of a value that does not fit its field in type `kind`."""
    found = _PLACE.search(message)
    reason = message[: found.start()] if found else message
    is_key = found is not None and "`key` in" in found.group(0)
    path: list[Step] = [
        name or (int(index) if index else None)
        for name, index, _ in _STEP.findall(found.group(1) if found else "")
    ]
    if is_key:
        path.append(None)
    if None in path:
        # What cannot be decoded without types either (1e999) keeps its unnamed keys.
        with contextlib.suppress(msgspec.DecodeError):
            _name_keys(msgspec.json.decode(data), kind, path, reason)
    if is_key:
        reason = f"as a key: {reason}"
    return "$" + "".join(_written(step) for step in path), reason


def _written(step: Step) -> str:
    if step is None:
        return "[...]"
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def _name_keys(document: Any, kind: Any, path: list[Step], reason: str) -> None:
    """Replace each unknown key in `path` by the first one that alone gives the same error."""
    for position in range(len(path)):
        if path[position] is not None:
            continue
        for key in _at(document, path[:position]):
            path[position] = key
            if _fails(_reduced(document, path[: position + 1]), kind, reason):
                break
        else:
            path[position] = None
            return


def _at(document: Any, path: Sequence[Step]) -> Any:
    for step in path:
        document = document[step]
    return document


def _reduced(value: Any, path: Sequence[Step]) -> Any:
    """Return `value` without the siblings along `path` that could be wrong as well.

    Lists shrink to the one entry, and so does the object that the last step names a key of; other
    objects are kept, because a record needs its fields.
    """
    if not path:
        return value
    step, rest = path[0], path[1:]
    inner = _reduced(value[step], rest)
    if isinstance(value, list):
        return [inner]
    return {step: inner} if not rest else {**value, step: inner}


def _fails(document: Any, kind: Any, reason: str) -> bool:
    try:
        msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        return str(error).startswith(reason)
    return False
