"""JSON Schemas (Draft 2020-12) of everything on the wire, made from the types themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

import msgspec

from tachyon.graph.service import bodies
from tachyon.graph.service.routes import ROUTES
from tachyon.graph.view import View, wire

PREFIX = "#/components/schemas/"

_NDARRAY = {"description": "An array, in JSON as a list (of lists)."}


def _hook(_cls: type[Any]) -> dict[str, Any]:
    return _NDARRAY


def _wire_type(cls: Any) -> Any:
    return wire.Document if cls is View else cls


def _collect() -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, type[Any]]]:
    """Return schemas of bodies by operation, component schemas, and the types of components."""
    types = [route.body for route in ROUTES if route.body is not None]
    answers = [_wire_type(route.response) for route in ROUTES if route.response is not None]
    queries = [route.query for route in ROUTES]
    found, components = msgspec.json.schema_components(
        [*types, *answers, bodies.ErrorDocument, *queries],
        schema_hook=_hook,
        ref_template=PREFIX + "{name}",
    )
    named = _named_types([*types, *answers])
    for name, cls in named.items():
        _add_formats(components.get(name, {}), cls)
    with_body = [route.operation for route in ROUTES if route.body is not None]
    return dict(zip(with_body, found, strict=False)), components, named


def _named_types(roots: list[Any]) -> dict[str, type[Any]]:
    """Return every struct that can be reached from some types, by name."""
    found: dict[str, type[Any]] = {}
    stack = list(roots)
    while stack:
        cls = stack.pop()
        stack.extend(get_args(cls))
        if isinstance(cls, type) and issubclass(cls, msgspec.Struct) and cls.__name__ not in found:
            found[cls.__name__] = cls
            stack.extend(f.type for f in msgspec.structs.fields(cls))
    return found


def _add_formats(schema: dict[str, Any], cls: type[Any]) -> None:
    """Name the format of moments, which the library leaves out where a zone is not required."""
    for f in msgspec.structs.fields(cls):
        if f.type is datetime or datetime in get_args(f.type):
            place = schema["properties"][f.encode_name]
            for one in place.get("anyOf", [place]):
                if one.get("type") == "string":
                    one["format"] = "date-time"


BODIES, COMPONENTS, TYPES = _collect()


def schema_of(cls: Any) -> dict[str, Any]:
    """Return the schema of an answer's type, as a reference where it has a name."""
    cls = _wire_type(cls)
    if isinstance(cls, type) and cls.__name__ in COMPONENTS:
        return {"$ref": PREFIX + cls.__name__}
    (schema,), _ = msgspec.json.schema_components([cls], ref_template=PREFIX + "{name}")
    return schema
