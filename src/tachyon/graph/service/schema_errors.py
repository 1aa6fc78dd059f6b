"""Every way in which plain values break a JSON Schema, as paths and reasons for people.

jsonschema does the walking (Draft 2020-12). Four keywords are taken over: references go by the
types behind them (`$ref`), a union is judged by the one member that was meant (`anyOf`), and types
and formats know what MessagePack can carry (`type`, `format`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, ValidationError, validators

from tachyon.graph.service.schemas import COMPONENTS, PREFIX, TYPES

Errors = Iterator[ValidationError]
Schema = dict[str, Any]

_NAMES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def wrong_fields(value: Any, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the path and the reason of every way in which a value breaks a schema."""
    seen: set[tuple[str, str]] = set()
    for error in _Validator(schema).iter_errors(value):
        for path, reason in _described(error):
            if (path, reason) not in seen:
                seen.add((path, reason))
                yield path, reason


def _described(error: ValidationError) -> Iterator[tuple[str, str]]:
    path = _path(error.absolute_path)
    keyword: Any = error.validator
    bound: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    if keyword == "required":
        for name in bound:
            if name not in value:
                yield _below(path, name), "is required"
    elif keyword == "additionalProperties":
        known = schema.get("properties", {})
        for name in value:
            if name not in known:
                yield _below(path, name), "is not known here"
    elif keyword in _REASONS:
        yield path, _REASONS[keyword](bound)
    else:
        yield path, error.message[:300]


_REASONS: dict[str, Callable[[Any], str]] = {
    "enum": lambda bound: f"must be one of {', '.join(map(str, bound))}",
    "minLength": lambda bound: f"must have at least {bound} characters",
    "maxLength": lambda bound: f"must have at most {bound} characters",
    "pattern": lambda bound: f"must match {bound}",
    "minimum": lambda bound: f"must be at least {bound}",
    "maximum": lambda bound: f"must be at most {bound}",
    "exclusiveMinimum": lambda bound: f"must be greater than {bound}",
    "exclusiveMaximum": lambda bound: f"must be less than {bound}",
    "minItems": lambda bound: f"must have at least {bound} items",
    "maxItems": lambda bound: f"must have at most {bound} items",
}


def _path(parts: Any) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _below(path, part)
    return path


def _below(path: str, name: Any) -> str:
    return f"{path}.{str(name)[:255]}" if path else str(name)[:255]


def _kind(value: Any) -> str:
    """Return the JSON type of a plain value; others (binary, extensions) by their Python name."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else type(value).__name__


def _accepts(schema: Schema, value: Any) -> bool:
    """Tell whether a schema is for values of this type at all."""
    if "$ref" in schema:
        schema = COMPONENTS[schema["$ref"].removeprefix(PREFIX)]
    if "anyOf" in schema:
        return any(_accepts(one, value) for one in schema["anyOf"])
    if "enum" in schema:
        return any(_kind(one) == _kind(value) for one in schema["enum"])
    if "type" not in schema:
        return True
    wanted, kind = schema["type"], _kind(value)
    return (
        kind == wanted
        or (kind == "integer" and wanted == "number")
        or (isinstance(value, datetime) and schema.get("format") == "date-time")
    )


def _wanted(schema: Schema) -> str:
    if "$ref" in schema:
        return "an object"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_wanted(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    return _NAMES.get(schema.get("type", ""), "something else")


def _type(_validator: Any, _wanted_type: Any, value: Any, schema: Schema) -> Errors:
    if not _accepts({k: v for k, v in schema.items() if k in ("type", "format")}, value):
        name = _NAMES.get(_kind(value), f"a {_kind(value)}")
        yield ValidationError(f"must be {_wanted(schema)}, not {name}")


def _format(_validator: Any, wanted: Any, value: Any, _schema: Schema) -> Errors:
    if wanted == "date-time" and isinstance(value, str):
        try:
            msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            yield ValidationError("must be a moment as in RFC 3339")


def _ref(validator: Any, ref: Any, value: Any, _schema: Schema) -> Errors:
    name = ref.removeprefix(PREFIX)
    cls = TYPES[name]
    try:
        msgspec.convert(value, cls)
    except (msgspec.ValidationError, RecursionError) as error:
        failure = error
    else:
        return
    found = False
    for problem in validator.descend(value, COMPONENTS[name]):
        found = True
        yield problem
    if not found:
        yield ValidationError(str(failure).partition(" - at")[0])


def _any_of(validator: Any, members: Any, value: Any, schema: Schema) -> Errors:
    discriminator = schema.get("discriminator")
    if discriminator is not None and isinstance(value, dict):
        yield from _tagged(validator, discriminator, value)
        return
    fitting = [one for one in members if _accepts(one, value)]
    if not fitting:
        yield ValidationError(
            f"must be {_wanted(schema)}, not {_NAMES.get(_kind(value), f'a {_kind(value)}')}"
        )
    elif not any(validator.evolve(schema=one).is_valid(value) for one in fitting[1:]):
        yield from validator.descend(value, fitting[0])


def _tagged(validator: Any, discriminator: Schema, value: dict[str, Any]) -> Errors:
    name, members = discriminator["propertyName"], discriminator["mapping"]
    tag = value.get(name)
    ref = members.get(tag) if isinstance(tag, str) else None
    if ref is not None:
        yield from _ref(validator, ref, value, {})
    elif name in value:
        yield ValidationError(f"must be one of {', '.join(members)}", path=[name])
    else:
        yield ValidationError(f"is required: one of {', '.join(members)}", path=[name])


def _property_names(validator: Any, schema: Any, value: Any, _schema: Schema) -> Errors:
    if isinstance(value, dict):
        for name in value:
            for problem in validator.descend(name, schema):
                reason = next(_described(problem), ("", problem.message))[1]
                yield ValidationError(f"as a name {reason}", path=[name])


_extend: Callable[..., Any] = validators.extend
_Validator = _extend(
    Draft202012Validator,
    {
        "$ref": _ref,
        "anyOf": _any_of,
        "type": _type,
        "format": _format,
        "propertyNames": _property_names,
    },
)
