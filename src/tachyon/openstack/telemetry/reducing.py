"""Many values of one resource as one number."""

from __future__ import annotations

import numpy as np

from tachyon.graph.view.columns import F64


def reduced(values: F64, aggregate: str) -> float:
    """Return mean, min, max or count of values, those that are NaN left out.

    NaN if there is none to take the mean, the least or the greatest of.
    """
    present = values[~np.isnan(values)]
    if aggregate == "count":
        return float(present.size)
    if not present.size:
        return float("nan")
    if aggregate == "mean":
        return float(np.mean(present))
    return float(np.min(present) if aggregate == "min" else np.max(present))
