"""Watcher's cluster models on Tachyon: the same calls, on the graph or on a session of it."""

from __future__ import annotations

from tachyon.optimize.model.adapter import TachyonNetworkXAdapter
from tachyon.optimize.model.baremetal import TachyonBaremetalModel
from tachyon.optimize.model.compute import TachyonClusterModel
from tachyon.optimize.model.exceptions import OWN, Exceptions
from tachyon.optimize.model.storage import TachyonStorageModel

__all__ = [
    "OWN",
    "Exceptions",
    "TachyonBaremetalModel",
    "TachyonClusterModel",
    "TachyonNetworkXAdapter",
    "TachyonStorageModel",
]
