"""The rows of GET /v1/data_model: the graph as flat tables, one for each kind of model.

Values come column by column from a view and meet in records only when rows are made, so that
20,000 rows take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tachyon.control.api.data_model import baremetal, compute, storage
from tachyon.graph.view import View
from tachyon.optimize.scope import Kind, ScopeMask

Rows = Sequence[msgspec.Struct]

#: What makes the rows of a kind of model from the part of a view that a scope lets through.
TABLES: Mapping[Kind, Callable[[View, ScopeMask], Rows]] = {
    "compute": compute.rows,
    "storage": storage.rows,
    "baremetal": baremetal.rows,
}

__all__ = ["TABLES", "Rows", "compute"]
