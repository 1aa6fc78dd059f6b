"""The contract of a collector: what a plug-in of the group `tachyon.collectors` is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import ClassVar

from msgspec import Struct, field

from tachyon.graph.entities import Entity
from tachyon.graph.mutations import Cluster, RecordKind
from tachyon.graph.view import View
from tachyon.openstack.connection import Connection


class Reading(Struct, kw_only=True):
    """What a collector read.

    `cluster` is everything of the collector's types; `missing` names what could not be had and
    kept its last known state (hosts are marked `extra["stale"]`); `disagreements` counts where
    services contradict each other, by kind.
    """

    cluster: Cluster
    missing: list[str] = field(default_factory=list)
    disagreements: Counter[str] = field(default_factory=Counter)


class Collector(ABC):
    """Reads one model of a cloud.

    `provider_types` and `consumer_types` are the types that are the collector's own: what it does
    not read of them is removed from the graph. `records` are the kinds of records it reads.
    """

    name: ClassVar[str]
    provider_types: ClassVar[tuple[str, ...]]
    consumer_types: ClassVar[tuple[str, ...]] = ()
    records: ClassVar[tuple[RecordKind, ...]] = ()

    @abstractmethod
    def applies(self, cloud: Connection) -> bool:
        """Tell whether the cloud has the services that the model is about."""

    @abstractmethod
    def read(self, cloud: Connection, known: View) -> Reading:
        """Read the model.

        Args:
            cloud: to ask.
            known: the graph as it was when the reading began; gives what need not be asked again,
                and what stands in for what cannot be had.

        Raises:
            CloudError: what nothing can stand in for could not be had.
        """

    def owns(self, record: Entity) -> bool:
        """Tell whether a record of one of `records` is the collector's to remove."""
        return True
