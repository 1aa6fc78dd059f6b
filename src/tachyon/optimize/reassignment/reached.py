"""How what the search finds is brought about: the cheapest placement that moves lead to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import I64
from tachyon.optimize.planners.ordering import Step, order_moves
from tachyon.optimize.reassignment.problem import Problem
from tachyon.optimize.reassignment.state import State
from tachyon.optimize.reassignment.statement import Statement
from tachyon.optimize.reassignment.way import Way


class Reached(NamedTuple):
    """Steps that lead to a placement (N), what it costs, and whether they lead there strictly."""

    cost: float
    steps: list[Step]
    strict: bool
    place: I64


def reach(session: Session, statement: Statement, best: I64, left: Callable[[], float]) -> Reached:
    """Return how a placement is reached, or the cheapest one on the way to it.

    Args:
        session: the state before all moves.
        statement: of that state.
        best: N; the placement.
        left: returns the share of the time that is left, of which ways around take half at
            the most.
    """
    problem = statement.problem
    away = np.flatnonzero(best != problem.start)
    wanted = [(int(statement.rows[i]), int(statement.hosts[best[i]])) for i in away.tolist()]
    steps = order_moves(session.fork(), wanted, {}, set())
    if steps is not None:
        return _led(statement, steps, strict=False)
    found: list[Reached] = []
    for strict in (False, True):
        way = Way(session.fork(), problem, statement.rows, statement.hosts, strict=strict)
        steps = way.to(best, partial(_later, left, 0.75 * left()))
        found.append(_led(statement, steps, strict=strict))
        if (found[-1].place == best).all() or left() <= 0.0:
            break
    return min(found, key=lambda one: one.cost)


def reach_on(
    session: Session,
    statement: Statement,
    reached: Reached,
    best: I64,
    left: Callable[[], float],
) -> Reached:
    """Return how to go on to another placement from one that is reached, if that is cheaper."""
    way = Way(
        session.fork(), statement.problem, statement.rows, statement.hosts, strict=reached.strict
    )
    way.follow(reached.steps)
    steps = way.to(best, partial(_later, left, left() / 2))
    return min(reached, _led(statement, steps, strict=reached.strict), key=lambda one: one.cost)


def one_by_one(problem: Problem) -> Problem:
    """Return the problem without the moves that only many at once could make.

    Of a server group that stands apart on every host there is, nobody can go first.
    """
    count = np.bincount(problem.service, minlength=problem.services)
    full = count >= problem.most * problem.hosts
    return replace(problem, movable=problem.movable & ~full[problem.service])


def _led(statement: Statement, steps: list[Step], *, strict: bool) -> Reached:
    place = statement.problem.start.copy()
    at = {row: k for k, row in enumerate(statement.rows.tolist())}
    for row, target in steps:
        place[at[row]] = statement.at[target]
    return Reached(State(statement.problem, place).cost, steps, strict, place)


def _later(left: Callable[[], float], share: float) -> bool:
    """Tell whether no more than a share of the time is left."""
    return left() <= share
