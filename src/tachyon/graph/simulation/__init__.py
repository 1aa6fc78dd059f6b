"""What-if sessions over a view: deltas, metrics, destinations, evaluation, commit, registry."""

from tachyon.graph.simulation.comparison import Comparison, compare
from tachyon.graph.simulation.destinations import Destinations, Refusal
from tachyon.graph.simulation.evaluation import Evaluation
from tachyon.graph.simulation.metrics import ClassMetrics
from tachyon.graph.simulation.session import Session

__all__ = [
    "ClassMetrics",
    "Comparison",
    "Destinations",
    "Evaluation",
    "Refusal",
    "Session",
    "compare",
]
