"""From a session's net effect to a plan: ordered actions, every prefix of which is feasible."""

from tachyon.optimize.planners.actions import Action, ChangeServiceState, Migrate, Plan
from tachyon.optimize.planners.planning import make_plan

__all__ = ["Action", "ChangeServiceState", "Migrate", "Plan", "make_plan"]
