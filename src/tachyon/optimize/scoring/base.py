"""The contract of scoring engines (spec scoring-module)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class ScoringEngine(ABC):
    """Turns features into a score (plug-ins of `tachyon.scoring_engines`).

    Attributes:
        name: unique among all engines. A new model gets a new name, so that users of the old one
            keep what they know.
        description: for people.
        metainfo: text, JSON by convention: what the features and the results are.
    """

    name: str
    description: str
    metainfo: str = ""

    @abstractmethod
    def calculate_score(self, features: str) -> str:
        """Return the score of some features, both as text (JSON by convention).

        Raises:
            InvalidInput: the features are not what the engine takes.
        """


class ScoringEngineContainer(ABC):
    """Brings in any number of engines (plug-ins of `tachyon.scoring_engine_containers`)."""

    @classmethod
    @abstractmethod
    def engines(cls) -> Sequence[ScoringEngine]:
        """Return the engines that there are now; asked anew whenever engines are listed."""
