"""What a collector tells of itself: Prometheus metrics and its health."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tachyon.errors import TachyonError
from tachyon.graph.client import GraphClient
from tachyon.graph.view import View
from tachyon.openstack.collectors.synchronisation import Synchronised, account
from tachyon.openstack.connection import Connection
from tachyon.openstack.notifications.applying import Applied
from tachyon.openstack.notifications.contract import Outcome
from tachyon.openstack.notifications.events import Event

_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Health(Struct, frozen=True):
    """Whether the graph is being kept up to date, and what is wrong with it."""

    healthy: bool
    generation: int | None
    models: dict[str, dict[str, Any]] = field(default_factory=dict)


class Metrics:
    """Counts what happens, and reads from the graph what all collectors share."""

    def __init__(self, models: Sequence[str], graph: GraphClient, cloud: Connection) -> None:
        self.registry = CollectorRegistry()
        self.models: Sequence[str] = models
        self._graph = graph
        self._cloud = cloud
        self._lock = threading.Lock()
        self._newest: datetime | None = None
        self._applied_at = time.monotonic()
        self._synchronisations = self._counter(
            "synchronisations", "Full synchronisations.", ["model", "outcome"]
        )
        self._duration = Histogram(
            "tachyon_collector_synchronisation_seconds",
            "Duration of full synchronisations.",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._requests = Gauge(
            "tachyon_collector_synchronisation_requests",
            "Requests that the cloud was sent during the latest synchronisation.",
            ["model"],
            registry=self.registry,
        )
        self._polls = self._counter("polls", "Looks at what no event tells of.", ["outcome"])
        self._events = self._counter("events", "Notifications.", ["type", "outcome"])
        self._changes = self._counter("event_changes", "Entities that notifications changed.", [])
        self._lag = Gauge(
            "tachyon_collector_event_lag_seconds",
            "From the sending of the newest event to its being in the graph.",
            registry=self.registry,
        )
        self.registry.register(self)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"tachyon_collector_{name}", text, labels, registry=self.registry)

    def synchronised(self, outcome: Synchronised) -> None:
        """Note a synchronisation; its count is the last to tell of it."""
        self._duration.labels(outcome.collector).observe(outcome.seconds)
        self._requests.labels(outcome.collector).set(outcome.requests)
        self._synchronisations.labels(outcome.collector, "done").inc()

    def failed(self, model: str, error: Exception) -> None:
        """Note a failed synchronisation."""
        self._synchronisations.labels(model, "failed").inc()

    def polled(self, outcome: str) -> None:
        """Note a poll."""
        self._polls.labels(outcome).inc()

    def applied(self, applied: Applied, events: Sequence[Event]) -> None:
        """Note a batch of events."""
        for (kind, outcome), count in applied.outcomes.items():
            # Types that nobody handles come from outside and may be many.
            shown = "other" if outcome == Outcome.UNHANDLED.value else kind
            self._events.labels(shown, outcome).inc(count)
        self._changes.inc(applied.changed)
        if events:
            newest = max(event.at for event in events)
            self._lag.set(max(0.0, (datetime.now(UTC) - newest).total_seconds()))

    def collect(self) -> Iterator[Any]:
        """Give what the graph and the connection tell when they are asked."""
        requests = CounterMetricFamily(
            "tachyon_collector_requests",
            "Answers of the cloud's services; status 0 stands for none.",
            labels=["service", "method", "status"],
        )
        for (service, method, status), count in sorted(self._cloud.requests.items()):
            requests.add_metric([service, method, str(status)], count)
        yield requests
        try:
            view = self._graph.view()
        except TachyonError:
            return
        yield GaugeMetricFamily(
            "tachyon_graph_generation", "Generation of the graph.", value=view.generation
        )
        yield from self._accounts(view)

    def _accounts(self, view: View) -> Iterable[Any]:
        age = _gauge("age_seconds", "Since the beginning of the latest good reading.")
        up = _gauge("up", "Whether the latest synchronisation succeeded.")
        missing = _gauge("missing", "Hosts and servers that keep their last known state.")
        disagree = _gauge("disagreements", "Where services contradict each other.", "kind")
        for name in self.models:
            found = account(view, name)
            if found is None:
                continue
            up.add_metric([name], float(found.state == "up"))
            if (seconds := _age(found.extra)) is not None:
                age.add_metric([name], seconds)
            missing.add_metric([name], found.extra.get("missing", 0))
            for kind, count in found.extra.get("disagreements", {}).items():
                disagree.add_metric([name, kind], count)
        return [age, up, missing, disagree]

    def health(self) -> Health:
        """Tell how the graph is: not well when it does not answer, or a model's latest
        synchronisation failed. While it is filled for the first time it is well.
        """
        try:
            view = self._graph.view()
        except TachyonError as error:
            return Health(False, None, {"graph": {"error": error.message}})
        models: dict[str, dict[str, Any]] = {}
        for name in self.models:
            found = account(view, name)
            if found is None:
                models[name] = {"state": "filling"}
                continue
            told = ("synchronised_at", "failed_at", "error", "missing", "disagreements")
            models[name] = {"state": found.state, "age": _age(found.extra)}
            models[name] |= {key: found.extra[key] for key in told if key in found.extra}
        healthy = all(model["state"] != "down" for model in models.values())
        return Health(healthy, view.generation, models)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tachyon_collector_{name}", text, labels=["model", *labels])


def _age(extra: dict[str, Any]) -> float | None:
    at = extra.get("synchronised_at")
    if at is None:
        return None
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
