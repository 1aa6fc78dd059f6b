"""What is Neo4j's own in the store: notifications, URLs, references, dangling attachments."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import neo4j
import pytest

from tachyon.errors import ConfigurationError, GenerationTooOld, SessionConflict, StoreUnavailable
from tachyon.graph.deltas import Deallocate, Move
from tachyon.graph.entities import Attachment, Consumer, Flavor, HostAggregate, Project
from tachyon.graph.mutations import (
    Cluster,
    PatchConsumer,
    PatchProvider,
    PutConsumer,
    PutFlavor,
    PutHostAggregate,
    PutProject,
    RemoveConsumer,
    RemoveProvider,
    RemoveRecord,
    Synchronise,
)
from tachyon.graph.store.neo4j import Neo4jStore, changelog
from tachyon.graph.store.neo4j.connection import Connection
from tests.mapping import cluster
from tests.servers.neo4j import Neo4j
from tests.servers.process import HOST, free_port


@pytest.fixture
def url(neo4j_url: str, fresh_database: Callable[[str], str]) -> str:
    return fresh_database(neo4j_url)


@pytest.fixture
def driver(url: str) -> Iterator[neo4j.Driver]:
    with neo4j.GraphDatabase.driver(url) as opened:
        yield opened


@pytest.fixture
def store(url: str) -> Iterator[Neo4jStore]:
    opened = Neo4jStore.open(url)
    opened.create_schema()
    yield opened
    opened.close()


def rows(driver: neo4j.Driver, text: str) -> list[list[Any]]:
    return [list(r.values()) for r in driver.execute_query(text, database_="neo4j").records]


def exercise(store: Neo4jStore) -> None:
    """Call every method of a store that holds the sample cluster, and change all of it."""
    record, deltas = cluster.session()
    store.create_session(record, deltas)
    store.append_deltas("s1", [Move(consumer_uuid="i1", to_provider="c2")], version=0)
    store.undo_deltas("s1", 1, version=1)
    store.update_session("s1", version=2, expires_at=record.expires_at + timedelta(days=1))
    assert [s.id for s in store.sessions(audit_uuid="audit-1", status="active")] == ["s1"]
    generation = store.generation()
    store.apply(
        [
            PatchProvider(uuid="c1", inventories={}, traits=("ONE",), aggregates=()),
            PatchProvider(uuid="pool-a", parent_uuid=None),
            PatchConsumer(uuid="i1", allocations={"c2": {"VCPU": 1}}, flavor_id=None),
            PatchConsumer(uuid="v2", attachments=()),
            RemoveRecord(kind="project", key="project-1"),
            RemoveRecord(kind="flavor", key="large"),
        ]
    )
    store.apply([RemoveProvider(uuid="store1", cascade=True), RemoveConsumer(uuid="i2")])
    store.apply([Synchronise(cluster=Cluster(), since=generation)])
    assert store.changes(generation).changes
    store.load()
    store.trim(1)
    store.expire_sessions(record.expires_at + timedelta(days=2))
    store.delete_session("s1")
    store.apply([Synchronise(cluster=Cluster())])


def test_no_statement_draws_a_warning_from_neo4j(url: str) -> None:
    """Deprecated syntax, unknown names or slow plans would show as notifications of WARNING.

    The first round makes all labels, types and properties known to the database.
    """
    with neo4j.GraphDatabase.driver(
        url, warn_notification_severity=neo4j.NotificationMinimumSeverity.WARNING
    ) as driver:
        store = Neo4jStore(Connection(driver, "neo4j"))
        store.create_schema()
        for action in ("ignore", "error"):
            with warnings.catch_warnings():
                warnings.simplefilter(action, neo4j.warnings.Neo4jWarning)
                store.create_schema()
                store.apply([Synchronise(cluster=cluster.cluster())])
                exercise(store)


def test_nothing_is_left_of_what_was_removed(store: Neo4jStore, driver: neo4j.Driver) -> None:
    """Names go with their last reference, and so do inventories, extra specs and audits."""
    store.apply([Synchronise(cluster=cluster.cluster())])
    exercise(store)
    left = rows(driver, "MATCH (n) WHERE NOT n:ChangeLogEntry RETURN DISTINCT labels(n)")
    assert left == [[["GlobalState"]]]
    assert rows(driver, "MATCH ()-[e]->() RETURN count(e)") == [[0]]


def test_a_name_becomes_a_record_and_a_name_again(store: Neo4jStore, driver: neo4j.Driver) -> None:
    """A node stands for a name as long as something refers to it, described or not."""
    project = "MATCH (p:Project) RETURN p.external_id, p.name, p.described"
    store.apply([PutConsumer(consumer=Consumer(uuid="c", project_id="p1"))])
    assert rows(driver, project) == [["p1", None, None]]
    store.apply([PutProject(project=Project(external_id="p1", name="web"))])
    assert rows(driver, project) == [["p1", "web", True]]
    store.apply([RemoveRecord(kind="project", key="p1")])
    assert rows(driver, project) == [["p1", None, None]]
    store.apply([RemoveConsumer(uuid="c")])
    assert rows(driver, project) == []


def test_records_keep_their_own_parts(store: Neo4jStore, driver: neo4j.Driver) -> None:
    store.apply(
        [
            PutFlavor(flavor=Flavor(id="f", extra_specs={"a": "1", "b": "2"})),
            PutHostAggregate(host_aggregate=HostAggregate(name="h", availability_zone="z")),
        ]
    )
    store.apply([PutFlavor(flavor=Flavor(id="f", extra_specs={"b": "3"}))])
    specs = "MATCH (:Flavor {id: 'f'})-[:HAS_EXTRA_SPEC]->(x:ExtraSpec) RETURN x.key, x.value"
    assert rows(driver, specs) == [["b", "3"]]
    zone = "MATCH (:HostAggregate {name: 'h'})-[:LOCATED_IN]->(z:AvailabilityZone) RETURN z.name"
    assert rows(driver, zone) == [["z"]]


def test_an_attachment_waits_for_its_instance(store: Neo4jStore, driver: neo4j.Driver) -> None:
    """ATTACHED_TO points at a place holder until the instance is known, and after it is gone."""
    target = "MATCH (:Consumer {uuid: 'v'})-[:ATTACHED_TO]->(n) RETURN labels(n), n.uuid, n.name"
    attachment = Attachment(consumer_uuid="i", attachment_id="a")
    store.apply([PutConsumer(consumer=Consumer(uuid="v", attachments=(attachment,)))])
    assert rows(driver, target) == [[["AbsentConsumer"], "i", None]]
    store.apply([PutConsumer(consumer=Consumer(uuid="i", name="vm"))])
    assert rows(driver, target) == [[["Consumer"], "i", "vm"]]
    store.apply([RemoveConsumer(uuid="i")])
    assert rows(driver, target) == [[["AbsentConsumer"], "i", None]]
    store.apply([RemoveConsumer(uuid="v")])
    assert rows(driver, "MATCH (n:AbsentConsumer) RETURN n") == []


def test_deltas_can_be_queried(store: Neo4jStore, driver: neo4j.Driver) -> None:
    """A move carries what the consumer holds, since people query that in Cypher."""
    store.apply([Synchronise(cluster=cluster.cluster())])
    record, _ = cluster.session()
    store.create_session(record, [Deallocate(consumer_uuid="i4")])
    text = """MATCH (:Audit {uuid: 'audit-1'})<-[:FOR_AUDIT]-(s)-[:HAS_DELTA]->(d:SpeculativeDelta)
        RETURN s.status, d.sequence, d.type, d.resource_classes, d.resource_amounts"""
    assert rows(driver, text) == [["active", 1, "DEALLOCATE", ["MEMORY_MB", "VCPU"], [512, 1]]]


def test_a_large_transaction_is_not_logged_unless_a_session_needs_it(
    store: Neo4jStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changelog, "LOGGED_AT_MOST", 3)
    four = [PutConsumer(consumer=Consumer(uuid=f"c{n}")) for n in range(4)]
    store.apply(four)
    with pytest.raises(GenerationTooOld):
        store.changes(0)
    assert store.changes(1).changes == []
    store.create_session(cluster.session()[0])
    store.apply([RemoveConsumer(uuid=f"c{n}") for n in range(4)])
    assert len(store.changes(1).changes) == 4


def test_positions_are_unique_over_threads(store: Neo4jStore, driver: neo4j.Driver) -> None:
    """The counter of positions is read behind the lock, so no two consumers share one."""

    def create(thread: int) -> None:
        for number in range(20):
            store.apply([PutConsumer(consumer=Consumer(uuid=f"{thread}-{number}"))])

    threads = [threading.Thread(target=create, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = "MATCH (c:Consumer) RETURN count(c), count(DISTINCT c.position)"
    assert rows(driver, count) == [[80, 80]]


def test_a_snapshot_is_of_one_generation_while_writers_write(store: Neo4jStore) -> None:
    """All consumers carry the number of the transaction that the snapshot ends with."""
    names = [f"c{n}" for n in range(50)]
    store.apply([PutConsumer(consumer=Consumer(uuid=name)) for name in names])
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            store.apply([PatchConsumer(uuid=name, name=str(number)) for name in names])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            snapshot = store.load()
            assert len(set(snapshot.consumers.name)) == 1
            assert set(snapshot.consumers.generation) == {snapshot.generation}
            feed = store.changes(snapshot.generation - 1, limit=1)
            assert [c.generation for c in feed.changes] == [snapshot.generation] * len(names)
    finally:
        done.set()
        writer.join()


def test_the_schema_can_be_made_by_many_at_once(url: str) -> None:
    stores = [Neo4jStore.open(url) for _ in range(4)]
    failures: list[Exception] = []

    def create(store: Neo4jStore) -> None:
        try:
            store.create_schema()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=create, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [store.generation() for store in stores] == [0] * 4
    for store in stores:
        store.close()


def test_a_session_id_is_taken_once(store: Neo4jStore) -> None:
    record, deltas = cluster.session()
    store.create_session(record, deltas)
    with pytest.raises(SessionConflict):
        store.create_session(record)
    assert store.deltas(record.id) == deltas


def test_a_server_that_is_away_is_unavailable() -> None:
    store = Neo4jStore.open(f"bolt://{HOST}:{free_port()}?retry_time=0.2")
    with pytest.raises(StoreUnavailable):
        store.generation()
    store.close()


def test_a_database_without_schema_is_unavailable(url: str) -> None:
    store = Neo4jStore.open(url)
    with pytest.raises(StoreUnavailable, match="schema"):
        store.apply([PutConsumer(consumer=Consumer(uuid="c"))])
    store.close()


@pytest.mark.parametrize("url", ["bolt://h?colour=red", "bolt://h?retry_time=soon", "nolt://h"])
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Neo4jStore.open(url)


def test_credentials_come_from_the_url() -> None:
    """The database may be named in the path; a wrong password is an error of configuration."""
    with Neo4j(password="p@ss/word") as server:
        address = f"{HOST}:{server.port}/neo4j"
        store = Neo4jStore.open(f"bolt://neo4j:p%40ss%2Fword@{address}")
        store.create_schema()
        assert store.generation() == 0
        store.close()
        stranger = Neo4jStore.open(f"bolt://neo4j:wrong-one@{address}")
        with pytest.raises(ConfigurationError):
            stranger.generation()
        stranger.close()
