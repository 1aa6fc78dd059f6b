"""Columnar, immutable views of the graph: made from a snapshot, refreshed from the change feed."""

from tachyon.graph.view.building import build, snapshot_of
from tachyon.graph.view.columns import Metric
from tachyon.graph.view.follower import Follower
from tachyon.graph.view.refreshing import refresh, rewind
from tachyon.graph.view.view import View

__all__ = ["Follower", "Metric", "View", "build", "refresh", "rewind", "snapshot_of"]
