"""Each datasource on a database of its own, filled with `measured`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from tachyon import conf as options
from tachyon.openstack.telemetry.datasource import Datasource
from tachyon.openstack.telemetry.opening import open_datasources
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.openstack.telemetry.surroundings import Surroundings
from tests.servers.prometheus import Prometheus, Sample
from tests.telemetry import measured, servers

#: What an operator writes of the datasource grafana.
QUERY = 'SELECT {0}("value") FROM "{4}".%s WHERE "host" =~ /^{1}$/ AND time > now() - {2}s'
GROUPED = " GROUP BY time({3}s)"


class Opened(NamedTuple):
    """A datasource, what it has, and the server that it asks (None: files)."""

    datasource: Datasource
    metrics: tuple[str, ...]
    server: servers.Backend | None


def surroundings(
    url: str = "", slept: list[float] | None = None, **groups: dict[str, Any]
) -> Surroundings:
    """Return surroundings whose clock stands at the end of what was measured."""
    conf = options.load()
    for group, values in groups.items():
        for name, value in values.items():
            conf.set_override(name, value, group=group)
    return Surroundings(
        conf=conf,
        session=lambda: Session(auth=Token(url, servers.TOKEN)),
        clock=lambda: measured.END,
        sleep=(slept if slept is not None else []).append,
    )


def only(name: str, around: Surroundings) -> Datasources:
    return open_datasources(around.conf, names=[name], surroundings=around)


@contextlib.contextmanager
def of_catalog(name: str, kind: type[servers.Backend]) -> Iterator[Opened]:
    with kind() as server:
        (one,) = only(name, surroundings(server.url)).datasources
        yield Opened(one, tuple(kind.NAMES), server)  # type: ignore[attr-defined]


@contextlib.contextmanager
def grafana(folder: Path, *, tag: bool) -> Iterator[Opened]:
    with servers.Grafana() as server:
        metric_map = folder / "metric_map.yaml"
        lines = ["grafana:"]
        for metric, name in server.NAMES.items():
            lines += [
                f"  {metric}:",
                "    project: 1337",
                "    db: production",
                "    translator: influxdb",
                f"    attribute: {'uuid' if metric.startswith('instance') else 'hostname'}",
                f"    query: '{QUERY % name}{GROUPED if tag else ''}'",
                *(["    tag: host"] if tag else []),
            ]
        metric_map.write_text("\n".join(lines))
        around = surroundings(
            grafana_client={
                "token": servers.TOKEN,
                "base_url": f"{server.url}/api/datasources/proxy/",
            },
            watcher_decision_engine={"metric_map_path": str(metric_map)},
        )
        (one,) = only("grafana", around).datasources
        yield Opened(one, tuple(server.NAMES), server)


@contextlib.contextmanager
def csv_files(folder: Path) -> Iterator[Opened]:
    metrics = ("host_cpu_usage", "host_power", "instance_cpu_usage", "instance_ram_usage")
    for metric in metrics:
        lines = ["timestamp,resource,value"]
        for label, values in measured.truth(metric).items():
            pairs = zip(measured.times().tolist(), values.tolist(), strict=True)
            lines += [f"{moment},{label},{value}" for moment, value in pairs]
        (folder / f"{metric}.csv").write_text("\n".join(lines))
    (one,) = only("file", surroundings(file_client={"path": str(folder)})).datasources
    yield Opened(one, metrics, None)


@contextlib.contextmanager
def parquet_files(folder: Path) -> Iterator[Opened]:
    import pyarrow
    import pyarrow.parquet

    metrics = ("host_cpu_usage", "instance_cpu_usage")
    for metric in metrics:
        rows = [
            (int(moment * 1000), label, value)
            for label, values in measured.truth(metric).items()
            for moment, value in zip(measured.times().tolist(), values.tolist(), strict=True)
        ]
        moments, labels, values = zip(*rows, strict=True)
        table = pyarrow.table(
            {
                "timestamp": pyarrow.array(moments, pyarrow.timestamp("ms", tz="UTC")),
                "resource": labels,
                "value": values,
            }
        )
        pyarrow.parquet.write_table(table, folder / f"{metric}.parquet")
    (one,) = only("file", surroundings(file_client={"path": str(folder)})).datasources
    yield Opened(one, metrics, None)


PROMETHEUS = (
    "host_cpu_usage",
    "host_ram_usage",
    "host_power",
    "instance_cpu_usage",
    "instance_ram_usage",
)


def samples() -> Iterator[Sample]:
    """Yield what node_exporter, an IPMI exporter and Ceilometer would have written."""
    moments = [*measured.times().tolist(), measured.END]
    for label, values in measured.truth("host_cpu_usage").items():
        idle = np.concatenate([[0.0], np.cumsum((1 - values / 100) * measured.PERIOD)])
        for cpu in "01":
            labels = [("fqdn", f"{label}.example.org"), ("cpu", cpu), ("mode", "idle")]
            for moment, value in zip(moments, idle.tolist(), strict=True):
                yield "node_cpu_seconds_total", labels, moment, value
    total = 64.0 * 2**30
    for name, of in (
        ("node_memory_MemTotal_bytes", lambda used: used * 0 + total),
        ("node_memory_MemAvailable_bytes", lambda used: total - used * 1024),
    ):
        for label, values in measured.truth("host_ram_usage").items():
            yield from _gauge(name, ("fqdn", f"{label}.example.org"), of(values))
    for label, values in measured.truth("host_power").items():
        yield from _gauge("ipmi_power_watts", ("fqdn", f"{label}.example.org"), values)
    for label, values in measured.truth("instance_cpu_usage").items():
        busy = np.cumsum(values / 100 * measured.vcpus()[label] * measured.PERIOD * 1e9)
        for moment, value in zip(moments, [0.0, *busy.tolist()], strict=True):
            yield "ceilometer_cpu", [("resource", label)], moment, value
    for label, values in measured.truth("instance_ram_usage").items():
        yield from _gauge("ceilometer_memory_usage", ("resource", label), values)


def _gauge(name: str, label: tuple[str, str], values: Any) -> Iterator[Sample]:
    for moment, value in zip(measured.times().tolist(), values.tolist(), strict=True):
        yield name, [label], moment, value


def of_server(url: str, **more: str) -> Surroundings:
    """Return surroundings with the options of a Prometheus server."""
    where = urlsplit(url)
    return surroundings(prometheus_client={"host": where.hostname, "port": where.port, **more})


@contextlib.contextmanager
def prometheus(folder: Path, *, aetos: bool) -> Iterator[Opened]:
    path = folder / "metric_map.yaml"
    path.write_text(
        "\n".join(f"{n}: {{host_power: ipmi_power_watts}}" for n in ("prometheus", "aetos"))
    )
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Prometheus(samples())).url
        proxy = stack.enter_context(servers.Aetos(url)) if aetos else None
        around = of_server(url)
        if proxy is not None:
            around = surroundings(proxy.url)
        around.conf.set_override("metric_map_path", str(path), group="watcher_decision_engine")
        (one,) = only("aetos" if aetos else "prometheus", around).datasources
        yield Opened(one, PROMETHEUS, proxy)


#: Those that need a real server of their own.
SERVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Opened]]] = {
    "prometheus": lambda folder: prometheus(folder, aetos=False),
    "aetos": lambda folder: prometheus(folder, aetos=True),
}

BACKENDS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Opened]]] = {
    "gnocchi": lambda _: of_catalog("gnocchi", servers.Gnocchi),
    "monasca": lambda _: of_catalog("monasca", servers.Monasca),
    "ceilometer": lambda _: of_catalog("ceilometer", servers.Ceilometer),
    "grafana": lambda folder: grafana(folder, tag=False),
    "grafana with a tag": lambda folder: grafana(folder, tag=True),
    "csv": csv_files,
    "parquet": parquet_files,
}
