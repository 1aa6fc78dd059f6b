"""Ceilometer's own API (v2), which clouds up to Pike have: statistics grouped by resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar

from tachyon.errors import CloudError
from tachyon.graph.view.columns import F64
from tachyon.openstack.telemetry.datasource import HttpDatasource, Points, Query, SeriesQuery, Value
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

_FUNCTIONS = {"mean": "avg", "min": "min", "max": "max", "count": "count"}

#: What Ceilometer's agents call each metric.
METERS: Mapping[str, str] = MappingProxyType(
    {
        "host_cpu_usage": "compute.node.cpu.percent",
        "host_ram_usage": "hardware.memory.used",
        "host_outlet_temp": "hardware.ipmi.node.outlet_temperature",
        "host_inlet_temp": "hardware.ipmi.node.temperature",
        "host_airflow": "hardware.ipmi.node.airflow",
        "host_power": "hardware.ipmi.node.power",
        "instance_cpu_usage": "cpu_util",
        "instance_ram_usage": "memory.resident",
        "instance_ram_allocated": "memory",
        "instance_l3_cache_usage": "cpu_l3_cache",
        "instance_root_disk_size": "disk.root.size",
    }
)


class Ceilometer(HttpDatasource):
    """Ceilometer's API.

    Args:
        names: meter names.
        requester: of the service of type `metering`.
        clock: the time, in seconds since 1970.
    """

    name: ClassVar[str] = "ceilometer"
    default_names: ClassVar[Mapping[str, Any]] = METERS

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Ceilometer:
        """Return Ceilometer as `[ceilometer_client]` says."""
        group = surroundings.conf.ceilometer_client
        service = surroundings.service(cls.name, "metering", group.endpoint_type, group.region_name)
        return cls(names, service, clock=surroundings.clock)

    def check_availability(self) -> bool:
        """Tell whether Ceilometer lists a resource."""
        try:
            self.requester.request("GET", "v2/resources", params={"limit": 1})
        except CloudError:
            return False
        return True

    def list_metrics(self) -> set[str]:
        """Return the names of all meters."""
        answer = self.requester.request("GET", "v2/meters", params={"unique": "true"})
        return {str(meter["name"]) for meter in answer[""]}

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        stop = self._clock()
        function = _FUNCTIONS[query.aggregate]
        for row in self._statistics(str(name), function, stop - query.period, stop, None):
            yield row["groupby"]["resource_id"], float(row[function])

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        found: dict[str, tuple[list[float], list[float]]] = {}
        for row in self._statistics(str(name), "avg", query.start, query.end, query.granularity):
            moments, values = found.setdefault(row["groupby"]["resource_id"], ([], []))
            # Ceilometer's times are UTC, and do not say so.
            start = datetime.fromisoformat(row["period_start"]).replace(tzinfo=UTC)
            moments.append(start.timestamp())
            values.append(float(row["avg"]))
        for label, (moments, values) in found.items():
            yield label, moments, values

    def _converted(self, metric: str, values: F64, resources: Resources) -> F64:
        # CFM; strategies compare tenths.
        return values * 10.0 if metric == "host_airflow" else values

    def _statistics(
        self, name: str, function: str, start: float, stop: float, period: float | None
    ) -> list[dict[str, Any]]:
        parameters: dict[str, Any] = {
            "q.field": ["timestamp", "timestamp"],
            "q.op": ["ge", "lt"],
            "q.value": [_iso(start), _iso(stop)],
            "groupby": "resource_id",
            "aggregate.func": function,
        }
        if period is not None:
            parameters["period"] = f"{period:g}"
        try:
            answer = self.requester.request(
                "GET", f"v2/meters/{name}/statistics", params=parameters
            )
        except CloudError as error:
            if error.details.get("http_status") == 404:
                return []
            raise
        rows: list[dict[str, Any]] = answer[""]
        return rows


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat()
