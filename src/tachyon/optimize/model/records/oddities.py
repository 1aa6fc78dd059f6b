"""What a model's element says that the graph's fields cannot.

Watcher's elements may lack any field, name a state that no OpenStack service has, or stand on a
host that has no inventories. Whatever of an element would not come back from the graph's own
fields lies in the record's `extra` under one key, so that a model read from the graph has the
same elements as the one that was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from tachyon.optimize.model.elements.element import Element
from tachyon.optimize.model.elements.fields import UNSET

#: Where oddities lie in a record's `extra`.
KEY = "watcher_model"


class Oddities(Struct, omit_defaults=True):
    """Differences between an element and what its record's own fields say.

    Attributes:
        set: fields whose values differ.
        unset: fields that the element does not have.
        hosts: keys of what it stands on, where its record's allocations or parent do not say so.
        since: the generation at which it came to stand there, of such an element.
        order: keys of what stands on it, where that is not the order in which they came into the
            graph.
    """

    set: dict[str, Any] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    hosts: list[str] | None = None
    since: int = 0
    order: list[str] | None = None

    def apply(self, element: type[Element], values: dict[str, Any]) -> None:
        """Make what a record's own fields say into what the element says."""
        fields = element.fields
        for name, value in self.set.items():
            values[name] = fields[name].coerce(name, value)
        for name in self.unset:
            values.pop(name, None)


def differences(
    told: Mapping[str, Any],
    meant: Mapping[str, Any],
    hosts: list[str] | None = None,
    order: list[str] | None = None,
) -> Oddities | None:
    """Return what must be said besides a record that tells `told` of an element that says `meant`.

    Returns None when nothing must be.
    """
    found = Oddities(
        set={name: value for name, value in meant.items() if told.get(name, UNSET) != value},
        unset=[name for name in told if name not in meant],
        hosts=hosts,
        order=order,
    )
    return None if found == Oddities() else found


def without(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's `extra` as its owner wrote it."""
    return {name: value for name, value in extra.items() if name != KEY}


def of(extra: Mapping[str, Any]) -> Oddities | None:
    """Return the oddities in a record's `extra`."""
    found = extra.get(KEY)
    return None if found is None else msgspec.convert(found, Oddities)
