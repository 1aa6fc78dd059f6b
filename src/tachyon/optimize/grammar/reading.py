"""Workload characters from text: TOSCA in YAML, or a formula in one line.

Both are forms of the specification "Define grammar for workload characterization". Nova keeps at
most 255 characters of a metadata value, which a formula fits into and most YAML does not.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from tachyon.errors import InvalidInput
from tachyon.optimize.grammar.character import (
    CONSTRAINTS,
    WEIGHT_LEAST,
    WEIGHT_MOST,
    Character,
    Node,
    PerformanceUnit,
)
from tachyon.optimize.grammar.expression import SyntaxMistake, parse

#: Instances' owners write these texts; there is no need for a long one.
LENGTH_MAX = 4_000
#: The node type of a character in TOSCA.
TYPE = "watcher"

_ROOT = "tosca.nodes.Root"
_TYPES = {"integer": int, "float": float, "boolean": bool}
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")
_CONDITION = re.compile(
    r"(?P<name>[A-Za-z_][\w.\-]*)\s*(?P<operator><=|>=|==|=|<|>)\s*"
    r"(?P<value>[+-]?\d+(?:\.\d+)?)\s*(?P<unit>%|[A-Za-z][\w/]*)?\s*"
    r"(?:\[\s*(?P<weight>[+-]?\d+)\s*\])?"
)
_OPERATORS = {
    "=": "equal",
    "==": "equal",
    ">": "greater_than",
    ">=": "greater_or_equal",
    "<": "less_than",
    "<=": "less_or_equal",
}
#: What a unit is in that of the values: cores, per cent, MB of memory, GB of disk.
_SCALES = {
    "memory": {"KB": 1 / 1024, "MB": 1, "GB": 1024, "TB": 1024**2},
    "disk": {"MB": 1 / 1024, "GB": 1, "TB": 1024},
}


class _Mistakes(list[tuple[str, str]]):
    def add(self, place: str, reason: str) -> None:
        self.append((place, reason))


def read_character(text: str) -> Character:
    """Return the character that a text describes.

    Raises:
        InvalidInput: it describes none; names every place that is wrong, with the reason.
    """
    if len(text) > LENGTH_MAX:
        raise InvalidInput.at([("", f"has more than {LENGTH_MAX} characters")])
    mistakes = _Mistakes()
    content = _yaml(text)
    if isinstance(content, dict) and any(isinstance(v, dict) for v in content.values()):
        found = _tosca(content, mistakes)
    else:
        found = _formula(text, mistakes)
    if mistakes or found is None:
        raise InvalidInput.at(mistakes)
    return found


class _Loader(yaml.SafeLoader):
    """YAML without aliases, which could make a short text endless."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if f"{TYPE}:" in text:
            place = getattr(error, "problem_mark", None)
            line = "" if place is None else f"line {place.line + 1}"
            reason = getattr(error, "problem", None) or str(error)
            raise InvalidInput.at([(line, f"is no YAML: {reason}")]) from error
        return None


# TOSCA


def _tosca(content: dict[Any, Any], mistakes: _Mistakes) -> Character | None:
    name, body = TYPE, content
    if len(content) == 1 and TYPE not in content:
        # A named character holds the node type: cpu_bound_workload: {watcher: …}.
        ((key, inner),) = content.items()
        if isinstance(inner, dict) and TYPE in inner:
            name, body = str(key), inner
    node = body.get(TYPE)
    if not isinstance(node, dict):
        mistakes.add("", f"has no node type {TYPE}")
        return None
    for key in node:
        if key not in ("derived_from", "description", "properties"):
            mistakes.add(f"{TYPE}.{key}", "is not known here")
    if node.get("derived_from") != _ROOT:
        mistakes.add(f"{TYPE}.derived_from", f"is not {_ROOT}")
    properties = node.get("properties")
    if not isinstance(properties, dict) or not properties:
        mistakes.add(f"{TYPE}.properties", "names no property")
        return None
    units = {str(n): _unit(str(n), rule, mistakes) for n, rule in properties.items()}
    expression = _described(node.get("description"), units, mistakes)
    return Character(name=name, units=units, expression=expression)


def _described(description: Any, units: dict[str, PerformanceUnit], mistakes: _Mistakes) -> Node:
    """Return the expression; without a description, all units joined by AND."""
    if description is None:
        leaves = tuple(Node(unit=name) for name in units)
        return leaves[0] if len(leaves) == 1 else Node(operator="and", operands=leaves)
    place = f"{TYPE}.description"

    def leaf(text: str, at: int) -> str:
        name = text[1:-1].strip()
        if text[:1] != "{" or text[-1:] != "}":
            raise SyntaxMistake(at, f"expected a name in braces, found {text!r}")
        if name not in units:
            raise SyntaxMistake(at, f"{name!r} is no property")
        return name

    if not isinstance(description, str):
        mistakes.add(place, f"is no text, but {description!r}")
        return Node()
    try:
        return parse(description, leaf)
    except SyntaxMistake as mistake:
        mistakes.add(place, str(mistake))
        return Node()


def _unit(name: str, rule: Any, mistakes: _Mistakes) -> PerformanceUnit:
    place = f"{TYPE}.properties.{name}"
    if _NAME.fullmatch(name) is None:
        mistakes.add(place, "is no name of a resource")
    if not isinstance(rule, dict):
        mistakes.add(place, f"is no mapping, but {rule!r}")
        rule = {}
    for key in rule:
        if key not in ("required", "weight", "type", "constraints", "description"):
            mistakes.add(f"{place}.{key}", "is not known here")
    required = rule.get("required", True)
    if not isinstance(required, bool):
        mistakes.add(f"{place}.required", f"is neither true nor false, but {required!r}")
    kind = rule.get("type", "integer")
    if kind not in _TYPES:
        mistakes.add(f"{place}.type", f"{kind!r} is not one of {', '.join(_TYPES)}")
    return PerformanceUnit(
        name=name,
        weight=_weight(rule.get("weight", 0), f"{place}.weight", mistakes),
        required=bool(required),
        constraints=_constraints(rule.get("constraints"), f"{place}.constraints", mistakes),
    )


def _weight(weight: Any, place: str, mistakes: _Mistakes) -> int:
    whole = isinstance(weight, int) and not isinstance(weight, bool)
    if not whole or not WEIGHT_MOST <= weight <= WEIGHT_LEAST:
        mistakes.add(place, f"{weight!r} is no whole number from {WEIGHT_MOST} to {WEIGHT_LEAST}")
        return 0
    return int(weight)


def _constraints(given: Any, place: str, mistakes: _Mistakes) -> tuple[tuple[str, Any], ...]:
    if not isinstance(given, list) or not given:
        mistakes.add(place, "is no list of constraints")
        return ()
    found: list[tuple[str, Any]] = []
    for number, one in enumerate(given):
        here = f"{place}[{number}]"
        if not isinstance(one, dict) or len(one) != 1:
            mistakes.add(here, f"is no single constraint, but {one!r}")
            continue
        ((kind, bound),) = one.items()
        if kind not in CONSTRAINTS:
            mistakes.add(here, f"{kind!r} is not one of {', '.join(CONSTRAINTS)}")
        elif not _is_bound(kind, bound):
            mistakes.add(f"{here}.{kind}", f"{bound!r} is no bound of it")
        else:
            found.append((str(kind), bound))
    return tuple(found)


def _is_bound(kind: str, bound: Any) -> bool:
    if kind == "in_range":
        return isinstance(bound, list) and len(bound) == 2 and all(map(_is_number, bound))
    if kind == "valid_values":
        return isinstance(bound, list) and bool(bound) and all(map(_is_number, bound))
    return _is_number(bound)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


# Formulas


def _formula(text: str, mistakes: _Mistakes) -> Character | None:
    """Read `name: vcpus = 2 Cores OR cpu_util > 90 % [-5]`; name and weights may be left out."""
    head = re.match(r"\s*([A-Za-z_][\w\-]*)\s*(?::|=(?=\s*\())\s*", text)
    name, start = ("workload", 0) if head is None else (head[1], head.end())
    units: dict[str, PerformanceUnit] = {}

    def leaf(condition: str, at: int) -> str:
        found = _CONDITION.fullmatch(condition)
        if found is None:
            raise SyntaxMistake(start + at, f"expected RESOURCE OPERATOR VALUE, not {condition!r}")
        key = found["name"]
        scale = _scale(key, found["unit"])
        if scale is None:
            raise SyntaxMistake(start + at, f"{found['unit']} is no unit of {key}")
        if key in units:
            # A resource may be asked about twice (a range): each condition is a unit of its own.
            key = f"{key}#{len(units)}"
        units[key] = PerformanceUnit(
            name=found["name"],
            constraints=((_OPERATORS[found["operator"]], float(found["value"]) * scale),),
            weight=_weight(int(found["weight"] or 0), f"character {start + at}", mistakes),
            unit=found["unit"],
        )
        return key

    try:
        expression = parse(text[start:], leaf)
    except SyntaxMistake as mistake:
        mistakes.add("", str(mistake))
        return None
    return Character(name=name, units=units, expression=expression)


def _scale(resource: str, unit: str | None) -> float | None:
    """Return what a unit is in that of the resource's values; None where it is none of its."""
    kind = resource.partition(".")[0]
    scales = _SCALES.get(kind)
    if unit is None or scales is None or "io" in resource:
        return 1.0
    return scales.get(unit.upper())
