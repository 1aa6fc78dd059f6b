"""The OpenAPI 3.1 document of the API, made from the route table and the fields of bodies."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import msgspec

from tachyon import __version__
from tachyon.control.api.paging import PAGING
from tachyon.control.api.routes import ROUTES, Route
from tachyon.control.api.versions import HEADER, MAXIMUM, SERVICE

_PATCH = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "additionalProperties": False,
        "properties": {
            "op": {"enum": ["add", "replace", "remove"]},
            "path": {"type": "string", "pattern": r"^(/[A-Za-z0-9_-]+)+$"},
            "value": {},
        },
    },
}
_ERROR = {
    "type": "object",
    "required": ["error_message"],
    "properties": {"error_message": {"type": "string", "description": "JSON in a string."}},
}
_ERRORS = {
    "400": "Something in the request is wrong.",
    "401": "There is no valid token.",
    "403": "The policy does not allow this.",
    "404": "What the path names does not exist.",
    "405": "The path has no such method.",
    "406": "The microversion does not know this, or there is no such microversion.",
    "409": "The state of the object, or its name, does not allow this.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "503": "The database or another service does not answer.",
}
_QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1},
    "sort_dir": {"enum": ["asc", "desc"]},
}


@cache
def document() -> bytes:
    """Return the document as JSON."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "infra-optim API",
                "version": str(MAXIMUM),
                "description": f"Watcher's API, served by Tachyon {__version__}.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": {"Error": _ERROR},
                "securitySchemes": {
                    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
                },
            },
        }
    )


def _operation(route: Route) -> dict[str, Any]:
    text = inspect.getdoc(route.handler) or ""
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": text.split("\n", 1)[0],
        "description": f"{text}\n\nSince microversion 1.{route.since}.",
        "parameters": [
            *_path_parameters(route),
            *_query_parameters(route),
            {
                "name": HEADER,
                "in": "header",
                "description": f"`{SERVICE} {MAXIMUM}`, or `{SERVICE} latest`.",
                "schema": {"type": "string"},
            },
        ],
        "responses": {str(route.status): _answer(route)},
    }
    for status, reason in _ERRORS.items():
        operation["responses"].setdefault(
            status,
            {
                "description": reason,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        )
    if route.policy is not None:
        operation["security"] = [{"token": []}]
        operation["description"] += f" Policy: {route.policy}."
    if route.body != "none":
        operation["requestBody"] = {
            "required": route.body == "json",
            "content": {"application/json": {"schema": _body(route)}},
        }
    return operation


def _answer(route: Route) -> dict[str, Any]:
    if route.status in (202, 204):
        return {"description": "Done."}
    kind = ["array", "object"] if route.path.endswith("/state") else "object"
    return {"description": "Done.", "content": {"application/json": {"schema": {"type": kind}}}}


def _body(route: Route) -> dict[str, Any]:
    if route.method == "PATCH":
        return _PATCH
    if route.fields is None:
        return {"type": "object"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in route.fields.items() if field.required],
        "properties": {
            name: field.schema if field.required else {"anyOf": [field.schema, {"type": "null"}]}
            for name, field in route.fields.items()
        },
    }


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in names
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "description": "" if name in PAGING or not minor else f"Since 1.{minor}.",
            "schema": _QUERY.get(name, {"type": "string"}),
        }
        for name, minor in route.query.items()
    ]
