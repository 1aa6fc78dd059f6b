"""What is reached of a placement of the challenge where no time is left to go around."""

from __future__ import annotations

import numpy as np

from tachyon.graph.importers.roadef2012 import read_roadef2012
from tachyon.graph.simulation import Session
from tachyon.optimize.planners.ordering import order_moves
from tachyon.optimize.reassignment.challenge import challenge_parameters
from tachyon.optimize.reassignment.islands import Islands
from tachyon.optimize.reassignment.reached import reach
from tachyon.optimize.reassignment.state import State
from tachyon.optimize.reassignment.statement import Statement
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.rebalance import Rebalance
from tests.optimize.clusters import view_of
from tests.reassignment.test_rebalance import model_of
from tests.reassignment.test_state import iter_left


def test_where_no_time_is_left_whoever_can_go_directly_goes() -> None:
    """On a2_4 moves wait for each other; those that do not are no less worth making."""
    content = read_roadef2012(model_of("a2_4"))
    session = Session(view_of(content))
    given = challenge_parameters(content.extra["roadef2012"])
    statement = Statement(Rebalance({**given, "time_limit": 60.0}), session, Context())
    problem = statement.problem
    search = Islands(problem, np.random.default_rng(1), iter_left(20), 2)
    search.run()
    away = np.flatnonzero(search.best != problem.start).tolist()
    wanted = [(int(statement.rows[i]), int(statement.hosts[search.best[i]])) for i in away]
    assert order_moves(session.fork(), wanted, {}, set()) is None
    reached = reach(session, statement, search.best, lambda: 0.0)
    start = State(problem).cost
    assert reached.strict
    assert reached.cost == State(problem, reached.place).cost
    # A tenth of what the whole placement gains, at the least.
    assert start - reached.cost > (start - search.best_cost) / 10
