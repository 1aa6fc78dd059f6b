"""All collections of the control plane on one database: what every service works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tachyon.control.objects import (
    action,
    action_description,
    action_plan,
    audit,
    audit_template,
    efficacy_indicator,
    goal,
    scoring_engine,
    service,
    strategy,
)
from tachyon.control.objects.collection import Collection
from tachyon.control.objects.database import Database, Observer
from tachyon.control.objects.record import Kind

T = TypeVar("T")

#: Every kind; a kind comes after those that it refers to.
KINDS: tuple[Kind[Any], ...] = (
    goal.KIND,
    strategy.KIND,
    audit_template.KIND,
    audit.KIND,
    action_plan.KIND,
    action.KIND,
    efficacy_indicator.KIND,
    scoring_engine.KIND,
    service.KIND,
    action_description.KIND,
)


class Objects:
    """The collections, by the plural of their noun. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.goals = Collection(database, goal.KIND, KINDS)
        self.strategies = Collection(database, strategy.KIND, KINDS)
        self.audit_templates = Collection(database, audit_template.KIND, KINDS)
        self.audits = Collection(database, audit.KIND, KINDS)
        self.action_plans = Collection(database, action_plan.KIND, KINDS)
        self.actions = Collection(database, action.KIND, KINDS)
        self.efficacy_indicators = Collection(database, efficacy_indicator.KIND, KINDS)
        self.scoring_engines = Collection(database, scoring_engine.KIND, KINDS)
        self.services = Collection(database, service.KIND, KINDS)
        self.action_descriptions = Collection(database, action_description.KIND, KINDS)

    def close(self) -> None:
        """Release the database."""
        self.database.close()

    def observe(self, observer: Observer) -> None:
        """Call somebody with every change made through this object, once it is durable."""
        self.database.observe(observer)

    def atomically(self, work: Callable[[], T]) -> T:
        """Run calls of the collections as one transaction: all of them or none.

        `work` runs anew when the transaction loses against another one, so it must do nothing
        else that cannot be repeated.
        """
        return self.database.write(lambda _connection: work())
