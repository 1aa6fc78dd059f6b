"""The durable graph: one contract (`contract`), its stores (`sql`, `neo4j`)."""

from tachyon.graph.store.contract import (
    Applied,
    Change,
    ChangeSet,
    ConsumerColumns,
    Snapshot,
    Store,
)
from tachyon.graph.store.opening import open_store

__all__ = [
    "Applied",
    "Change",
    "ChangeSet",
    "ConsumerColumns",
    "Snapshot",
    "Store",
    "open_store",
]
