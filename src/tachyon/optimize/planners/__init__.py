"""From a session's net effect to a plan: a graph of actions, every way through it feasible."""

from tachyon.optimize.planners.actions import Action, Movement, Plan
from tachyon.optimize.planners.base import Planner, PlannerOptions
from tachyon.optimize.planners.weight import Weight

__all__ = ["Action", "Movement", "Plan", "Planner", "PlannerOptions", "Weight"]
