"""Parameters of strategies: checked against a JSON Schema, defaults filled in.

The schema is the one description of a strategy's parameters: this module, the control plane's API
and the documentation all read it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from tachyon.errors import ParametersInvalid


def filled(schema: Mapping[str, Any], parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters with the schema's defaults for those not given, at every depth.

    Args:
        schema: JSON Schema of an object; every property that may be left out has a `default`.
        parameters: what the caller gave; it is not changed.

    Raises:
        ParametersInvalid: they break the schema; all places are named at once.
    """
    values = copy.deepcopy(dict(parameters or {}))
    _fill(schema, values)
    errors = sorted(
        Draft202012Validator(schema).iter_errors(values),
        key=lambda e: (list(map(str, e.absolute_path)), e.message),
    )
    if errors:
        raise ParametersInvalid.at(
            [(".".join(map(str, e.absolute_path)), e.message) for e in errors]
        )
    return values


def _fill(schema: Mapping[str, Any], values: dict[str, Any]) -> None:
    for name, rule in schema.get("properties", {}).items():
        if name not in values and "default" in rule:
            values[name] = copy.deepcopy(rule["default"])
        if isinstance(values.get(name), dict):
            _fill(rule, values[name])
