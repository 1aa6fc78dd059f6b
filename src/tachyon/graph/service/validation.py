"""From what came over the wire to checked, typed calls, naming every wrong field at once.

The fast path is msgspec's typed decoding. Only when that fails, the body is decoded as plain
values and held against the JSON Schema of the same type (Draft 2020-12), which goes on after the
first error. Parts that msgspec finds right are not looked at again, so a large body with one
mistake costs little more than a right one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

import msgspec

from tachyon.errors import InvalidInput
from tachyon.graph import mutations as m
from tachyon.graph.entities import Consumer, ResourceProvider, Text
from tachyon.graph.service import bodies
from tachyon.graph.service.bodies import Query
from tachyon.graph.service.routes import ROUTES, Route
from tachyon.graph.service.schema_errors import wrong_fields
from tachyon.graph.service.schemas import BODIES

#: Errors that one answer names at most.
MOST = 100
#: How deep free values (metadata, extra …) may be nested.
DEEPEST = 32

Problems = Iterator[tuple[str, str]]

_JSON = {r.operation: msgspec.json.Decoder(r.body) for r in ROUTES if r.body is not None}
_MSGPACK = {r.operation: msgspec.msgpack.Decoder(r.body) for r in ROUTES if r.body is not None}


def decode_body(route: Route, body: bytes, media: str) -> Any:
    """Return a body as the type of its route; `media` is "json" or "msgpack".

    Raises:
        InvalidInput: names every wrong field, up to `MOST` of them.
    """
    decoder: Any = (_JSON if media == "json" else _MSGPACK)[route.operation]
    try:
        decoded = decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise _explain(route, body, media, error) from None
    refuse(_free_values(decoded))
    return decoded


def _explain(route: Route, body: bytes, media: str, error: Exception) -> InvalidInput:
    if isinstance(error, RecursionError):
        return InvalidInput.at([("", "is nested too deeply")])
    if not isinstance(error, msgspec.ValidationError):
        return InvalidInput.at([("", f"is not {media}: {error}")])
    try:
        plain = msgspec.json.decode(body) if media == "json" else msgspec.msgpack.decode(body)
        problems = list(islice(wrong_fields(plain, BODIES[route.operation]), MOST))
    except (ValueError, RecursionError):
        problems = []
    return InvalidInput.at(problems or [told(error)])


def told(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return the path and the reason in the message of a decoder."""
    reason, _, path = str(error).partition(" - at `$")
    return path.rstrip("`").lstrip("."), reason


def refuse(problems: Problems) -> None:
    """Raise `InvalidInput` when there are problems."""
    found = list(islice(problems, MOST))
    if found:
        raise InvalidInput.at(found)


_QUERY = {r.operation: {f.encode_name: f for f in msgspec.structs.fields(r.query)} for r in ROUTES}


def decode_query(route: Route, pairs: Sequence[tuple[str, str]]) -> Query:
    """Return the query of a route.

    Raises:
        InvalidInput: names every parameter that is unknown, wrong, missing or given twice.
    """
    fields = _QUERY[route.operation]
    if not pairs and not fields:
        return _NO_QUERY
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    values: dict[str, Any] = {}

    def problems() -> Problems:
        for name in given:
            if name not in fields:
                yield f"query.{name[:255]}", "is not known here"
        for name, f in fields.items():
            texts = given.get(name)
            if texts is None:
                if f.required:
                    yield f"query.{name}", "is required"
                continue
            many = getattr(f.type, "__origin__", None) is list
            if not many and len(texts) > 1:
                yield f"query.{name}", "is given more than once"
                continue
            try:
                values[name] = msgspec.convert(texts if many else texts[0], f.type, strict=False)
            except (msgspec.ValidationError, OverflowError) as error:
                yield f"query.{name}", str(error).partition(" - at")[0]

    refuse(problems())
    return route.query(**values)


_NO_QUERY = Query()


def check_path(path: Mapping[str, str]) -> None:
    """Check that every name in a path is one that an entity could have.

    Raises:
        InvalidInput: names every one that is not.
    """

    def problems() -> Problems:
        for name, value in path.items():
            try:
                msgspec.convert(value, Text)
            except msgspec.ValidationError as error:
                yield f"path.{name}", str(error)

    refuse(problems())


#: Fields that hold entities, and fields that hold whatever the caller likes.
_INSIDE: dict[type[Any], tuple[str, ...]] = {
    bodies.Transaction: ("mutations",),
    bodies.Synchronisation: ("cluster",),
    m.Synchronise: ("cluster",),
    m.Cluster: ("providers", "consumers"),
    m.PutProvider: ("provider",),
    m.PutConsumer: ("consumer",),
}
_FREE: dict[type[Any], tuple[str, ...]] = {
    ResourceProvider: ("extra",),
    m.PatchProvider: ("extra",),
    bodies.ProviderPatch: ("extra",),
    Consumer: ("metadata", "scheduler_hints", "extra"),
    m.PatchConsumer: ("metadata", "scheduler_hints", "extra"),
    bodies.ConsumerPatch: ("metadata", "scheduler_hints", "extra"),
}


def _free_values(part: Any, path: str = "") -> Problems:
    """Yield what no JSON text could keep of the free values in a body."""
    cls = type(part)
    for name in _FREE.get(cls, ()):
        value = getattr(part, name)
        if value and value is not msgspec.UNSET:
            yield from unfit(value, f"{path}{name}", 0)
    for name in _INSIDE.get(cls, ()):
        value = getattr(part, name)
        if not isinstance(value, list):
            yield from _free_values(value, f"{path}{name}.")
            continue
        for position, item in enumerate(value):
            yield from _free_values(item, f"{path}{name}[{position}].")


def unfit(value: Any, path: str, depth: int) -> Problems:
    """Yield (path, reason) of what no JSON text could keep, and of what is nested too deeply."""
    if depth > DEEPEST:
        yield path, f"is nested more than {DEEPEST} levels deep"
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield path, f"has a key that is no string: {str(key)[:40]}"
                continue
            yield from unfit(item, f"{path}.{key[:255]}", depth + 1)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from unfit(item, f"{path}[{position}]", depth + 1)
    elif isinstance(value, float):
        if not isfinite(value):
            yield path, f"is {value}, which JSON has no number for"
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            yield path, "is a whole number of more than 64 bits"
    elif value is not None and not isinstance(value, str):
        yield path, f"is a {type(value).__name__}, which JSON has no value for"
