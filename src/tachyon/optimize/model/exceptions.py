"""What models raise, under Watcher's names.

A model raises the classes of its `exceptions`. Beside a stock Watcher these are Watcher's own
(the plug-in hands them in), so that its `except` clauses catch them; without it they are the ones
below, of Tachyon's hierarchy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tachyon.errors import Conflict, InvalidInput, NotFound


class _Missing(NotFound):
    """Something that a model does not have, by the keyword that Watcher gives it."""

    noun = "resource"

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        named = ", ".join(str(value) for value in facts.values())
        super().__init__(message or f"The {self.noun} {named} could not be found", **facts)


class ComputeResourceNotFound(_Missing):
    """A compute model has no such resource."""

    noun = "compute resource"


class InstanceNotFound(ComputeResourceNotFound):
    """A compute model has no such instance."""

    noun = "instance"


class InstanceNotMapped(ComputeResourceNotFound):
    """An instance stands on no host."""

    noun = "host of instance"


class ComputeNodeNotFound(ComputeResourceNotFound):
    """A compute model has no such host."""

    noun = "compute node"


class StorageResourceNotFound(_Missing):
    """A storage model has no such resource."""

    noun = "storage resource"


class StorageNodeNotFound(StorageResourceNotFound):
    """A storage model has no such storage host."""

    noun = "storage node"


class PoolNotFound(StorageResourceNotFound):
    """A storage model has no such pool, or a volume lies in none."""

    noun = "pool"


class VolumeNotFound(StorageResourceNotFound):
    """A storage model has no such volume."""

    noun = "volume"


class BaremetalResourceNotFound(_Missing):
    """A bare-metal model has no such resource."""

    noun = "baremetal resource"


class IronicNodeNotFound(BaremetalResourceNotFound):
    """A bare-metal model has no such node."""

    noun = "ironic node"


class IllegalArgumentException(InvalidInput):
    """An argument is no element of the kind asked for."""


class NoSuchEdge(Conflict):
    """Something does not stand where the caller says (NetworkX's `NetworkXError` in Watcher)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """The classes that a model raises, by Watcher's names; `NetworkXError` takes a message."""

    ComputeResourceNotFound: Callable[..., Exception] = ComputeResourceNotFound
    InstanceNotFound: Callable[..., Exception] = InstanceNotFound
    InstanceNotMapped: Callable[..., Exception] = InstanceNotMapped
    ComputeNodeNotFound: Callable[..., Exception] = ComputeNodeNotFound
    StorageResourceNotFound: Callable[..., Exception] = StorageResourceNotFound
    StorageNodeNotFound: Callable[..., Exception] = StorageNodeNotFound
    PoolNotFound: Callable[..., Exception] = PoolNotFound
    VolumeNotFound: Callable[..., Exception] = VolumeNotFound
    BaremetalResourceNotFound: Callable[..., Exception] = BaremetalResourceNotFound
    IronicNodeNotFound: Callable[..., Exception] = IronicNodeNotFound
    IllegalArgumentException: Callable[..., Exception] = IllegalArgumentException
    NetworkXError: Callable[..., Exception] = NoSuchEdge


#: What models raise that nobody told otherwise.
OWN = Exceptions()
