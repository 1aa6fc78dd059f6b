"""Which datasource answers for a metric: an order of preference, with the next one on an error.

The decision engine opens one `Datasources` and asks it for all that a strategy needs (`gather`);
`GET /v1/strategies/…/state` asks for its `state`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from msgspec import Struct, field

from tachyon.errors import CloudError
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64
from tachyon.openstack.telemetry.datasource import Datasource, Query, Series, SeriesQuery
from tachyon.openstack.telemetry.metrics import ResourceType
from tachyon.openstack.telemetry.resources import Resources

LOG = logging.getLogger(__name__)


class Need(Protocol):
    """What a strategy needs to know; its own kind of need has at least these."""

    @property
    def name(self) -> str:
        """Under which the answer is kept."""

    @property
    def metric(self) -> str:
        """A name of `METRICS`."""

    @property
    def resource_type(self) -> Any:
        """Of what: a name of `RESOURCE_TYPES`."""

    @property
    def aggregate(self) -> str:
        """A name of `AGGREGATES`."""

    @property
    def period(self) -> float:
        """Seconds."""

    @property
    def granularity(self) -> float:
        """Seconds."""


class Gathered(Struct, kw_only=True):
    """The answers to a list of needs.

    Attributes:
        values: by need, a float for each provider row (or consumer row, of instances) of the view;
            NaN where there is no value.
        sources: by need, the datasource that gave them; None where none had any.
        failures: by datasource, why it could not be asked.
    """

    values: dict[str, F64] = field(default_factory=dict)
    sources: dict[str, str | None] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


class Datasources:
    """Datasources in their order of preference."""

    def __init__(self, datasources: Sequence[Datasource]) -> None:
        self.datasources = tuple(datasources)

    def gather(self, view: View, needs: Iterable[Need]) -> Gathered:
        """Ask for all needs: one query of one datasource for each, as long as all goes well.

        A metric is asked of the first datasource that has it. If that cannot be asked, or has not
        one value, the next one is; a datasource that could not be asked is left alone for the rest.

        Raises:
            InvalidInput: a need is none that a query can be made of.
        """
        found = Gathered()
        of_type: dict[ResourceType, Resources] = {}
        answered: dict[tuple[Any, ...], tuple[F64, str | None]] = {}
        for need in needs:
            query = Query(
                metric=need.metric,
                aggregate=need.aggregate,
                period=need.period,
                granularity=need.granularity,
            )
            kind: ResourceType = need.resource_type
            if kind not in of_type:
                of_type[kind] = Resources(view, kind)
            key = (query, kind)
            if key not in answered:
                answered[key] = self._ask(query, of_type[kind], found.failures)
            found.values[need.name], found.sources[need.name] = answered[key]
        return found

    def _ask(
        self, query: Query, resources: Resources, failures: dict[str, str]
    ) -> tuple[F64, str | None]:
        for one in self.datasources:
            if one.name in failures or not one.supports(query.metric):
                continue
            try:
                values = one.statistic_aggregation(query, resources)
            except CloudError as error:
                LOG.warning("datasource %s could not be asked: %s", one.name, error)
                failures[one.name] = str(error)
                continue
            if not np.isnan(values).all():
                return resources.by_row(values), one.name
        return resources.by_row(np.full(len(resources), np.nan)), None

    def series(self, query: SeriesQuery, resources: Resources) -> Series:
        """Return series of the first datasource that has a value; all NaN if none has.

        Raises:
            CloudError: none of those that have the metric could be asked.
        """
        failure: CloudError | None = None
        empty: Series | None = None
        for one in self.datasources:
            if not one.supports(query.metric):
                continue
            try:
                found = one.statistic_series(query, resources)
            except CloudError as error:
                LOG.warning("datasource %s could not be asked: %s", one.name, error)
                failure = error
                continue
            if not np.isnan(found.values).all():
                return found
            empty = found
        if empty is None and failure is not None:
            raise failure
        times = query.times
        return empty or Series(times=times, values=np.full((len(resources), times.size), np.nan))

    def state(self, metrics: Sequence[str]) -> Mapping[str, Any]:
        """Return what `strategy state` tells: the datasource for some metrics, and which it has.

        Returns:
            `datasource` (the first that has all of them in its map, and answers; else the first
            that has any; None), `available` (whether it answers), `metrics` (by the database's
            names, whether each is there).
        """
        candidates = [one for one in self.datasources if all(map(one.supports, metrics))]
        candidates += [one for one in self.datasources if any(map(one.supports, metrics))]
        for one in candidates:
            if one.check_availability():
                return {
                    "datasource": one.name,
                    "available": True,
                    "metrics": self._metrics(one, metrics),
                }
        name = candidates[0].name if candidates else None
        return {"datasource": name, "available": False, "metrics": dict.fromkeys(metrics, False)}

    @staticmethod
    def _metrics(one: Datasource, metrics: Sequence[str]) -> dict[str, bool]:
        try:
            there = one.list_metrics()
        except CloudError:
            there = set()
        found = {}
        for metric in metrics:
            name = one.names.get(metric)
            shown = name if isinstance(name, str) else metric
            found[shown] = name is not None and (shown in there or shown.startswith("instance."))
        return found
