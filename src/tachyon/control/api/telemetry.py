"""What Prometheus scrapes at /metrics: requests of this process, and states in the database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tachyon.control.objects import Objects
from tachyon.control.objects.objects import KINDS
from tachyon.control.objects.record import Kind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _States(Collector):
    """Objects by state, and services by name, host and status, as the database has them now."""

    def __init__(self, objects: Objects, service_down_time: float) -> None:
        self._objects = objects
        self._down_time = service_down_time

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing: the registry need not ask the database at start-up."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Count."""
        for kind in KINDS:
            if kind.machine is None:
                continue
            name = f"tachyon_{kind.name}s"
            family = GaugeMetricFamily(name, f"{kind.title}s by state.", labels=["state"])
            counts = self._counts(kind)
            for state, count in counts.items():
                family.add_metric([state], count)
            yield family
        yield self._services()

    def _counts(self, kind: Kind[Any]) -> dict[str, int]:
        """Return how many live records of a kind are in each state."""
        assert kind.machine is not None
        columns = kind.table.c
        statement = (
            sa.select(columns.state, sa.func.count())
            .where(columns.deleted == 0)
            .group_by(columns.state)
        )
        rows = self._objects.database.read(lambda c: c.execute(statement).all())
        return {**dict.fromkeys(sorted(kind.machine.moves), 0), **{s: int(n) for s, n in rows}}

    def _services(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "tachyon_service_up", "1 for a service that is alive.", labels=["name", "host"]
        )
        moment = self._objects.database.clock()
        for service in self._objects.services.find():
            alive = service.status(moment, self._down_time) == "ACTIVE"
            family.add_metric([service.name, service.host], float(alive))
        return family


class Telemetry:
    """The measurements of one process that serves the API."""

    def __init__(self, objects: Objects, service_down_time: float) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_States(objects, service_down_time))
        # Several processes may share a port, and a scrape meets one of them.
        labels = ("operation", "status", "process")
        self._requests = Counter(
            "tachyon_api_requests", "Requests answered.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "tachyon_api_request_seconds",
            "Seconds from a request to its answer.",
            ("operation", "process"),
            registry=self._registry,
        )

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        process = str(os.getpid())
        self._requests.labels(operation, str(status), process).inc()
        self._seconds.labels(operation, process).observe(seconds)

    def text(self) -> bytes:
        """Return all measurements as Prometheus reads them."""
        text: bytes = generate_latest(self._registry)
        return text
