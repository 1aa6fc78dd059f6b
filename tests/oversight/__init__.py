"""Every plan that a planner makes while tests run is replayed by the independent checker.

`watching` checks; `site/sitecustomize.py` makes each process hear of plans, those that tests start
as well. A test that makes a plan which breaks a rule on purpose says why:
`@pytest.mark.illegal_plan("…")`; it fails once it makes none.
"""
