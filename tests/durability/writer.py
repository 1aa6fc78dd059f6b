"""A process that writes and acknowledges until it is killed.

Each turn moves every consumer at once and writes the turn into each of them, so that a
transaction of which half is stored shows; then it appends to a session. What the store has
confirmed goes down the pipe, after the fact.
"""

from __future__ import annotations

from multiprocessing.connection import Connection

from tachyon.errors import StoreUnavailable
from tachyon.graph.deltas import Move
from tachyon.graph.entities import AvailabilityZone
from tachyon.graph.mutations import PatchConsumer, PutAvailabilityZone, PutConsumer, PutProvider
from tachyon.graph.store import Store, open_store
from tests.conformance.cluster import host, instance, record

CONSUMERS = [f"c{n}" for n in range(5)]
HOSTS = ["p0", "p1"]
SESSION = "s1"
#: Deltas appended in a turn.
PORTION = 3


def prepare(url: str) -> None:
    """Fill an empty store with what the writers change."""
    store = open_store(url)
    store.apply(
        [
            *(PutProvider(provider=host(uuid)) for uuid in HOSTS),
            *(PutConsumer(consumer=instance(uuid, HOSTS[0])) for uuid in CONSUMERS),
        ]
    )
    store.create_session(record(SESSION))
    store.close()


def turn(store: Store, number: int) -> int:
    """Do one turn; returns the generation that the store reports."""
    held = {HOSTS[number % 2]: {"VCPU": number, "MEMORY_MB": number}}
    return store.apply(
        [
            PutAvailabilityZone(availability_zone=AvailabilityZone(name=f"turn-{number}")),
            *(
                PatchConsumer(uuid=uuid, allocations=held, metadata={"turn": number})
                for uuid in CONSUMERS
            ),
        ]
    ).generation


def write(url: str, pipe: Connection) -> None:
    """Write until killed, or until the server is gone."""
    store = open_store(url)
    generation, version = store.generation(), store.session(SESSION).version
    deltas = [Move(consumer_uuid="c", to_provider=str(n)) for n in range(PORTION)]
    try:
        while True:
            generation = turn(store, generation)
            pipe.send((generation, version))
            version = store.append_deltas(SESSION, deltas, version).version
            pipe.send((generation, version))
    except StoreUnavailable:
        pipe.send(None)
