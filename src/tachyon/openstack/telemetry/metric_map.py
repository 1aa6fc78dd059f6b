"""Names of metrics by datasource, as built in and as the operator's YAML file overrides them.

Each selection of datasources reads the file anew and keeps what it read to itself; nothing that one
audit sees changes what another one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tachyon.errors import ConfigurationError
from tachyon.openstack.telemetry.metrics import METRICS

#: By datasource and metric: the database's name of it; None: the datasource is not to have it.
MetricMap = dict[str, dict[str, Any]]


def read_metric_map(path: str | None, known: Mapping[str, Mapping[str, Any]]) -> MetricMap:
    """Return the metric map of each datasource, overridden by a file if there is one.

    Args:
        path: of a YAML file; None, or one that does not exist: nothing is overridden.
        known: by datasource, the names that are built in.

    Raises:
        ConfigurationError: the file is no metric map; names every place that is wrong.

    A datasource's entry is a mapping from metrics to names, or a list of such mappings.
    """
    merged: MetricMap = {name: dict(names) for name, names in known.items()}
    if not path or not Path(path).exists():
        return merged
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"metric map {path} cannot be read: {error}") from error
    problems: list[tuple[str, str]] = []
    for name, entry in _entries(content, "", problems):
        if name not in merged:
            problems.append((name, f"is no datasource; there are: {', '.join(sorted(merged))}"))
            continue
        for metric, target in _entries(entry, name, problems):
            if metric not in METRICS:
                problems.append((f"{name}.{metric}", "is no metric"))
            elif target is not None and not isinstance(target, str | dict):
                problems.append((f"{name}.{metric}", f"expected a name, found {target!r}"))
            else:
                merged[name][metric] = target
    if problems:
        listed = "; ".join(f"{place or '$'}: {reason}" for place, reason in problems)
        raise ConfigurationError(
            f"metric map {path}: {listed}",
            errors=[{"path": place or "$", "reason": reason} for place, reason in problems],
        )
    return merged


def _entries(content: Any, place: str, problems: list[tuple[str, str]]) -> list[tuple[str, Any]]:
    """Return the pairs of a mapping, or of a list of mappings."""
    if content is None:
        return []
    parts = content if isinstance(content, list) else [content]
    found: list[tuple[str, Any]] = []
    for part in parts:
        if isinstance(part, dict):
            found += [(str(key), value) for key, value in part.items()]
        else:
            problems.append((place, f"expected a mapping, found {part!r}"))
    return found
