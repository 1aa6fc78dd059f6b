"""The index from providers to the consumers that hold something on them."""

from __future__ import annotations

import numpy as np

from tachyon.graph.view.columns import I64, ConsumerColumns, frozen


class Holders:
    """Consumer rows by provider row, in the order in which they were placed there.

    A compressed sparse row index (`start`, `rows`), made on first use: ~15 ms for 100,000
    consumers. Consumers placed in the same transaction stand in the order in which they came into
    the graph.
    """

    def __init__(self, consumers: ConsumerColumns, provider_rows: int) -> None:
        simple = consumers.alive & (consumers.home >= 0)
        if consumers.spread:
            simple[list(consumers.spread)] = False
        rows = np.flatnonzero(simple)
        homes = consumers.home[rows].astype(np.int64)
        if consumers.spread:
            pairs = np.array(
                [(p, row) for row, parts in consumers.spread.items() for p, _ in parts], np.int64
            ).reshape(-1, 2)
            homes = np.concatenate([homes, pairs[:, 0]])
            rows = np.concatenate([rows, pairs[:, 1]])
        order = np.lexsort((rows, consumers.position[rows], consumers.placed[rows], homes))
        self.rows: I64 = frozen(rows[order])
        counts = np.bincount(homes, minlength=provider_rows)
        self.start: I64 = frozen(np.concatenate([[0], np.cumsum(counts)]))

    def of(self, provider_row: int) -> list[int]:
        """Return the rows of the consumers that hold something on a provider."""
        found: list[int] = self.rows[
            self.start[provider_row] : self.start[provider_row + 1]
        ].tolist()
        return found

    def counts(self) -> I64:
        """Return by provider row how many consumers hold something there."""
        return np.diff(self.start)
