"""A goal and its efficacy: what a plan is judged by, computed from a session against its base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from jsonschema import Draft202012Validator
from msgspec import Struct

from tachyon.errors import InvalidInput
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool

COUNT = {"type": "integer", "minimum": 0}
AMOUNT = {"type": "number", "minimum": 0}


class IndicatorSpec(Struct, frozen=True, kw_only=True):
    """What an efficacy indicator is: name, meaning, unit (None: a plain number), JSON Schema."""

    name: str
    description: str
    schema: dict[str, Any]
    unit: str | None = None
    required: bool = True


class Indicator(Struct, frozen=True, kw_only=True):
    """An efficacy indicator's value for one plan."""

    name: str
    description: str
    unit: str | None
    value: float


class Subject(Struct, frozen=True, kw_only=True):
    """What a goal is judged on.

    Attributes:
        session: the session after the strategy; its base is what was before.
        scope: P; the providers that the audit is about (None: all).
        weights: the columns that the strategy looked at, with their weights.
    """

    session: Session
    scope: Bool | None = None
    weights: Mapping[str, float]


class Goal(ABC):
    """Base of all goals (plug-ins of `tachyon.goals`).

    Names of goals, indicators and global efficacies are those that Watcher's users know.
    """

    name: ClassVar[str]
    display_name: ClassVar[str]
    indicators: ClassVar[tuple[IndicatorSpec, ...]] = ()

    @abstractmethod
    def values(self, subject: Subject) -> dict[str, float]:
        """Return the value of each indicator by name."""

    @abstractmethod
    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the figures that sum the indicators up."""

    def efficacy(self, subject: Subject) -> list[Indicator]:
        """Return all indicators.

        Raises:
            InvalidInput: a value is missing or breaks its schema: a defect of goal or strategy
                that must not reach a plan.
        """
        values = self.values(subject)
        schema = {
            "type": "object",
            "properties": {spec.name: spec.schema for spec in self.indicators},
            "required": [spec.name for spec in self.indicators if spec.required],
            "additionalProperties": False,
        }
        errors = list(Draft202012Validator(schema).iter_errors(values))
        if errors:
            raise InvalidInput.at(
                [(".".join(map(str, e.absolute_path)), e.message) for e in errors]
            )
        return [
            Indicator(
                name=spec.name,
                description=spec.description,
                unit=spec.unit,
                value=values[spec.name],
            )
            for spec in self.indicators
            if spec.name in values
        ]


def migrations(session: Session) -> int:
    """Return how many consumers stand on another host than in the session's base."""
    before, after = session.view.consumers.home, session.homes()
    return int(((before != after) & (before >= 0) & (after >= 0)).sum())
