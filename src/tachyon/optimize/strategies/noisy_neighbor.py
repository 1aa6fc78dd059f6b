"""`noisy_neighbor`: part instances that take the cache from more important ones.

Spec noisy_neighbor_strategy: on a host where an important instance lost more of its last level
cache than the threshold, the least important instance that gained more than the threshold is the
noisy neighbour; it moves to a host without such a pair. How important an instance is stands in its
metadata, `watcher-priority`: the lower the number the more important, 5 where nothing is said.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.readings import Readings
from tachyon.optimize.strategies.relief import ranked

_PRIORITY = "watcher-priority"
_DEFAULT = 5.0
_NOW, _LONG = "instance_l3_cache_usage", "instance_l3_cache_usage over two periods"


class NoisyNeighbor(Strategy):
    """Move noisy neighbours to hosts without any."""

    name = "noisy_neighbor"
    display_name = "Noisy Neighbor"
    goal = "noisy_neighbor"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "cache_threshold": options.threshold(
                "Change of an instance's cache from one period to the next that counts, in per "
                "cent.",
                35.0,
                most=100.0,
            ),
            "period": options.period(100),
            "migration_limit": options.migration_limit(1),
            "minimum_gain": options.minimum_gain(
                "Least gain of a migration: the cache that the noisy instance took, in bytes."
            ),
            "missing_metrics": options.MISSING_METRICS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The cache that instances hold, over the last period and over the last two."""
        span = int(self.parameters["period"])
        return (
            MetricNeed(metric=_NOW, resource_type="instance", period=span),
            MetricNeed(metric=_NOW, resource_type="instance", period=2 * span, key=_LONG),
            *characters.needs(self.parameters),
        )

    def execute(self, session: Session, context: Context) -> None:
        """Record a move of the noisy neighbour of each host that has one, up to the limit."""
        given = self.parameters
        eligibility = self.eligibility(session, context, ("active",))
        hosts = eligibility.targets
        homes = session.homes().astype(np.int64)
        running = eligibility.running(("active",)) & hosts[homes]
        readings = Readings(self, session, context, hosts, running)
        known = running & readings.known(_NOW, _LONG)
        now = readings.of(_NOW)
        # The mean of two periods and that of the last one tell that of the one before.
        before = np.maximum(2.0 * readings.of(_LONG) - now, 0.0)
        share = given["cache_threshold"] / 100.0
        victims = known & (now < (1.0 - share) * before)
        louder = known & (now > (1.0 + share) * before)
        louder &= now - before >= given["minimum_gain"]
        # Noisy is who gained cache on a host where someone more important lost some.
        priority = priorities(session.view)
        strongest = np.full(session.view.provider_rows, np.inf)
        np.minimum.at(strongest, homes[victims], priority[victims])
        noisy = louder & (priority > strongest[homes])
        pairs = np.zeros(session.view.provider_rows, np.bool_)
        pairs[homes[noisy]] = True
        context.focus, context.wanted = pairs, noisy
        chosen = _one_of_each_host(noisy & eligibility.movable, priority, homes)
        self._part(session, context, Packer(eligibility, {}), chosen, pairs)

    def _part(
        self, session: Session, context: Context, packer: Packer, noisy: list[int], pairs: Bool
    ) -> None:
        limit = self.parameters["migration_limit"]
        view = session.view
        rank: F64 = ranked(packer, ~pairs, np.arange(view.provider_rows, dtype=float))
        made = 0
        for row in noisy:
            if limit and made >= limit:
                break
            context.step(made, limit, f"{made} migrations")
            made += packer.place(row, rank) >= 0


def _one_of_each_host(noisy: Bool, priority: F64, homes: I64) -> list[int]:
    """Return the least important of some instances on each host; ties by row."""
    rows = np.flatnonzero(noisy)
    order = rows[np.lexsort((rows, -priority[rows], homes[rows]))]
    found: list[int] = order[np.unique(homes[order], return_index=True)[1]].tolist()
    return found


def priorities(view: View) -> F64:
    """Return how important instances are by their metadata (N); lower is more important."""
    # Many instances say the same, and each text is read once.
    known: dict[str | None, float] = {None: _DEFAULT}
    found = []
    for text in view.consumers.metadata:
        priority = known.get(text)
        if priority is None:
            priority = known[text] = _priority(text or "")
        found.append(priority)
    return np.array(found)


def _priority(metadata: str) -> float:
    if _PRIORITY not in metadata:
        return _DEFAULT
    try:
        return float(msgspec.json.decode(metadata).get(_PRIORITY, _DEFAULT))
    except (TypeError, ValueError):
        # What cannot be read as a number says nothing.
        return _DEFAULT
