"""The OpenAPI 3.1 document of the API, made from the route table and the types' schemas."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import msgspec

from tachyon import __version__
from tachyon.graph.entities import Text
from tachyon.graph.service.bodies import ErrorDocument
from tachyon.graph.service.routes import ROUTES, Route
from tachyon.graph.service.schemas import BODIES, COMPONENTS, schema_of
from tachyon.graph.view import View

#: Which errors any call can meet, and what they mean.
_ERRORS = {
    "400": "Something in the request is wrong; `details.errors` names every place.",
    "401": "There is no valid token.",
    "403": "The caller's roles do not allow this.",
    "404": "Something that the path or the body names does not exist.",
    "405": "The path has no such method.",
    "406": "The answer is JSON or MessagePack, and neither is accepted.",
    "409": "The state of the graph or of the session does not allow this.",
    "410": "It existed, and is past.",
    "413": "The body is too large.",
    "415": "The body is neither JSON nor MessagePack.",
    "429": "A bound on sessions, deltas or candidates is reached.",
    "503": "The store cannot be reached.",
}
_GENERATION = {
    "Tachyon-Generation": {
        "description": "The generation of the graph that the answer speaks of.",
        "schema": {"type": "integer", "minimum": 0},
    }
}


@cache
def document() -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Tachyon API",
                "version": __version__,
                "description": "The cluster graph and what-if sessions on top of it.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "paths": _paths(),
            "components": {
                "schemas": COMPONENTS,
                "securitySchemes": {
                    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
                },
            },
        }
    )


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    text = inspect.getdoc(route.handler) or ""
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": text.split("\n", 1)[0],
        "description": text,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_guards(route)],
        "responses": {
            str(route.status): _response(route),
            **{status: _error(reason) for status, reason in _ERRORS.items()},
        },
    }
    if route.policy != "public":
        operation["security"] = [{"token": []}]
        operation["description"] += f"\n\nPolicy: graph:{route.policy}."
    if route.operation == "snapshot":
        operation["responses"]["304"] = {"description": "The graph is still at that generation."}
    if route.body is not None:
        schema = BODIES[route.operation]
        operation["requestBody"] = {
            "required": not route.optional,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _response(route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done.", "headers": _GENERATION}
    if route.response is None:
        schema: dict[str, Any] = {"type": "null"}
    else:
        schema = schema_of(route.response)
    media: dict[str, Any] = {"application/json": {"schema": schema}}
    if route.response is View:
        # In MessagePack an array is its bytes, which JSON Schema has no word for.
        media["application/msgpack"] = {}
    return {**answer, "content": media}


def _error(reason: str) -> dict[str, Any]:
    content = {"application/json": {"schema": schema_of(ErrorDocument)}}
    return {"description": reason, "content": content}


def _schema(cls: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([cls])
    return schema


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": _schema(Text)} for name in names
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": f.encode_name, "in": "query", "required": f.required, "schema": _schema(f.type)}
        for f in msgspec.structs.fields(route.query)
    ]


def _guards(route: Route) -> list[dict[str, Any]]:
    if not route.guarded:
        return []
    return [
        {
            "name": "If-Match",
            "in": "header",
            "description": "The generation that the entity (or the graph) must still have.",
            "schema": {"type": "string", "pattern": '^"?[0-9]{1,18}"?$'},
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "description": "`*`: the entity must not exist.",
            "schema": {"type": "string", "enum": ["*"]},
        },
    ]
