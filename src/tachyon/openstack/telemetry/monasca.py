"""Monasca: one request for statistics, grouped by the dimension that names hosts or instances.

The API is Monasca's v2.0 (`GET /v2.0/metrics/statistics`), answered in pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tachyon.errors import CloudError
from tachyon.openstack.telemetry.datasource import HttpDatasource, Points, Query, SeriesQuery, Value
from tachyon.openstack.telemetry.reducing import reduced
from tachyon.openstack.telemetry.requester import Requester
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

_STATISTICS = {"mean": "avg", "min": "min", "max": "max", "count": "count"}


class Monasca(HttpDatasource):
    """Monasca.

    Args:
        names: metric names.
        requester: of the service of type `monitoring`.
        instance_dimension: the dimension that names an instance, by uuid or name.
        clock: the time, in seconds since 1970.
    """

    name: ClassVar[str] = "monasca"
    default_names: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "host_cpu_usage": "cpu.percent",
            "instance_cpu_usage": "vm.cpu.utilization_norm_perc",
            "instance_ram_usage": "vm.mem.resident_mb",
            "instance_ram_allocated": "vm.mem.total_mb",
        }
    )

    def __init__(
        self,
        names: Mapping[str, Any],
        requester: Requester,
        *,
        instance_dimension: str = "resource_id",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(names, requester, clock=clock)
        self._instance_dimension = instance_dimension

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Monasca:
        """Return Monasca as `[monasca_client]` says."""
        group = surroundings.conf.monasca_client
        return cls(
            names,
            surroundings.service(cls.name, "monitoring", group.interface, group.region_name),
            instance_dimension=group.instance_dimension,
            clock=surroundings.clock,
        )

    def check_availability(self) -> bool:
        """Tell whether Monasca lists its versions."""
        try:
            self.requester.request("GET", "v2.0")
        except CloudError:
            return False
        return True

    def list_metrics(self) -> set[str]:
        """Return the names of all metrics."""
        pages = self._pages("v2.0/metrics/names", {})
        return {str(entry["name"]) for page in pages for entry in page}

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        stop = self._clock()
        statistic = _STATISTICS[query.aggregate]
        found = self._statistics(
            str(name), (statistic, "count"), resources, stop - query.period, stop, query.period
        )
        # Periods lie on a grid of Monasca's, so the window may be told in two parts.
        whole: dict[str, list[tuple[float, float]]] = {}
        for label, rows in found:
            whole.setdefault(label, []).extend((value, count) for _, value, count in rows)
        for label, parts in whole.items():
            values, counts = np.array(parts, np.float64).T
            if query.aggregate == "count":
                yield label, float(counts.sum())
            elif query.aggregate == "mean":
                yield label, float(np.average(values, weights=counts))
            else:
                yield label, reduced(values, query.aggregate)

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        for label, rows in self._statistics(
            str(name), ("avg", "count"), resources, query.start, query.end, query.granularity
        ):
            yield label, [moment for moment, _, _ in rows], [value for _, value, _ in rows]

    def _statistics(
        self,
        name: str,
        statistics: tuple[str, str],
        resources: Resources,
        start: float,
        stop: float,
        period: float,
    ) -> Iterator[tuple[str, list[tuple[float, float, float]]]]:
        """Yield (label, [(moment, first statistic, second one), …]); labels may come again."""
        instances = resources.resource_type == "instance"
        dimension = self._instance_dimension if instances else "hostname"
        parameters = {
            "name": name,
            "statistics": ",".join(dict.fromkeys(statistics)),
            "start_time": _iso(start),
            "end_time": _iso(stop),
            "period": f"{period:g}",
            "group_by": dimension,
        }
        for page in self._pages("v2.0/metrics/statistics", parameters):
            for element in page:
                columns = element["columns"]
                at = [columns.index(column) for column in ("timestamp", *statistics)]
                label = element["dimensions"].get(dimension)
                if label is not None:
                    yield str(label), [_row(row, *at) for row in element["statistics"]]

    def _pages(self, path: str, parameters: Mapping[str, str]) -> Iterator[list[Any]]:
        asked = dict(parameters)
        while True:
            answer = self.requester.request("GET", path, params=asked)
            yield answer["elements"]
            links = answer.get("links", ())
            following = next((link["href"] for link in links if link["rel"] == "next"), None)
            if following is None:
                return
            offset = parse_qs(urlsplit(following).query).get("offset", [""])[0]
            if not offset or offset == asked.get("offset"):
                return
            asked["offset"] = offset


def _row(row: list[Any], when: int, first: int, second: int) -> tuple[float, float, float]:
    return datetime.fromisoformat(row[when]).timestamp(), float(row[first]), float(row[second])


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
