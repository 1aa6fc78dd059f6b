"""The machine reassignment problem (ROADEF/EURO challenge 2012) that `rebalance` solves.

`problem.py` states it as arrays, `statement.py` makes them from a session, `state.py` judges
changes of an assignment, `search.py` searches in numpy, `islands.py` on the compiled `kernel.py`,
and `way.py` leads to what was found.
"""
