"""A workload character: performance units, joined by AND, OR and NOT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec import Struct

from tachyon.graph.view.columns import F64, Bool

#: Priorities of performance units: −20 matters most, 19 least.
WEIGHT_MOST, WEIGHT_LEAST = -20, 19

#: By TOSCA's name, what a constraint says of values (NaN compares to nothing).
CONSTRAINTS: Mapping[str, Callable[[F64, Any], Bool]] = MappingProxyType(
    {
        "equal": lambda values, bound: np.isclose(values, bound, rtol=1e-9, atol=1e-9),
        "greater_than": lambda values, bound: values > bound,
        "greater_or_equal": lambda values, bound: values >= bound,
        "less_than": lambda values, bound: values < bound,
        "less_or_equal": lambda values, bound: values <= bound,
        "in_range": lambda values, bound: (values >= bound[0]) & (values <= bound[1]),
        "valid_values": np.isin,
    }
)


class PerformanceUnit(Struct, frozen=True, kw_only=True):
    """One condition on one resource.

    Attributes:
        name: of the resource, as Nova or telemetry call it: vcpus, cpu_util, memory.usage …
        constraints: pairs of a name of `CONSTRAINTS` and its bound; all must hold.
        weight: −20 (most important) to 19.
        required: whether a missing value leaves the unit undecided; otherwise it holds then.
        unit: of the bounds, as it was written.
    """

    name: str
    constraints: tuple[tuple[str, Any], ...]
    weight: int = 0
    required: bool = True
    unit: str | None = None

    @property
    def importance(self) -> int:
        """The weight turned round: 1 (least) to 40."""
        return WEIGHT_LEAST + 1 - self.weight


class Node(Struct, frozen=True, kw_only=True):
    """A part of an expression: `unit` names a leaf; else `operator` joins `operands`."""

    operator: str = "unit"
    unit: str = ""
    operands: tuple[Node, ...] = ()


class Character(Struct, frozen=True, kw_only=True):
    """What a workload is like.

    Attributes:
        name: that it was given.
        units: performance units by name of the resource.
        expression: how they are joined.
    """

    name: str
    units: Mapping[str, PerformanceUnit]
    expression: Node
