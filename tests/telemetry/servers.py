"""Databases of measurements over HTTP, each as its API description has it.

They hold the series of `measured` under the names and in the units of their own, refuse what the
real ones refuse (a missing token, an unknown field), and count requests.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np

from tests.telemetry import measured

TOKEN = "a-token"
Params = Mapping[str, list[str]]


class Refusal(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Backend:
    """`with Gnocchi() as server: server.url`; `failures` are statuses of the next answers."""

    #: Header → what it must be.
    credentials: Mapping[str, str] = {"X-Auth-Token": TOKEN}

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.failures: list[int] = []
        self.bodies: list[Any] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, params: Params, body: Any) -> Any:
        raise NotImplementedError


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._respond("GET")

        def do_POST(self) -> None:
            self._respond("POST")

        def _respond(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            with backend.lock:  # each connection has a thread of its own
                backend.requests[f"{method} {parts.path}"] += 1
                backend.bodies.append(body)
            try:
                if backend.failures:
                    raise Refusal(backend.failures.pop(0), "told to fail")
                for header, value in backend.credentials.items():
                    if self.headers.get(header) != value:
                        raise Refusal(401, "who are you?")
                params = parse_qs(parts.query, keep_blank_values=True)
                status, content = 200, backend.answer(method, parts.path, params, body)
            except Refusal as refusal:
                status, content = refusal.status, {"message": str(refusal)}
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _moment(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _rows(values: Any, start: float, stop: float) -> list[tuple[float, float]]:
    pairs = zip(measured.times().tolist(), values.tolist(), strict=True)
    return [(t, v) for t, v in pairs if start <= t < stop]


_STATISTICS = {"avg": np.mean, "min": np.min, "max": np.max, "count": np.size}


class Gnocchi(Backend):
    """Gnocchi 4.4 and later: `POST /v1/aggregates` with a search for resources."""

    NAMES = {
        "host_cpu_usage": "compute.node.cpu.percent",
        "host_power": "hardware.ipmi.node.power",
        "host_airflow": "hardware.ipmi.node.airflow",
        "instance_cpu_usage": "cpu",
        "instance_ram_usage": "memory.resident",
    }

    def answer(self, method: str, path: str, params: Params, body: Any) -> Any:
        if (method, path) == ("GET", "/v1/status"):
            return {"storage": {"summary": {"metrics": 0, "measures": 0}}}
        if (method, path) == ("GET", "/v1/metric"):
            ids = list(enumerate(sorted(self.NAMES.values())))
            return [{"id": str(at), "name": name} for at, name in ids]
        if (method, path) == ("POST", "/v1/aggregates"):
            return self._aggregates(params, body)
        raise Refusal(404, path)

    def _aggregates(self, params: Params, body: Any) -> Any:
        if set(body) != {"operations", "resource_type", "search"}:
            raise Refusal(400, f"extra keys not allowed: {sorted(body)}")
        word, name, aggregation = body["operations"]
        assert word == "metric"
        start, stop = _moment(params["start"][0]), _moment(params["stop"][0])
        if float(params["granularity"][0]) != measured.PERIOD:
            raise Refusal(400, "Granularities are missing")
        metric = next((m for m, n in self.NAMES.items() if n == name), None)
        measures: dict[str, Any] = {}
        references = []
        for label, values in (measured.truth(metric) if metric else {}).items():
            resource = self._resource(body["resource_type"], label)
            if resource is None or not _matches(body["search"], resource):
                continue
            if metric == "instance_cpu_usage":
                if aggregation != "rate:mean":
                    raise Refusal(404, "Aggregation method doesn't exist for this metric")
                values = values / 100 * measured.vcpus()[label] * measured.PERIOD * 1e9
            elif metric == "host_airflow":
                values = values / 10
            rows = [
                [datetime.fromtimestamp(t, UTC).isoformat(), float(measured.PERIOD), v]
                for t, v in _rows(values, start, stop)
            ]
            measures[resource["id"]] = {name: {aggregation: rows}}
            references.append(resource)
        if not measures:
            raise Refusal(400, "Metrics not found")
        found: dict[str, Any] = {"measures": measures}
        if params.get("details") == ["true"]:
            found["references"] = references
        return found

    @staticmethod
    def _resource(kind: str, label: str) -> dict[str, Any] | None:
        host = label in measured.truth("host_cpu_usage")
        if host == (kind == "instance"):
            return None
        original = f"{label}_{label}" if host else label
        ident = f"id-of-{label}" if host else label
        return {"id": ident, "original_resource_id": original, "ended_at": None}


def _matches(search: Any, resource: Mapping[str, Any]) -> bool:
    ((operator, condition),) = search.items()
    ((field, wanted),) = condition.items()
    return bool(resource[field] in wanted if operator == "in" else resource[field] == wanted)


class Aetos(Backend):
    """Aetos: Prometheus' API for those who show a token; everything else is Prometheus'."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream

    def answer(self, method: str, path: str, params: Params, body: Any) -> Any:
        assert method == "GET"
        url = f"{self._upstream}{path}?{urlencode(params, doseq=True)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)


class Monasca(Backend):
    """Monasca's API v2.0, two elements a page."""

    NAMES = {
        "host_cpu_usage": "cpu.percent",
        "instance_cpu_usage": "vm.cpu.utilization_norm_perc",
        "instance_ram_usage": "vm.mem.resident_mb",
    }

    def answer(self, method: str, path: str, params: Params, body: Any) -> Any:
        if path == "/v2.0":
            return {"id": "v2.0", "status": "CURRENT"}
        if path == "/v2.0/metrics/names":
            return {"links": [], "elements": [{"name": n} for n in self.NAMES.values()]}
        if path != "/v2.0/metrics/statistics":
            raise Refusal(404, path)
        name = params["name"][0]
        (dimension,) = params["group_by"]
        functions = params["statistics"][0].split(",")
        start, stop = _moment(params["start_time"][0]), _moment(params["end_time"][0])
        metric = next((m for m, n in self.NAMES.items() if n == name), None)
        elements = []
        for label, values in (measured.truth(metric) if metric else {}).items():
            rows = _periods(_rows(values, start, stop), float(params["period"][0]))
            statistics = [
                [f"{datetime.fromtimestamp(t, UTC):%Y-%m-%dT%H:%M:%SZ}"]
                + [float(_STATISTICS[f](some)) for f in functions]
                for t, some in rows
            ]
            if statistics:
                elements.append(
                    {
                        "id": label,
                        "name": name,
                        "dimensions": {dimension: label},
                        "columns": ["timestamp", *functions],
                        "statistics": statistics,
                    }
                )
        first = int(params.get("offset", ["0"])[0])
        links = [{"rel": "self", "href": self.url + path}]
        if first + 2 < len(elements):
            links.append({"rel": "next", "href": f"{self.url}{path}?offset={first + 2}"})
        return {"links": links, "elements": elements[first : first + 2]}


def _periods(rows: list[tuple[float, float]], period: float) -> list[tuple[float, list[float]]]:
    """Group values by periods that lie on a grid from 1970 on, as Monasca's databases do."""
    found: dict[float, list[float]] = {}
    for t, value in rows:
        found.setdefault(t - t % period, []).append(value)
    return sorted(found.items())


class Ceilometer(Backend):
    """Ceilometer's API v2."""

    NAMES = {
        "host_cpu_usage": "compute.node.cpu.percent",
        "host_power": "hardware.ipmi.node.power",
        "host_airflow": "hardware.ipmi.node.airflow",
        "instance_cpu_usage": "cpu_util",
        "instance_ram_usage": "memory.resident",
    }

    def answer(self, method: str, path: str, params: Params, body: Any) -> Any:
        if path == "/v2/resources":
            return []
        if path == "/v2/meters":
            return [{"name": name, "type": "gauge"} for name in self.NAMES.values()]
        found = re.fullmatch(r"/v2/meters/(.+)/statistics", path)
        if found is None:
            raise Refusal(404, path)
        assert params["q.field"] == ["timestamp", "timestamp"]
        assert params["q.op"] == ["ge", "lt"]
        start, stop = map(_moment, params["q.value"])
        (function,) = params["aggregate.func"]
        metric = next((m for m, n in self.NAMES.items() if n == found[1]), None)
        answer = []
        for label, values in (measured.truth(metric) if metric else {}).items():
            if metric == "host_airflow":
                values = values / 10
            rows = _rows(values, start, stop)
            period = float(params["period"][0]) if "period" in params else None
            parts: list[tuple[float, list[float]]] = (
                [(start, [v for _, v in rows])] if period is None else _periods(rows, period)
            )
            for moment, some in parts:
                if some:
                    value = float(_STATISTICS[function](some))
                    begin = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
                    host = label in measured.truth("host_cpu_usage")
                    ident = f"{label}_{label}" if host else label
                    answer.append(
                        {
                            function: value,
                            "aggregate": {function: value},
                            "groupby": {"resource_id": ident},
                            "period_start": begin.isoformat(),
                            "unit": "%",
                        }
                    )
        return answer


class Grafana(Backend):
    """Grafana's proxy to InfluxDB 1.x; it understands queries of one form."""

    credentials = {"Authorization": f"Bearer {TOKEN}"}
    NAMES = {
        "host_cpu_usage": "cpu_percent",
        "host_power": "power",
        "instance_cpu_usage": "vcpu_percent",
        "instance_ram_usage": "memory",
    }
    _QUERY = re.compile(
        r'SELECT (\w+)\("value"\) FROM "?(\w+)"?\.(\w+) WHERE "host" =~ /\^(.+)\$/ '
        r"AND time > now\(\) ?- ?(\d+)s(?: GROUP BY (time\((\d+)s\))?,? ?(\"host\")?)?"
    )

    def answer(self, method: str, path: str, params: Params, body: Any) -> Any:
        if path != "/api/datasources/proxy/1337/query":
            raise Refusal(404, path)
        if params["q"] == ["SHOW DATABASES"]:
            return {"results": [{"statement_id": 0}]}
        assert params["db"] == ["production"]
        assert params["epoch"] == ["ms"]
        results = []
        for number, statement in enumerate(params["q"][0].split(";")):
            results.append({"statement_id": number, **self._result(statement)})
        return {"results": results}

    def _result(self, statement: str) -> dict[str, Any]:
        found = self._QUERY.fullmatch(statement)
        if found is None:
            return {"error": f"error parsing query: {statement}"}
        function, retention, name, pattern, seconds = found.groups()[:5]
        assert retention == "one_week"
        step, tagged = found[7], found[8] is not None
        metric = next((m for m, n in self.NAMES.items() if n == name), None)
        series = []
        for label, values in (measured.truth(metric) if metric else {}).items():
            if re.fullmatch(pattern, label) is None:
                continue
            rows = _rows(values, measured.END - float(seconds), measured.END)
            reduce = {**_STATISTICS, "mean": np.mean}[function]
            parts = _periods(rows, float(step)) if step else [(0.0, [v for _, v in rows])]
            one: dict[str, Any] = {
                "name": name,
                "columns": ["time", function],
                "values": [[t * 1000, float(reduce(some))] for t, some in parts if some],
            }
            if tagged:
                one["tags"] = {"host": label}
            if one["values"]:
                series.append(one)
        return {"series": series} if series else {}
