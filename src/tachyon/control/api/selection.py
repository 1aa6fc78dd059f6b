"""What requests name: goals, strategies and audits by uuid, name or number."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tachyon.control.api.call import Call
from tachyon.control.objects import Goal, Strategy
from tachyon.errors import InvalidInput, RecordNotFound

#: No row has this number, so a filter by it finds nothing.
_NOBODY = 0


def uuid_of(text: str, what: str) -> str:
    """Return a canonical uuid; raises `InvalidInput` for other texts."""
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidInput(f"Expected a uuid for {what} but received {text[:255]}.") from None


def filters(call: Call, *names: str) -> dict[str, Any]:
    """Return the conditions that `goal` and `strategy` of a query make; unknown: nothing."""
    found: dict[str, Any] = {}
    for name in names:
        said = call.query.get(name)
        if said is None:
            continue
        collection: Any = call.objects.goals if name == "goal" else call.objects.strategies
        try:
            found[f"{name}_id"] = collection.get(said, deleted=True).id
        except RecordNotFound:
            found[f"{name}_id"] = _NOBODY
    return found


def check_strategy(call: Call, goal: Goal, strategy: Strategy | None) -> None:
    """Raise `InvalidInput` unless a strategy, if there is one, serves a goal."""
    if strategy is None or strategy.goal_id == goal.id:
        return
    choices = [s.name for s in call.objects.strategies.find({"goal_id": goal.id})]
    raise InvalidInput(
        f"'{strategy.name}' strategy does not serve the '{goal.name}' goal. Possible choices: "
        f"{', '.join(choices) or 'none'}"
    )
