"""Goals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tachyon.control.api import paging
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links, stamps
from tachyon.control.objects import Goal


def _render(call: Call, goals: Sequence[Goal]) -> list[dict[str, Any]]:
    return [_show(call, goal, full=call.detail) for goal in goals]


def _show(call: Call, goal: Goal, *, full: bool) -> dict[str, Any]:
    return {
        "uuid": goal.uuid,
        "name": goal.name,
        "display_name": goal.display_name,
        "efficacy_specification": goal.efficacy_specification,
        "links": links(call, "goals", goal.uuid),
        **(stamps(goal) if full else {}),
    }


def find(call: Call) -> Answer:
    """List goals."""
    return paging.page(call, call.objects.goals, "goals", {}, _render)


def get(call: Call) -> Answer:
    """Show a goal."""
    goal = call.objects.goals.get(call.path["goal"], deleted=call.deleted)
    return Answer(_show(call, goal, full=True))
