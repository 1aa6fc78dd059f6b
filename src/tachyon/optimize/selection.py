"""Of several strategies for one goal, take the one whose plan serves the goal best.

An audit that names only a goal runs the goal's first strategy, or all of them side by side, each
in a session of its own, and keeps the best plan by the goal's objective. Called by the `tachyon`
command and by decision engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from msgspec import Struct

from tachyon.errors import Cancelled, InvalidInput, TachyonError
from tachyon.optimize.goals.base import Goal

T = TypeVar("T")


class Selection(Struct, Generic[T], frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        strategy: the name of the one that was taken; `outcome` is what its run returned.
        objectives: of every strategy that came to an end, by name; the greatest was taken.
        refused: why others did not, by name.
    """

    strategy: str
    outcome: T
    objectives: dict[str, tuple[float, ...]]
    refused: dict[str, TachyonError]


def select(
    goal: Goal,
    runs: Mapping[str, Callable[[], T]],
    values: Callable[[T], Mapping[str, float]],
    workers: int = 2,
) -> Selection[T]:
    """Run strategies side by side and take the best outcome; the first of equals.

    Args:
        goal: whose objective counts.
        runs: by name of the strategy, in the order of preference. Each has to work in a session
            and a context of its own.
        values: returns an outcome's efficacy indicators by name.
        workers: how many run at a time.

    Raises:
        InvalidInput: there is nothing to run.
        Cancelled: one of them was.
        TachyonError: none came to an end; the first one's.
    """
    if not runs:
        raise InvalidInput(f"no strategy to run for goal {goal.name}")
    outcomes: dict[str, T] = {}
    refused: dict[str, TachyonError] = {}
    with ThreadPoolExecutor(max_workers=min(workers, len(runs))) as pool:
        futures = {name: pool.submit(run) for name, run in runs.items()}
        for name, future in futures.items():
            try:
                outcomes[name] = future.result()
            except Cancelled:
                for other in futures.values():
                    other.cancel()
                raise
            except TachyonError as error:
                # A strategy without its metrics is no reason against the others.
                refused[name] = error
    if not outcomes:
        raise next(iter(refused.values()))
    objectives = {name: goal.objective(values(outcome)) for name, outcome in outcomes.items()}
    best = max(outcomes, key=lambda name: objectives[name])
    return Selection(strategy=best, outcome=outcomes[best], objectives=objectives, refused=refused)
