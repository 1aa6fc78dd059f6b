"""Tachyon's models for stock strategies; see `benchmarks.stock_worker`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tachyon.graph.client import connect
from tachyon.optimize.stock import models
from tachyon.optimize.stock.replacement import replace_models

Acquire = Callable[[], tuple[Any, Any]]


def acquire(url: str) -> Acquire:
    """Put our models and elements in the place of Watcher's; return what opens models for an audit.

    Args:
        url: of a store or a service, which holds the cluster.
    """
    replace_models(models.ModelRoot, models.StorageModelRoot, models.BaremetalModelRoot)
    client = connect(url)

    def models_of_an_audit() -> tuple[Any, Any]:
        return (
            copy.deepcopy(models.ModelRoot(client)),
            copy.deepcopy(models.StorageModelRoot(client)),
        )

    return models_of_an_audit
