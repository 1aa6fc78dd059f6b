"""The contract of datasources: one query for a metric over all resources of a type.

A datasource answers with arrays beside the resources; what it has no value for is NaN. It raises
`CloudError` when it could not be asked at all, and then another one is asked (`selection`).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from msgspec import Struct

from tachyon.errors import InvalidInput
from tachyon.graph.view.columns import F64, I64
from tachyon.openstack.telemetry.metrics import AGGREGATES, METRICS
from tachyon.openstack.telemetry.requester import Requester
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

#: Names in a metric map that stand for what the model itself knows; nothing is asked for them.
MODEL_MEMORY = "instance.memory"
MODEL_DISK = "instance.disk"


class Query(Struct, frozen=True, kw_only=True):
    """One metric, reduced to one number for each resource.

    Attributes:
        metric: a name of `METRICS`.
        aggregate: mean, min, max or count of the values in the period.
        period: seconds back from now.
        granularity: seconds between two values.
    """

    metric: str
    aggregate: str = "mean"
    period: float = 300
    granularity: float = 300

    def __post_init__(self) -> None:
        """Raise `InvalidInput` with all that is wrong."""
        problems = []
        if self.metric not in METRICS:
            problems.append(("metric", f"{self.metric!r} is not one of {', '.join(METRICS)}"))
        if self.aggregate not in AGGREGATES:
            problems.append(
                ("aggregate", f"{self.aggregate!r} is not one of {', '.join(AGGREGATES)}")
            )
        if not self.period > 0:
            problems.append(("period", "is not above 0"))
        if not self.granularity > 0:
            problems.append(("granularity", "is not above 0"))
        if problems:
            raise InvalidInput.at(problems)


class SeriesQuery(Struct, frozen=True, kw_only=True):
    """One metric over a stretch of time.

    Attributes:
        start, end: in seconds since 1970 (UTC); values lie in [start, end).
        granularity: seconds between two values.
    """

    metric: str
    start: float
    end: float
    granularity: float = 300

    def __post_init__(self) -> None:
        """Raise `InvalidInput` with all that is wrong."""
        problems = []
        if self.metric not in METRICS:
            problems.append(("metric", f"{self.metric!r} is not one of {', '.join(METRICS)}"))
        if not self.start < self.end:
            problems.append(("start", "is not before the end"))
        if not self.granularity > 0:
            problems.append(("granularity", "is not above 0"))
        elif self.start < self.end and (self.end - self.start) / self.granularity > 1_000_000:
            problems.append(("granularity", "makes more than 1,000,000 values of the period"))
        if problems:
            raise InvalidInput.at(problems)

    @property
    def times(self) -> F64:
        """T; the moments that values are told for, from `start` on."""
        found: F64 = np.arange(self.start, self.end, self.granularity, dtype=np.float64)
        return found


class Series(Struct, frozen=True, kw_only=True):
    """Values of K resources at T moments.

    Attributes:
        times: T; seconds since 1970 (UTC).
        values: K × T; NaN where there is none.
    """

    times: F64
    values: F64


#: A label of one resource with its value, or with the moments and values of its series.
Value = tuple[str, float]
Points = tuple[str, "F64 | list[float]", "F64 | list[float]"]


class Datasource(ABC):
    """Base of all datasources (plug-ins of `tachyon.datasources`).

    Args:
        names: the metric map of this one: how its database calls each metric. What is not in it,
            the datasource does not have.

    Attributes:
        name: that of the entry point, and of the options and metric maps that concern it.
        default_names: the metric map where nobody says otherwise.
    """

    name: ClassVar[str]
    default_names: ClassVar[Mapping[str, Any]]

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = {metric: name for metric, name in names.items() if name is not None}

    @classmethod
    @abstractmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Datasource:
        """Return the datasource as the options say; nothing is asked yet.

        Raises:
            ConfigurationError: an option is missing or wrong.
        """

    def verify(self) -> None:  # noqa: B027 - most have nothing to find out
        """Find out at start-up whether the datasource exists; by default nothing is asked.

        Raises:
            CloudError: it does not, or cannot be asked now.
        """

    def supports(self, metric: str) -> bool:
        """Tell whether the metric map has a metric."""
        return self.names.get(metric) is not None

    @abstractmethod
    def check_availability(self) -> bool:
        """Tell whether the datasource answers now."""

    @abstractmethod
    def list_metrics(self) -> set[str]:
        """Return the names of the metrics that its database has now.

        Raises:
            CloudError: it could not be asked.
        """

    def statistic_aggregation(self, query: Query, resources: Resources) -> F64:
        """Return one number for each resource (K), in the metric's unit; NaN: no value.

        Raises:
            CloudError: the datasource could not be asked.
            InvalidInput: it does not have the metric.
        """
        name = self._name(query.metric)
        known = _of_model(name, resources)
        if known is not None:
            return known
        values = resources.align(self._values(query, name, resources))
        if query.aggregate == "count":
            return values
        return _plausible(query.metric, self._converted(query.metric, values, resources))

    def statistic_series(self, query: SeriesQuery, resources: Resources) -> Series:
        """Return the values of all resources over time, in the metric's unit.

        A value stands at the moment of `query.times` at or before it.

        Raises:
            CloudError: the datasource could not be asked.
            InvalidInput: it does not have the metric.
        """
        name = self._name(query.metric)
        times = query.times
        table = np.full((len(resources), times.size), np.nan)
        known = _of_model(name, resources)
        if known is not None:
            table[:] = known[:, None]
            return Series(times=times, values=table)
        for label, moments, values in self._points(query, name, resources):
            at = resources.find(label)
            if at >= 0:
                found = np.asarray(values, np.float64)
                places: I64 = np.floor(
                    (np.asarray(moments, np.float64) - query.start) / query.granularity
                ).astype(np.int64)
                inside = (places >= 0) & (places < times.size)
                table[at, places[inside]] = found[inside]
        table = self._converted(query.metric, table, resources)
        return Series(times=times, values=_plausible(query.metric, table))

    def _name(self, metric: str) -> Any:
        name = self.names.get(metric)
        if name is None:
            raise InvalidInput(f"datasource {self.name} has no metric {metric}", metric=metric)
        return name

    @abstractmethod
    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        """Yield (label, value) of whatever resources there are."""

    @abstractmethod
    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        """Yield (label, moments, values) of whatever resources there are."""

    def _converted(self, metric: str, values: F64, resources: Resources) -> F64:
        """Return values (K or K × T) in the metric's unit; by default the database's is that."""
        return values


class HttpDatasource(Datasource):
    """Base of the datasources that are asked over HTTP.

    Args:
        names: metric names.
        requester: of the server.
        clock: the time, in seconds since 1970.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        requester: Requester,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(names)
        self.requester = requester
        self._clock = clock


def share_of_vcpus(cores: F64, resources: Resources) -> F64:
    """Return busy cores (K or K × T) in % of each instance's VCPUs; without VCPUs, of one."""
    vcpus = np.fmax(resources.held("VCPU"), 1.0)
    return 100.0 * cores / (vcpus if cores.ndim == 1 else vcpus[:, None])


def _of_model(name: Any, resources: Resources) -> F64 | None:
    if name == MODEL_MEMORY:
        return resources.held("MEMORY_MB")
    if name == MODEL_DISK:
        return resources.root_disks()
    return None


def _plausible(metric: str, values: F64) -> F64:
    """Return the values without infinity, and shares of a processor within 0 and 100 %."""
    values = np.where(np.isfinite(values), values, np.nan)
    if METRICS[metric].unit == "%":
        # Counters that are read at uneven moments give a little more than all, or less than none.
        values = np.clip(values, 0.0, 100.0)
    return values
