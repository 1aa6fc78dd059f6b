"""Parameters of strategies in requests: each set is held against its strategy's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tachyon.control.objects import Strategy
from tachyon.errors import InvalidInput, ParametersInvalid
from tachyon.optimize.parameters import filled


def complete(strategy: Strategy | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an audit's parameters with the strategy's defaults; raises `InvalidInput`."""
    if strategy is None:
        if given:
            raise InvalidInput("Specify parameters but no predefined strategy for audit.")
        return {}
    return _checked(strategy, given, "parameters", strategy.parameters_spec)


def check_defaults(strategy: Strategy | None, given: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` unless a template's parameters are some of the strategy's."""
    if strategy is None:
        if given:
            raise InvalidInput("Invalid default_parameters for strategy: there is no strategy")
        return
    some = {k: v for k, v in strategy.parameters_spec.items() if k != "required"}
    _checked(strategy, given, "default_parameters", some)


def _checked(
    strategy: Strategy, given: Mapping[str, Any], what: str, spec: Mapping[str, Any]
) -> dict[str, Any]:
    unknown = sorted(given.keys() - spec.get("properties", {}).keys())
    if unknown:
        raise InvalidInput(
            f"Invalid {what} for strategy: {', '.join(n[:255] for n in unknown)} are not allowed "
            f"for strategy {strategy.name}"
        )
    try:
        return filled(spec, given)
    except ParametersInvalid as error:
        raise InvalidInput(f"Invalid {what} for strategy: {error.message[:1000]}") from error
