"""A goal and its efficacy: what a plan is judged by, computed from a session against its base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jsonschema import Draft202012Validator
from msgspec import Struct, field

from tachyon.errors import InvalidInput
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.scored import Scored
from tachyon.optimize.strategies.context import Context, Proposal

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
        focus, wanted, scored, proposals: what the strategy left in its context.
    """

    session: Session
    scope: Bool | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    focus: Bool | None = None
    wanted: Bool | None = None
    scored: Scored | None = None
    proposals: Sequence[Proposal] = ()

    @classmethod
    def of(cls, session: Session, context: Context, weights: Mapping[str, float]) -> Subject:
        """Return what is to be judged after a strategy has run in a session."""
        return cls(
            session=session,
            scope=context.scope,
            weights=weights,
            focus=context.focus,
            wanted=context.wanted,
            scored=context.scored,
            proposals=context.proposals,
        )

    def proposed(self, action_type: str, **parameters: object) -> Bool:
        """Return by consumer row who is named by proposals of a type with these parameters."""
        found = np.zeros(self.session.view.consumer_rows, np.bool_)
        for one in self.proposals:
            given = one.input_parameters
            if one.action_type == action_type and one.resource_id is not None:
                row = self.session.state.find_consumer(one.resource_id)
                fits = all(given.get(name) == value for name, value in parameters.items())
                if row is not None and row < found.size and fits:
                    found[row] = True
        return found

    def knows(self, uuid: str) -> bool:
        """Return whether a provider or a consumer is in the graph."""
        row = self.session.view.providers.index.get(uuid, -1)
        if 0 <= row < self.session.view.provider_rows and self.session.view.providers.alive[row]:
            return True
        return self.session.state.find_consumer(uuid) is not None

    def leaving(self) -> Bool:
        """Return by consumer row who leaves its host: by a move, or a migration that Nova ends."""
        before, after = self.session.view.consumers.home, self.session.homes()
        moved: Bool = (before != after) & (before >= 0) & (after >= 0)
        return moved | self.proposed("migrate")

    def of_type(self, kind: str) -> Bool:
        """Return which consumers are instances, or volumes."""
        c, codes = self.session.view.consumers, self.session.view.codes
        found: Bool = c.alive & (c.type == codes.type.find(kind))
        return found

    def migrations(self) -> int:
        """Return how many instances the plan migrates."""
        return int((self.leaving() & self.of_type("instance")).sum())

    def relieved(self) -> Bool:
        """Return which hosts of the focus the plan takes an instance from."""
        homes = self.session.view.consumers.home
        mask = np.zeros(self.session.view.provider_rows, np.bool_)
        mask[homes[self.leaving() & self.of_type("instance") & (homes >= 0)]] = True
        return mask & self.focused()

    def focused(self) -> Bool:
        """Return the hosts that the strategy found in need of a plan."""
        if self.focus is None:
            return np.zeros(self.session.view.provider_rows, np.bool_)
        return self.focus

    def asked(self) -> Bool:
        """Return the consumers that the strategy was to move."""
        if self.wanted is None:
            return np.zeros(self.session.view.consumer_rows, np.bool_)
        return self.wanted


class Goal(ABC):
    """Base of all goals (plug-ins of `tachyon.goals`).

    Names of goals, indicators and global efficacies are those that Watcher's users know.
    """

    name: ClassVar[str]
    display_name: ClassVar[str]
    indicators: ClassVar[tuple[IndicatorSpec, ...]] = ()
    #: The strategy that an audit of this goal runs where none is named; None: the first by name.
    first: ClassVar[str | None] = None

    @abstractmethod
    def values(self, subject: Subject) -> dict[str, float]:
        """Return the value of each indicator by name."""

    @abstractmethod
    def global_efficacy(self, values: Mapping[str, float]) -> list[Indicator]:
        """Return the figures that sum the indicators up."""

    def objective(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """Return by what plans for this goal are compared; the greater tuple is the better plan.

        By default the global efficacies in their order, then the fewest migrations.
        """
        return (
            *(one.value for one in self.global_efficacy(values)),
            -values.get("instance_migrations_count", 0),
        )

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


def count(name: str, description: str, *, required: bool = True) -> IndicatorSpec:
    """Return the indicator of a number of things."""
    return IndicatorSpec(name=name, description=description, schema=COUNT, required=required)


def ratio(name: str, description: str, part: float, whole: float) -> Indicator:
    """Return a global efficacy in per cent; 0 where there is nothing to count."""
    value = 100.0 * part / whole if whole else 0.0
    return Indicator(name=name, description=description, unit="%", value=value)


MIGRATIONS = count("instance_migrations_count", "Instances that the plan migrates.")
