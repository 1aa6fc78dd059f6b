"""Scoring engines: plug-ins that turn features into scores, for strategies to build upon."""

from tachyon.optimize.scoring.base import ScoringEngine, ScoringEngineContainer
from tachyon.optimize.scoring.registry import Scoring

__all__ = ["Scoring", "ScoringEngine", "ScoringEngineContainer"]
