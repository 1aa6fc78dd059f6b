"""The parameters of `rebalance` for an instance of the ROADEF/EURO challenge 2012.

The importer keeps what the graph has no place for in a cluster file's `extra["roadef2012"]`; tests
and benchmarks hand it on with this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def challenge_parameters(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objective and the rules of an instance as parameters of `rebalance`.

    Args:
        extra: `ClusterFile.extra["roadef2012"]`.
    """
    resources = extra["resources"]
    return {
        "load_weights": {r["class"]: r["load_weight"] for r in resources},
        "transient": [r["class"] for r in resources if r["transient"]],
        "balance": extra["balance"],
        "weights": extra["weights"],
        "machine_move_costs": extra["machine_move_costs"],
        "services": extra["services"],
    }
