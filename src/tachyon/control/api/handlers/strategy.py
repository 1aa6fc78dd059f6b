"""Strategies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tachyon.control.api import paging, selection
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links, reference
from tachyon.control.objects import Strategy


def _render(call: Call, strategies: Sequence[Strategy]) -> list[dict[str, Any]]:
    return [_show(call, strategy, full=call.detail) for strategy in strategies]


def _show(call: Call, strategy: Strategy, *, full: bool) -> dict[str, Any]:
    return {
        "uuid": strategy.uuid,
        "name": strategy.name,
        "display_name": strategy.display_name,
        **reference(call, "goal", strategy.goal),
        "links": links(call, "strategies", strategy.uuid),
        **({"parameters_spec": strategy.parameters_spec} if full else {}),
    }


def find(call: Call) -> Answer:
    """List strategies, of all goals or of one."""
    where = selection.filters(call, "goal")
    return paging.page(call, call.objects.strategies, "strategies", where, _render)


def get(call: Call) -> Answer:
    """Show a strategy."""
    strategy = call.objects.strategies.get(call.path["strategy"], deleted=call.deleted)
    return Answer(_show(call, strategy, full=True))


def state(call: Call) -> Answer:
    """Show what a strategy needs, and whether it is there."""
    strategy = call.objects.strategies.get(call.path["strategy"])
    return Answer(call.services.engine.get_strategy_info(strategy_name=strategy.name))
