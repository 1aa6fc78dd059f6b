"""Scoring engines to try the machinery with: a hand-made classifier, and three folds of a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tachyon.errors import InvalidInput
from tachyon.optimize.scoring.base import ScoringEngine, ScoringEngineContainer

WORKLOADS = ("idle", "cpu-intensive", "memory-intensive", "disk-intensive")

_FEATURES = (
    "cpu_utilization",
    "memory_total",
    "memory_available",
    "memory_page_reads_per_sec",
    "memory_page_writes_per_sec",
    "disk_read_bytes_per_sec",
    "disk_write_bytes_per_sec",
    "network_bytes_received_per_sec",
    "network_bytes_sent_per_sec",
)
_BUSY_CPU, _HALF_CPU = 80, 40
_BUSY_PAGES, _HALF_PAGES = 1000, 500
_BUSY_DISK = 50 * 2**20


def _numbers(features: str, count: int | None = None) -> list[float]:
    """Read a JSON list of numbers; raises `InvalidInput` for anything else."""
    try:
        values = json.loads(features)
    except ValueError as error:
        raise InvalidInput(f"features are no JSON: {error}") from None
    numeric = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in values
    )
    if not numeric or not values or (count is not None and len(values) != count):
        wanted = "a list of numbers" if count is None else f"a list of {count} numbers"
        raise InvalidInput(f"features are not {wanted}")
    return [float(v) for v in values]


class DummyScorer(ScoringEngine):
    """Tells what kind of workload an instance runs, by nine figures."""

    name = "dummy_scorer"
    description = "Dummy Scorer calculating the average workload of an instance."
    metainfo = json.dumps(
        {
            "feature_columns": _FEATURES,
            "result_columns": ("workload", *(f"{w}_probability" for w in WORKLOADS)),
            "workloads": WORKLOADS,
        }
    )

    def calculate_score(self, features: str) -> str:
        """Return the number of the workload and a probability in per cent for each."""
        cpu, _, _, reads, writes, disk_read, disk_write, *_ = _numbers(features, len(_FEATURES))
        shares = [0, 0, 0, 0]
        if cpu >= _BUSY_CPU:
            workload = 1
        elif reads >= _BUSY_PAGES and writes >= _BUSY_PAGES:
            workload = 2
        elif disk_read >= _BUSY_DISK and disk_write >= _BUSY_DISK:
            workload = 3
        else:
            workload = 0
            if cpu >= _HALF_CPU:
                shares[1] = 50
            if reads >= _HALF_PAGES or writes >= _HALF_PAGES:
                shares[2] = 50
        shares[workload] = 100
        return json.dumps([workload, *shares])


class _Fold(ScoringEngine):
    """One number made of a list of numbers."""

    def __init__(self, name: str, description: str, fold: Callable[[list[float]], float]) -> None:
        self.name = name
        self.description = description
        self._fold = fold

    def calculate_score(self, features: str) -> str:
        """Return a list with the number."""
        return json.dumps([self._fold(_numbers(features))])


class DummyScoringContainer(ScoringEngineContainer):
    """Three engines in one plug-in."""

    @classmethod
    def engines(cls) -> Sequence[ScoringEngine]:
        """Return the least, the greatest and the mean."""
        return (
            _Fold("dummy_min_scorer", "Dummy Scorer calculating the minimum value", min),
            _Fold("dummy_max_scorer", "Dummy Scorer calculating the maximum value", max),
            _Fold(
                "dummy_avg_scorer",
                "Dummy Scorer calculating the average value",
                lambda values: sum(values) / len(values),
            ),
        )
