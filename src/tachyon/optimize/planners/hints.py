"""Which consumers' moves have to keep their order because scheduler hints name one another."""

from __future__ import annotations

from typing import cast

from tachyon.graph.simulation import Session, rules
from tachyon.graph.simulation.filters import DifferentHostFilter, SameHostFilter

_HINTS = (DifferentHostFilter.hint, SameHostFilter.hint)


def partners(session: Session) -> dict[int, set[int]]:
    """Return by consumer row those that its hints name, and those whose hints name it."""
    memo = session.view.memo
    if "partners by hints" not in memo:
        memo["partners by hints"] = _partners(session)
    return cast("dict[int, set[int]]", memo["partners by hints"])


def _partners(session: Session) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    consumers = session.view.consumers
    for row in [r for r, text in enumerate(consumers.scheduler_hints) if text is not None]:
        named = [uuid for hint in _HINTS for uuid in rules.hinted(session.state, row, hint)]
        for other in [consumers.index[uuid] for uuid in named if uuid in consumers.index]:
            found.setdefault(row, set()).add(other)
            found.setdefault(other, set()).add(row)
    return found
