"""Many calls at the same time, by a bounded number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tachyon.errors import CloudError

T = TypeVar("T")
R = TypeVar("R")


def gather(
    function: Callable[[T], R], items: Iterable[T], *, workers: int = 8
) -> list[R | CloudError]:
    """Return what `function` returns for each item, in their order.

    A `CloudError` stands in the place of its item: one host that could not be asked is no reason
    to throw away the others. Anything else that is raised is raised here, and what has not begun
    by then is never begun.
    """
    asked = list(items)
    if not asked:
        return []

    def call(item: T) -> R | CloudError:
        try:
            return function(item)
        except CloudError as error:
            return error

    pool = ThreadPoolExecutor(min(workers, len(asked)), thread_name_prefix="tachyon-gather")
    try:
        return list(pool.map(call, asked))
    finally:
        pool.shutdown(cancel_futures=True)


def gather_all(function: Callable[[T], R], items: Iterable[T], *, workers: int = 8) -> list[R]:
    """Return what `function` returns for each item, in their order; the first error is raised."""
    outcomes: list[R] = []
    for outcome in gather(function, items, workers=workers):
        if isinstance(outcome, CloudError):
            raise outcome
        outcomes.append(outcome)
    return outcomes
