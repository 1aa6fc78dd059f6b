"""The form of an audit scope: one JSON Schema for API, command line and evaluation.

The keys are those of Watcher's collectors (its `SCHEMA`s), the draft is Watcher's, too. What
Watcher's own schemas get wrong is put right: `baremetal` is a kind, unknown keys of `exclude` are
refused for storage as they are for compute, and every entry names something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft4Validator

from tachyon.errors import ScopeInvalid

_Schema = dict[str, Any]
Rule = Mapping[str, Any]

#: Stands for all of a kind; must be alone in its list.
WILDCARD = "*"


def _object(properties: _Schema, **more: Any) -> _Schema:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        **more,
    }


def _list(items: _Schema) -> _Schema:
    return {"type": "array", "items": items}


_TEXT = {"type": "string", "minLength": 1}
_NAMES = _list(_object({"name": _TEXT}, required=["name"]))
_UUIDS = _list(_object({"uuid": _TEXT}, required=["uuid"]))
_AGGREGATES = _list(
    _object(
        {
            "id": {"oneOf": [{"type": "integer"}, {"enum": [WILDCARD]}]},
            "name": _TEXT,
            "uuid": _TEXT,
        },
        maxProperties=1,
    )
)

_RULES: dict[str, _Schema] = {
    "compute": {
        "host_aggregates": _AGGREGATES,
        "availability_zones": _NAMES,
        "exclude": _list(
            _object(
                {
                    "instances": _UUIDS,
                    "compute_nodes": _NAMES,
                    "host_aggregates": _AGGREGATES,
                    "instance_metadata": _list({"type": "object", "minProperties": 1}),
                    "projects": _UUIDS,
                }
            )
        ),
    },
    "storage": {
        "availability_zones": _NAMES,
        "volume_types": _NAMES,
        "exclude": _list(_object({"storage_pools": _NAMES, "volumes": _UUIDS, "projects": _UUIDS})),
    },
    "baremetal": {"exclude": _list(_object({"ironic_nodes": _UUIDS}))},
}

#: JSON Schema of a scope: a list of objects, each with rules for one kind of model or more.
SCHEMA: _Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    **_list(_object({kind: _list(_object(rules)) for kind, rules in _RULES.items()})),
}

_VALIDATOR = Draft4Validator(SCHEMA)


def check(scope: Any) -> list[dict[str, Any]]:
    """Return a scope in its full form: `[]` for none, the oldest form wrapped.

    Watcher once knew scopes for compute only; a list of such rules is taken as
    `[{"compute": rules}]`.

    Raises:
        ScopeInvalid: the scope does not have the form, mixes a wildcard with other entries, or
            both includes and excludes host aggregates; all places are named at once.
    """
    full = _wrapped([] if scope is None else scope)
    problems = [(_path(e.absolute_path), e.message) for e in _VALIDATOR.iter_errors(full)]
    if not problems:
        problems = list(_beyond_schema(full))
    if problems:
        raise ScopeInvalid.at(sorted(problems))
    return full  # type: ignore[no-any-return]


def _wrapped(scope: Any) -> Any:
    rules = set(_RULES["compute"])
    if (
        isinstance(scope, list)
        and scope
        and all(isinstance(entry, Mapping) and entry and rules.issuperset(entry) for entry in scope)
    ):
        return [{"compute": scope}]
    return scope


def _path(steps: Iterable[Any]) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).removeprefix(".")


def _beyond_schema(scope: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what a schema cannot say: wildcards stand alone, aggregates are not in and out."""
    for position, entry in enumerate(scope):
        for kind, rules in entry.items():
            path = f"[{position}].{kind}"
            for at, rule in enumerate(rules):
                yield from _mixed(rule, f"{path}[{at}]")
                for inner, excluded in enumerate(rule.get("exclude", ())):
                    yield from _mixed(excluded, f"{path}[{at}].exclude[{inner}]")
            included = any(rule.get("host_aggregates") for rule in rules)
            if included and any(
                excluded.get("host_aggregates")
                for rule in rules
                for excluded in rule.get("exclude", ())
            ):
                yield path, "host_aggregates can't be included and excluded together"


def _mixed(rule: Rule, path: str) -> Iterator[tuple[str, str]]:
    for key in ("host_aggregates", "availability_zones", "volume_types"):
        for field in ("id", "name"):
            named = [entry[field] for entry in rule.get(key, ()) if field in entry]
            if len(named) > 1 and WILDCARD in named:
                yield f"{path}.{key}", f"{WILDCARD!r} stands for all; no other {field} beside it"


def is_wildcard(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a list of names or ids is the wildcard."""
    return any(WILDCARD in (entry.get("id"), entry.get("name")) for entry in entries)
