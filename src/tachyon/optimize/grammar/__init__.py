"""What a workload is like, as its owner says in the instance's metadata, and whether it holds."""

from __future__ import annotations

from tachyon.optimize.grammar.character import Character, PerformanceUnit
from tachyon.optimize.grammar.evaluation import evaluate, fulfilment
from tachyon.optimize.grammar.instances import Characters, characters_of
from tachyon.optimize.grammar.reading import read_character

__all__ = [
    "Character",
    "Characters",
    "PerformanceUnit",
    "characters_of",
    "evaluate",
    "fulfilment",
    "read_character",
]
