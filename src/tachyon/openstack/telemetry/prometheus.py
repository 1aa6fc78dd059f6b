"""Prometheus, asked directly, and the PromQL that Aetos passes on to it.

One instant query gives a metric of all hosts or all instances, grouped by the label that names
them; nothing in a query grows with the cluster. The HTTP API is that of Prometheus
(prometheus.io/docs/prometheus/latest/querying/api); `ceilometer_*` is what Ceilometer's Prometheus
publisher writes, `node_*` what node_exporter does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import urllib3

from tachyon.errors import CloudError, ConfigurationError
from tachyon.graph.view.columns import F64
from tachyon.openstack.telemetry.datasource import (
    MODEL_DISK,
    MODEL_MEMORY,
    HttpDatasource,
    Points,
    Query,
    SeriesQuery,
    Value,
    share_of_vcpus,
)
from tachyon.openstack.telemetry.requester import HttpRequester, Requester
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

#: Prometheus refuses more points of one series at once.
_POINTS = 11_000
#: Values in one answer to a query for series: some 60 MB of JSON.
_CELLS = 2_000_000
#: A rate needs two values of a counter; scrapes are rarely further apart than two minutes.
_RATE_MIN = 300

#: Total memory stands beside what is available, under a name of its own.
_TOTAL_MEMORY = "node_memory_MemTotal_bytes"
_OVER_TIME = {"mean": "avg", "min": "min", "max": "max", "count": "count"}


class Prometheus(HttpDatasource):
    """A Prometheus server.

    Args:
        names: metric names. Any metric may be called by another name; those without a formula of
            their own are gauges in the metric's unit.
        requester: of the server, or of Aetos before it.
        fqdn_label: the label of `node_*` metrics that holds a host's full name.
        instance_uuid_label: the label of `ceilometer_*` metrics that holds an instance's uuid.
        clock: the time, in seconds since 1970.
    """

    name: ClassVar[str] = "prometheus"
    default_names: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "host_cpu_usage": "node_cpu_seconds_total",
            "host_ram_usage": "node_memory_MemAvailable_bytes",
            "instance_cpu_usage": "ceilometer_cpu",
            "instance_ram_usage": "ceilometer_memory_usage",
            "instance_ram_allocated": MODEL_MEMORY,
            "instance_root_disk_size": MODEL_DISK,
        }
    )

    def __init__(
        self,
        names: Mapping[str, Any],
        requester: Requester,
        *,
        fqdn_label: str = "fqdn",
        instance_uuid_label: str = "resource",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(names, requester, clock=clock)
        self._labels = {"compute_node": fqdn_label, "instance": instance_uuid_label}

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Prometheus:
        """Return the server that `[prometheus_client]` names."""
        group = surroundings.conf.prometheus_client
        if not group.host:
            raise ConfigurationError("[prometheus_client] host is not given")
        if bool(group.certfile) != bool(group.keyfile) or (group.certfile and not group.cafile):
            raise ConfigurationError(
                "[prometheus_client] certfile, keyfile and cafile belong together"
            )
        tls = {
            "ca_certs": group.cafile,
            "cert_file": group.certfile,
            "key_file": group.keyfile,
        }
        headers = {}
        if group.username:
            headers = urllib3.make_headers(basic_auth=f"{group.username}:{group.password or ''}")
        host = f"[{group.host}]" if ":" in group.host else group.host
        requester = HttpRequester(
            cls.name,
            f"{'https' if group.cafile else 'http'}://{host}:{group.port}",
            headers=headers,
            retries=surroundings.retries,
            timeout=surroundings.conf.watcher_datasources.query_time_limit,
            tls={key: value for key, value in tls.items() if value},
        )
        return cls(
            names,
            requester,
            fqdn_label=group.fqdn_label,
            instance_uuid_label=group.instance_uuid_label,
            clock=surroundings.clock,
        )

    def check_availability(self) -> bool:
        """Tell whether the server answers a request for its state."""
        try:
            return bool(self._ask("status/runtimeinfo", {}))
        except CloudError:
            return False

    def list_metrics(self) -> set[str]:
        """Return all metric names."""
        return set(self._ask("label/__name__/values", {}))

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        label = self._label(resources)
        expression = aggregated(query, str(name), label)
        answer = self._ask("query", {"query": expression, "time": repr(self._clock())})
        for row in answer["result"]:
            if label in row["metric"]:
                yield row["metric"][label], float(row["value"][1])

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        label = self._label(resources)
        # Each value stands for the time after it, as those of other datasources do.
        expression = over(query.metric, str(name), label, query.granularity, "mean")
        points = max(1, min(_POINTS, _CELLS // max(1, len(resources))))
        stretch = query.granularity * points
        first = query.start
        while first < query.end:
            last = min(first + stretch, query.end)
            answer = self._ask(
                "query_range",
                {
                    "query": expression,
                    "start": repr(first + query.granularity),
                    "end": repr(last + query.granularity * 0.5),
                    "step": f"{query.granularity:g}",
                },
            )
            for row in answer["result"]:
                if label in row["metric"]:
                    moments = [float(t) - query.granularity for t, _ in row["values"]]
                    yield row["metric"][label], moments, [float(v) for _, v in row["values"]]
            first = last

    def _converted(self, metric: str, values: F64, resources: Resources) -> F64:
        if metric == "instance_cpu_usage":
            return share_of_vcpus(values / 1e9, resources)
        return values

    def _label(self, resources: Resources) -> str:
        return self._labels.get(resources.resource_type, self._labels["compute_node"])

    def _ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        answer = self.requester.request("GET", f"api/v1/{path}", params=parameters)
        if answer.get("status") != "success":
            raise CloudError(f"{self.name}: {answer.get('error', 'no success')}")
        return answer["data"]


def over(metric: str, name: str, label: str, window: float, aggregate: str) -> str:
    """Return PromQL of a metric over one window, by `label`.

    Counters give their rate over the window, whatever the aggregate; gauges the aggregate.
    """
    span = f"{window:g}s"
    # From the window's start on, up to its end but without it, as everywhere else.
    values = f"{name}[{span}] offset 1ms"
    if metric == "host_cpu_usage":
        return f'100 - 100 * avg by ({label}) (rate({name}{{mode="idle"}}[{span}]))'
    if metric == "instance_cpu_usage":
        return f"avg by ({label}) (rate({name}[{span}]))"
    if metric == "host_ram_usage":
        # Most is used when least is available.
        swapped = {"min": "max", "max": "min"}.get(aggregate, aggregate)
        free = f"{_OVER_TIME[swapped]}_over_time({values})"
        if aggregate == "count":
            return f"max by ({label}) ({free})"
        return (
            f"(max by ({label}) (last_over_time({_TOTAL_MEMORY}[{span}]))"
            f" - max by ({label}) ({free})) / 1024"
        )
    return f"avg by ({label}) ({_OVER_TIME[aggregate]}_over_time({values}))"


def aggregated(query: Query, name: str, label: str) -> str:
    """Return PromQL of a metric, reduced over the query's period.

    The mean of a rate is the rate of the whole period. Its extremes are those of the rates at the
    query's granularity.
    """
    counter = query.metric in ("host_cpu_usage", "instance_cpu_usage")
    period = max(query.period, _RATE_MIN) if counter else query.period
    if not counter or query.aggregate == "mean":
        return over(query.metric, name, label, period, query.aggregate)
    step = min(max(query.granularity, _RATE_MIN), period)
    inner = over(query.metric, name, label, step, "mean")
    # Each rate stands at the end of its step, so the first one is a step after the period's start.
    since = f"{period - step / 2:g}s"
    return f"{_OVER_TIME[query.aggregate]}_over_time(({inner})[{since}:{step:g}s])"
