"""The characters of a view's instances, and their values from the model and from measurements."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import numpy as np
from msgspec import Struct

from tachyon.errors import InvalidInput
from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64
from tachyon.optimize.grammar.character import Character
from tachyon.optimize.grammar.evaluation import evaluate, fulfilment
from tachyon.optimize.grammar.reading import read_character

#: Metadata keys that hold a character; the first that is there counts.
KEYS = ("workload_character", "watcher-workload-grammar")

#: Names in characters → resource classes that the model knows.
_HELD: Mapping[str, str] = MappingProxyType(
    {"vcpus": "VCPU", "memory": "MEMORY_MB", "memory_mb": "MEMORY_MB", "disk": "DISK_GB"}
)
#: Names in characters → metrics that strategies ask for.
MEASURED: Mapping[str, str] = MappingProxyType(
    {
        "cpu_util": "instance_cpu_usage",
        "memory.usage": "instance_ram_usage",
        "memory.resident": "instance_ram_usage",
        "cpu_l3_cache": "instance_l3_cache_usage",
        "disk.root.size": "instance_root_disk_size",
    }
)


class Characters(Struct, frozen=True, kw_only=True):
    """The characters of a view's instances.

    Attributes:
        rows: by character, the consumer rows of the instances that have it.
        mistakes: by instance's uuid, what is wrong with its text, with the place; it counts as
            having none.
    """

    rows: tuple[tuple[Character, I64], ...]
    mistakes: Mapping[str, str]

    def metrics(self) -> frozenset[str]:
        """Return the metrics that have to be measured to judge them all."""
        names = {unit.name for character, _ in self.rows for unit in character.units.values()}
        return frozenset(_metric(name) for name in names if _metric(name))

    def holding(self, view: View, measured: Mapping[str, F64]) -> F64:
        """Return by consumer row (N) whether an instance's character holds: 1, 0 or NaN.

        Args:
            view: the one that the characters are of.
            measured: by metric, a value for each consumer row; NaN where there is none.
        """
        found = np.full(view.consumer_rows, np.nan)
        for character, rows in self.rows:
            found[rows] = evaluate(character, _values(character, view, measured, rows))
        return found

    def fulfilment(self, view: View, measured: Mapping[str, F64]) -> F64:
        """Return by consumer row (N) how far an instance's character is fulfilled, 0 to 1."""
        found = np.full(view.consumer_rows, np.nan)
        for character, rows in self.rows:
            found[rows] = fulfilment(character, _values(character, view, measured, rows))
        return found


def characters_of(view: View) -> Characters:
    """Return the characters that the metadata of a view's instances tell of."""
    of_text: dict[str, list[int]] = {}
    for row in np.flatnonzero(view.consumers.alive).tolist():
        text = view.consumers.metadata[row]
        if text is None or not any(f'"{key}"' in text for key in KEYS):
            continue
        metadata = msgspec.json.decode(text)
        written = next((metadata[key] for key in KEYS if key in metadata), None)
        if isinstance(written, str):
            of_text.setdefault(written, []).append(row)
    rows: list[tuple[Character, I64]] = []
    mistakes: dict[str, str] = {}
    for written, some in of_text.items():
        try:
            rows.append((read_character(written), np.array(some, np.int64)))
        except InvalidInput as error:
            mistakes.update((view.consumers.uuid[row], error.message) for row in some)
    return Characters(rows=tuple(rows), mistakes=mistakes)


def _metric(name: str) -> str:
    return MEASURED.get(name, name if name.startswith("instance_") else "")


def _values(
    character: Character, view: View, measured: Mapping[str, F64], rows: I64
) -> Mapping[str, F64]:
    values = {}
    for unit in character.units.values():
        column = view.class_index.get(_HELD.get(unit.name, ""))
        metric = measured.get(_metric(unit.name))
        if column is not None:
            values[unit.name] = view.consumers.demand[rows, column].astype(np.float64)
        elif metric is not None:
            values[unit.name] = metric[rows]
        else:
            values[unit.name] = np.full(rows.size, np.nan)
    return values
