"""The elements of cluster models: Watcher's names, fields and behaviour, in plain fast classes.

The module can stand in for `watcher.decision_engine.model.element`.
"""

from __future__ import annotations

from tachyon.optimize.model.elements.compute_node import ComputeNode
from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.instance import Instance
from tachyon.optimize.model.elements.ironic_node import IronicNode
from tachyon.optimize.model.elements.pool import Pool
from tachyon.optimize.model.elements.storage_node import StorageNode
from tachyon.optimize.model.elements.volume import Volume

__all__ = ["ComputeNode", "Element", "Instance", "IronicNode", "Pool", "StorageNode", "Volume"]
