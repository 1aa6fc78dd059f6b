"""Models for upstream's tests: each one that a test makes has a graph of its own."""

from __future__ import annotations

import itertools
from typing import Any

from tachyon.graph.client import connect
from tachyon.optimize.stock import models
from tachyon.optimize.stock.replacement import replace_models

_NUMBERS = itertools.count(1)


def install(graphs: str) -> None:
    """Replace Watcher's models.

    Args:
        graphs: address of `tests.interop.graphs`; `memory`: graphs in this process.
    """

    def on_a_graph(model: Any) -> Any:
        class Model(model):  # type: ignore[misc]
            def __init__(self, *args: Any, stale: bool = False, **kwargs: Any) -> None:
                if not args and not stale:
                    number = next(_NUMBERS)
                    args = (connect("sqlite://" if graphs == "memory" else f"{graphs}/{number}"),)
                super().__init__(*args, stale=stale, **kwargs)

        Model.__name__ = Model.__qualname__ = model.__name__
        return Model

    replace_models(
        on_a_graph(models.ModelRoot),
        on_a_graph(models.StorageModelRoot),
        on_a_graph(models.BaremetalModelRoot),
    )
