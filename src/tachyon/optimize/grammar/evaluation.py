"""Whether characters hold, for many instances at once, where not every value is known.

Kleene's three-valued logic: 1 holds, 0 does not, NaN cannot be said. `a or b` holds when a does,
whatever is not known of b.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tachyon.graph.view.columns import F64
from tachyon.optimize.grammar.character import CONSTRAINTS, Character, Node, PerformanceUnit

#: Values by name of the resource, one for each of K instances; NaN where not known.
Values = Mapping[str, F64]


def evaluate(character: Character, values: Values) -> F64:
    """Return for each of K instances whether a character holds: 1, 0, or NaN (undecided)."""
    size = _size(values)
    truths = {key: _holds(unit, values, size) for key, unit in character.units.items()}
    return _joined(character.expression, truths)


def fulfilment(character: Character, values: Values) -> F64:
    """Return for each of K instances the share of its performance units that hold, 0 to 1.

    Units count by importance (a weight of −20 forty times as much as one of 19); those that cannot
    be said are left out, and NaN stands where nothing can be said.
    """
    size = _size(values)
    held, counted = np.zeros(size), np.zeros(size)
    for unit in character.units.values():
        truth = _holds(unit, values, size)
        known = ~np.isnan(truth)
        held += np.where(known, truth, 0.0) * unit.importance
        counted += known * unit.importance
    share: F64 = np.divide(held, counted, out=np.full(size, np.nan), where=counted > 0)
    return share


def _size(values: Values) -> int:
    return next((v.size for v in values.values()), 1)


def _holds(unit: PerformanceUnit, values: Values, size: int) -> F64:
    found = values.get(unit.name)
    if found is None:
        found = np.full(size, np.nan)
    truth = np.ones(size)
    for kind, bound in unit.constraints:
        truth = truth * CONSTRAINTS[kind](found, bound)
    truth[np.isnan(found)] = np.nan if unit.required else 1.0
    return truth


def _joined(node: Node, truths: Mapping[str, F64]) -> F64:
    if node.operator == "unit":
        return truths[node.unit]
    operands = [_joined(operand, truths) for operand in node.operands]
    if node.operator == "not":
        return 1.0 - operands[0]
    table = np.stack(operands)
    # What decides alone: one false of an AND, one true of an OR.
    decisive = 0.0 if node.operator == "and" else 1.0
    found: F64 = np.where(np.isnan(table).any(axis=0), np.nan, 1.0 - decisive)
    found[(table == decisive).any(axis=0)] = decisive
    return found
