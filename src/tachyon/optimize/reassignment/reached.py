"""How what the search finds is brought about: the cheapest placement that moves lead to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import I64
from tachyon.optimize.planners.ordering import Step, order_moves
from tachyon.optimize.reassignment.shortcuts import without_stops
from tachyon.optimize.reassignment.state import State
from tachyon.optimize.reassignment.statement import Statement
from tachyon.optimize.reassignment.way import Way

#: The ways that are tried in turn until one leads to all: whether they are strict, how often each
#: instance may be sent around, and what share of the time that is left they leave at least. Those
#: after the first try moves in an order that is drawn; the second is tried even without time.
_WAYS = ((False, 1, 0.45), (True, 1, 0.75), (False, 2, 0.75), (False, 1, 0.75), (False, 2, 0.75))
#: What share of a way stops must be that are worth being looked for.
_STOPS = 0.05


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
        left: returns the share of the time that is left.
    """
    problem = statement.problem
    away = np.flatnonzero(best != problem.start)
    wanted = [(int(statement.rows[i]), int(statement.hosts[best[i]])) for i in away.tolist()]
    steps = order_moves(session.fork(), wanted, {}, set())
    if steps is not None:
        return _led(session, statement, steps, strict=False)
    found: list[Reached] = []
    for attempt, (strict, detours, after) in enumerate(_WAYS):
        over = partial(_later, left, after * left())
        way = _way(session, statement, strict=strict, detours=detours)
        rng = np.random.default_rng(attempt) if attempt else None
        found.append(_led(session, statement, way.to(best, over, rng), strict=strict))
        # A way that may break rules can be cut short where some are broken, a strict one nowhere.
        if (found[-1].place == best).all() or (left() <= 0.0 and attempt):
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
    way = _way(session, statement, strict=reached.strict)
    way.follow(reached.steps)
    steps = way.to(best, partial(_later, left, left() / 2))
    on = _led(session, statement, steps, strict=reached.strict)
    return min(reached, on, key=lambda one: one.cost)


def _led(session: Session, statement: Statement, steps: list[Step], *, strict: bool) -> Reached:
    """Return where steps lead, without the stops that are not needed."""
    problem = statement.problem
    at = {row: k for k, row in enumerate(statement.rows.tolist())}
    hops = [(at[row], int(statement.at[target])) for row, target in steps]
    place = problem.start.copy()
    for one, host in hops:
        place[one] = host
    if len(steps) * (1.0 - _STOPS) > np.count_nonzero(place != problem.start):
        way = _way(session, statement, strict=strict)
        fewer = [
            (int(statement.rows[one]), int(statement.hosts[host]))
            for one, host in without_stops(problem, hops, way.most, strict=strict)
        ]
        # What is judged there is room; other rules may need a stop.
        if way.follow(fewer):
            steps = fewer
    return Reached(State(problem, place).cost, steps, strict, place)


def _way(session: Session, statement: Statement, *, strict: bool, detours: int = 1) -> Way:
    replay, problem = session.fork(), statement.problem
    return Way(replay, problem, statement.rows, statement.hosts, strict=strict, detours=detours)


def _later(left: Callable[[], float], share: float) -> bool:
    """Tell whether no more than a share of the time is left."""
    return left() <= share
