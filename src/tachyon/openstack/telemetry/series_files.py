"""Metrics from files: the series of a cluster file, or a folder of CSV and Parquet tables.

For clouds whose measurements are exported, for trials, and for tests. A table is called like its
metric (`host_cpu_usage.csv`, `instance_cpu_usage.parquet`) and has the columns `timestamp` (seconds
since 1970, or ISO 8601), `resource` (a name or uuid) and `value` (in the metric's unit). Now is the
moment after the last value, whatever the calendar says.
"""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from msgspec import Struct

from tachyon.errors import CloudError, ConfigurationError
from tachyon.graph.cluster_file import read_cluster_file
from tachyon.graph.view.columns import F64
from tachyon.openstack.telemetry.datasource import Datasource, Points, Query, SeriesQuery, Value
from tachyon.openstack.telemetry.metrics import METRICS
from tachyon.openstack.telemetry.reducing import reduced
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

_COLUMNS = ("timestamp", "resource", "value")

#: Names that series of cluster files bear beside that of the metric itself.
_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "instance_cpu_usage": ("cpu_usage", "cpu_util"),
        "instance_ram_usage": ("ram_usage", "memory_usage"),
    }
)


class _Table(Struct, frozen=True):
    """The series of one metric: by label, moments (rising) and values."""

    series: Mapping[str, tuple[F64, F64]]
    end: float


class SeriesFiles(Datasource):
    """A cluster file or a folder of tables; read again when it changes.

    Args:
        names: how a series or table of each metric is called.
        path: of the file or folder.
    """

    name: ClassVar[str] = "file"
    default_names: ClassVar[Mapping[str, Any]] = MappingProxyType({m: m for m in METRICS})

    def __init__(self, names: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
        super().__init__(names)
        self.path = Path(path)
        self._lock = threading.Lock()
        self._read: dict[str, tuple[float, _Table | None]] = {}
        self._cluster: tuple[float, dict[str, _Table]] = (-1.0, {})

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> SeriesFiles:
        """Return the file or folder that `[file_client]` names."""
        path = surroundings.conf.file_client.path
        if not path:
            raise ConfigurationError("[file_client] path is not given")
        return cls(names, path)

    def check_availability(self) -> bool:
        """Tell whether the file or folder is there."""
        return self.path.exists()

    def list_metrics(self) -> set[str]:
        """Return the names of all series or tables."""
        if self.path.is_dir():
            return {p.stem for p in self.path.iterdir() if p.suffix in (".csv", ".parquet")}
        return set(self._of_cluster())

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        table = self._table(query.metric, str(name))
        if table is None:
            return
        for label, (moments, values) in table.series.items():
            first = np.searchsorted(moments, table.end - query.period, side="left")
            inside = values[first:]
            if inside.size or query.aggregate == "count":
                yield label, reduced(inside, query.aggregate)

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        table = self._table(query.metric, str(name))
        for label, (moments, values) in (table.series if table else {}).items():
            yield label, moments, values

    def end(self, metric: str) -> float | None:
        """Return the moment after a metric's last value; None where there is none."""
        table = self._table(metric, str(self.names.get(metric)))
        return None if table is None else table.end

    def _table(self, metric: str, name: str) -> _Table | None:
        if not self.path.is_dir():
            of_cluster = self._of_cluster()
            names = (name, *_ALIASES.get(metric, ()))
            return next((of_cluster[n] for n in names if n in of_cluster), None)
        for suffix, read in ((".csv", _csv), (".parquet", _parquet)):
            path = self.path / f"{name}{suffix}"
            with self._lock:
                if not path.exists():
                    continue
                changed = path.stat().st_mtime
                if self._read.get(path.name, (None,))[0] != changed:
                    self._read[path.name] = (changed, read(path))
                return self._read[path.name][1]
        return None

    def _of_cluster(self) -> dict[str, _Table]:
        with self._lock:
            try:
                changed = self.path.stat().st_mtime
            except OSError as error:
                raise CloudError(f"file: {self.path} cannot be read: {error.strerror}") from error
            if self._cluster[0] != changed:
                self._cluster = (changed, _series(self.path))
            return self._cluster[1]


def _series(path: Path) -> dict[str, _Table]:
    tables = {}
    for series in read_cluster_file(path).metrics:
        start = 0.0 if series.start is None else series.start.timestamp()
        found = {}
        longest = 0
        for uuid, values in series.values.items():
            longest = max(longest, len(values))
            moments: F64 = start + series.period * np.arange(len(values), dtype=np.float64)
            found[uuid] = (moments, np.array(values, np.float64))
        tables[series.name] = _Table(found, start + series.period * longest)
    return tables


def _csv(path: Path) -> _Table:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        _check_columns(path, reader.fieldnames or ())
        return _grouped(_csv_rows(path, reader))


def _csv_rows(
    path: Path, reader: Iterable[Mapping[str, str]]
) -> Iterator[tuple[str, float, float]]:
    for number, row in enumerate(reader, start=2):
        try:
            value = float(row["value"]) if row["value"].strip() else float("nan")
            yield row["resource"], _moment(row["timestamp"]), value
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"file: {path}, line {number}: {error}") from error


def _parquet(path: Path) -> _Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            f"file: {path}: Parquet needs the extra tachyon[parquet]"
        ) from error
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise ConfigurationError(f"file: {path}: {error}") from error
    _check_columns(path, table.column_names)
    columns = [table.column(name).to_pylist() for name in _COLUMNS]
    return _grouped(
        (str(label), _moment(moment), float("nan") if value is None else float(value))
        for moment, label, value in zip(*columns, strict=True)
    )


def _check_columns(path: Path, found: Iterable[str]) -> None:
    missing = [name for name in _COLUMNS if name not in set(found)]
    if missing:
        raise ConfigurationError(f"file: {path} has no column {', '.join(missing)}")


def _moment(value: Any) -> float:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    try:
        return float(value)
    except ValueError:
        return _moment(datetime.fromisoformat(value))


def _grouped(rows: Iterable[tuple[str, float, float]]) -> _Table:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for label, moment, value in rows:
        moments, values = found.setdefault(label, ([], []))
        moments.append(moment)
        values.append(value)
    series = {}
    end = -np.inf
    step = np.inf
    for label, (moments, values) in found.items():
        order = np.argsort(moments, kind="stable")
        times = np.array(moments, np.float64)[order]
        series[label] = (times, np.array(values, np.float64)[order])
        end = max(end, float(times[-1]))
        if times.size > 1:
            step = min(step, float(np.diff(times).min()))
    return _Table(series, float(end) + (step if np.isfinite(step) else 1.0))
