"""Gnocchi: one request to its aggregates API gives a metric of all hosts or all instances.

The API is Gnocchi's (gnocchi.osci.io/rest.html, "Dynamic aggregates"): `POST /v1/aggregates` with
an operation, a search for resources, and their type. Instances are resources of type `instance`
whose id is their uuid; hosts are found by `original_resource_id`, which Ceilometer makes of the
host's name, twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from tachyon.errors import CloudError
from tachyon.graph.view.columns import F64
from tachyon.openstack.telemetry.ceilometer import METERS
from tachyon.openstack.telemetry.datasource import (
    HttpDatasource,
    Points,
    Query,
    SeriesQuery,
    Value,
    share_of_vcpus,
)
from tachyon.openstack.telemetry.reducing import reduced
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

#: From so many resources on it is shorter to ask for all of a type than to name each.
_NAMED_MAX = 200

_Measure = tuple[str, float, float]


class Gnocchi(HttpDatasource):
    """Gnocchi.

    Args:
        names: metric names. The metric behind `instance_cpu_usage` is a counter of nanoseconds.
        requester: of the service of type `metric`.
        clock: the time, in seconds since 1970.
    """

    name: ClassVar[str] = "gnocchi"
    default_names: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**METERS, "instance_cpu_usage": "cpu"}
    )

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Gnocchi:
        """Return Gnocchi as `[gnocchi_client]` says."""
        group = surroundings.conf.gnocchi_client
        service = surroundings.service(cls.name, "metric", group.endpoint_type, group.region_name)
        return cls(names, service, clock=surroundings.clock)

    def check_availability(self) -> bool:
        """Tell whether Gnocchi reports its status."""
        try:
            self.requester.request("GET", "v1/status")
        except CloudError:
            return False
        return True

    def list_metrics(self) -> set[str]:
        """Return the names of all metrics, page by page."""
        names: set[str] = set()
        marker: dict[str, str] = {}
        while True:
            page = self.requester.request("GET", "v1/metric", params={"limit": 1000, **marker})[""]
            names.update(str(metric["name"]) for metric in page if metric.get("name"))
            if len(page) < 1000:
                return names
            marker = {"marker": page[-1]["id"]}

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        stop = self._clock()
        rate = _rate(query.metric)
        for label, measures in self._measures(
            query.metric,
            str(name),
            # What is counted or compared are the values of the archive; only means of means agree.
            rate or ("mean" if query.aggregate == "count" else query.aggregate),
            resources,
            stop - query.period,
            stop,
            query.granularity,
        ):
            values = np.array([value for _, _, value in measures], np.float64)
            if values.size:
                found = reduced(values, query.aggregate)
                scale = query.granularity * 1e9 if rate and query.aggregate != "count" else 1.0
                yield label, found / scale

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        rate = _rate(query.metric)
        scale = query.granularity * 1e9 if rate else 1.0
        for label, measures in self._measures(
            query.metric,
            str(name),
            rate or "mean",
            resources,
            query.start,
            query.end,
            query.granularity,
        ):
            moments = [datetime.fromisoformat(moment).timestamp() for moment, _, _ in measures]
            yield label, moments, [value / scale for _, _, value in measures]

    def _converted(self, metric: str, values: F64, resources: Resources) -> F64:
        if metric == "instance_cpu_usage":
            return share_of_vcpus(values, resources)
        if metric == "host_airflow":
            # Ceilometer's IPMI agent reports CFM; strategies compare tenths.
            return values * 10.0
        return values

    def _measures(
        self,
        metric: str,
        name: str,
        aggregation: str,
        resources: Resources,
        start: float,
        stop: float,
        granularity: float,
    ) -> Iterator[tuple[str, list[_Measure]]]:
        instances = resources.resource_type == "instance"
        if not len(resources):
            return
        body = {
            "operations": ["metric", name, aggregation],
            "resource_type": "instance" if instances else "generic",
            "search": _search(resources, instances),
        }
        parameters = {
            "start": _iso(start),
            "stop": _iso(stop),
            "granularity": f"{granularity:g}",
            "details": "true",
        }
        try:
            answer = self.requester.request(
                "POST", "v1/aggregates", params=parameters, body=body, repeatable=True
            )
        except CloudError as error:
            # Gnocchi answers 400 or 404 where no resource has the metric or the granularity.
            if error.details.get("http_status") in (400, 404):
                return
            raise
        labels = {r["id"]: r["original_resource_id"] for r in answer.get("references", ())}
        for resource, of_names in answer["measures"].items():
            measures = of_names.get(name, {}).get(aggregation, [])
            label = resource if instances else labels.get(resource, resource)
            yield label, [m for m in measures if m[1] == granularity]


def _rate(metric: str) -> str | None:
    """Return the aggregation that makes a counter a rate; None for gauges."""
    return "rate:mean" if metric == "instance_cpu_usage" else None


def _search(resources: Resources, instances: bool) -> dict[str, Any]:
    living = {"=": {"ended_at": None}}
    if instances:
        return living if len(resources) > _NAMED_MAX else {"in": {"id": resources.uuids}}
    labels = {f"{name}_{name}" for pair in zip(resources.names, resources.hostnames, strict=True)
              for name in pair}  # fmt: skip
    named = sorted(labels | set(resources.uuids))
    return {"in": {"original_resource_id": named}}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
