"""The mapping page's Cypher on our data: Neo4j answers as our own view and sessions do.

Where the page's text cannot run, or gives another answer than its words promise, that is checked
too, so that each repair in `tests.mapping.statements` stays a necessary one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import neo4j
import pytest
from neo4j.exceptions import ClientError

from tachyon.graph.deltas import Move
from tachyon.graph.entities import Allocations, Consumer, ResourceProvider
from tachyon.graph.mutations import PatchConsumer, Synchronise
from tachyon.graph.simulation import Session
from tachyon.graph.store.neo4j import Neo4jStore
from tachyon.graph.view import View, build
from tests.mapping import cluster
from tests.mapping.statements import STATEMENTS

DATABASE = "neo4j"


class Cloud(NamedTuple):
    """The sample cluster in Neo4j, by way of the store, the view and a bare driver."""

    store: Neo4jStore
    driver: neo4j.Driver

    def view(self) -> View:
        return build(self.store.load())

    def ask(self, text: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a statement and undo what it wrote; dictionaries of its rows."""
        with self.driver.session(database=DATABASE) as session:
            transaction = session.begin_transaction()
            try:
                return [dict(record) for record in transaction.run(text, parameters)]
            finally:
                transaction.rollback()

    def execute(self, text: str, **parameters: Any) -> None:
        self.driver.execute_query(text, parameters, database_=DATABASE)


@pytest.fixture
def cloud(neo4j_url: str, fresh_database: Callable[[str], str]) -> Iterator[Cloud]:
    store = Neo4jStore.open(fresh_database(neo4j_url))
    store.create_schema()
    store.apply([Synchronise(cluster=cluster.cluster())])
    store.create_session(*cluster.session())
    with neo4j.GraphDatabase.driver(neo4j_url) as driver:
        yield Cloud(store, driver)
    store.close()


# What the statements answer, and what we say to the same question -----------------------------


def uuids(rows: list[dict[str, Any]]) -> list[str]:
    """The uuids of a single column of nodes; duplicates would show."""
    return sorted(node["uuid"] for row in rows for node in row.values())


def as_is(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows


def by_class(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    (row,) = rows
    ((_, listed),) = row.items()
    return {entry["resource"]: entry for entry in listed}


def providers(view: View, wanted: Callable[[ResourceProvider], bool]) -> list[str]:
    rows = view.provider_order.tolist()
    return sorted(p.uuid for p in map(view.provider_at, rows) if wanted(p))


def consumers(view: View, wanted: Callable[[Consumer], bool]) -> list[str]:
    return sorted(c.uuid for c in view.all_consumers() if wanted(c))


def compute_node(view: View) -> list[dict[str, Any]]:
    provider = msgspec.to_builtins(view.provider("c3"))
    inventory = provider["inventories"]["VCPU"]
    del inventory["step_size"]
    node = {n: provider[n] for n in ("uuid", "name", "status", "disabled_reason", "generation")}
    return [{"node": node, "inventory": inventory}]


def an_instance(view: View) -> list[dict[str, Any]]:
    consumer = view.consumer("i3")
    names = ("uuid", "name", "state", "generation", "locked", "watcher_exclude")
    node = {name: getattr(consumer, name) for name in names}
    node["metadata"] = msgspec.json.encode(consumer.metadata).decode()
    used = sum(held["VCPU"] for held in consumer.allocations.values())
    return [{"instance": node, "used": used, "dated": True}]


def baremetal_node(view: View) -> list[dict[str, Any]]:
    provider = view.provider("iron1")
    names = ("uuid", "power_state", "maintenance")
    return [{"node": {name: getattr(provider, name) for name in names}}]


def used(view: View) -> dict[str, dict[str, Any]]:
    return {
        name: {"resource": name, "used": amount}
        for name, amount in Session(view).used("c2").items()
    }


def free(view: View) -> dict[str, dict[str, Any]]:
    return {
        name: {"resource": name, "used": u.used, "capacity": u.capacity, "free": u.free}
        for name, u in Session(view).usage("c2").items()
    }


def instances_of(view: View, host: str) -> list[str]:
    """Consumers of a host and of the providers below it."""
    session = Session(view)
    names = [host, *providers(view, lambda p: p.parent_uuid == host)]
    return sorted({uuid for name in names for uuid in session.consumers_of(name)})


def with_capacity(view: View) -> list[dict[str, Any]]:
    free = {
        uuid: usage["VCPU"].free
        for uuid, usage in Session(view).usages().items()
        if "VCPU" in usage and usage["VCPU"].free >= 20
    }
    ordered = sorted(free.items(), key=lambda item: -item[1])
    return [{"rp.uuid": uuid, "available": available} for uuid, available in ordered]


class Question(NamedTuple):
    """A statement's parameters, its answer as plain values, and our own answer."""

    parameters: dict[str, Any]
    plain: Callable[[list[dict[str, Any]]], Any]
    ours: Callable[[View], Any]


QUESTIONS: dict[str, Question] = {
    "picture_of_a_compute_node": Question({"node_uuid": "c3"}, as_is, compute_node),
    "picture_of_an_instance": Question({"instance_uuid": "i3"}, as_is, an_instance),
    "picture_of_a_pool": Question(
        {"storage_host": "store1", "pool_name": "store1@pool-a"},
        uuids,
        lambda view: providers(
            view, lambda p: p.parent_uuid == "store1" and p.name == "store1@pool-a"
        ),
    ),
    "picture_of_a_baremetal_node": Question({"baremetal_uuid": "iron1"}, as_is, baremetal_node),
    "get_node_by_instance_uuid": Question(
        {"instance_uuid": "i3"}, uuids, lambda view: [Session(view).host("i3")]
    ),
    "get_all_compute_nodes": Question(
        {}, uuids, lambda view: providers(view, lambda p: p.type == "compute")
    ),
    "get_all_instances": Question(
        {},
        uuids,
        lambda view: consumers(view, lambda c: any("VCPU" in h for h in c.allocations.values())),
    ),
    "get_node_instances": Question(
        {"node_uuid": "c1"}, uuids, lambda view: instances_of(view, "c1")
    ),
    "get_node_used_resources": Question({"node_uuid": "c2"}, by_class, used),
    "get_node_free_resources": Question({"node_uuid": "c2"}, by_class, free),
    "get_all_storage_nodes": Question(
        {}, uuids, lambda view: providers(view, lambda p: p.type == "storage")
    ),
    "get_storage_pools": Question(
        {"storage_host": "store1"},
        uuids,
        lambda view: providers(view, lambda p: p.parent_uuid == "store1"),
    ),
    "get_pool_volumes": Question(
        {"pool_name": "store1@pool-b"},
        uuids,
        lambda view: sorted(Session(view).consumers_of("pool-b")),
    ),
    "get_nodes_with_available_capacity": Question(
        {"resource_class": "VCPU", "min_available": 20}, as_is, with_capacity
    ),
}

#: Repaired statements whose own text runs, but answers another question.
WRONG = {"get_all_compute_nodes", "get_node_instances"}
MIGRATIONS = {"migrate_instance", "migrate_instance_in_a_session"}
INDEXES = {title for title in STATEMENTS if title.startswith("index_")}


def test_every_statement_of_the_page_is_tried() -> None:
    assert QUESTIONS.keys() | MIGRATIONS | INDEXES == STATEMENTS.keys()


def test_neo4j_answers_as_the_view_does(cloud: Cloud) -> None:
    view = cloud.view()
    for title, question in QUESTIONS.items():
        rows = cloud.ask(STATEMENTS[title].runnable, **question.parameters)
        ours = question.ours(view)
        assert rows, title
        assert question.plain(rows) == ours, title


def test_what_was_repaired_fails_or_answers_wrongly_as_it_stands(cloud: Cloud) -> None:
    view = cloud.view()
    for title, question in QUESTIONS.items():
        statement = STATEMENTS[title]
        if title in WRONG:
            rows = cloud.ask(statement.text, **question.parameters)
            assert question.plain(rows) != question.ours(view), title
        elif statement.repaired is not None:
            with pytest.raises(ClientError):
                cloud.ask(statement.text, **question.parameters)


@pytest.mark.parametrize("title", sorted(INDEXES))
def test_the_indexes_of_the_page_are_there_already(cloud: Cloud, title: str) -> None:
    """Running the page's statement adds nothing."""
    before = cloud.ask("SHOW INDEXES YIELD name RETURN collect(name) AS names")
    cloud.execute(STATEMENTS[title].text)
    assert cloud.ask("SHOW INDEXES YIELD name RETURN collect(name) AS names") == before


# Statements that write ------------------------------------------------------------------------

MOVE = {"instance_uuid": "i3", "source_uuid": "c2", "dest_uuid": "c3"}
MOVED: Allocations = {"c3": {"VCPU": 8, "MEMORY_MB": 4096, "DISK_GB": 20}}


def _move(cloud: Cloud) -> dict[str, Any]:
    return MOVE | {
        "expected_generation": cloud.view().consumer("i3").generation,
        "allocations": [
            {"resource_class": name, "used": amount} for name, amount in MOVED["c3"].items()
        ],
    }


def _held(cloud: Cloud) -> dict[str, Allocations]:
    return {consumer.uuid: consumer.allocations for consumer in cloud.view().all_consumers()}


def test_a_migration_in_cypher_ends_where_one_through_the_store_ends(cloud: Cloud) -> None:
    before = _held(cloud)
    rows = cloud.ask(STATEMENTS["migrate_instance"].runnable, **_move(cloud))
    assert uuids(rows) == ["i3"]
    cloud.execute(STATEMENTS["migrate_instance"].runnable, **_move(cloud))
    in_cypher = _held(cloud)
    cloud.store.apply([PatchConsumer(uuid="i3", allocations=before["i3"])])
    assert _held(cloud) == before
    cloud.store.apply([PatchConsumer(uuid="i3", allocations=MOVED)])
    assert in_cypher == _held(cloud) == before | {"i3": MOVED}


def test_a_migration_as_the_page_has_it_multiplies_allocations(cloud: Cloud) -> None:
    generation = cloud.view().consumer("i3").generation
    cloud.execute(STATEMENTS["migrate_instance"].text, **_move(cloud))
    count = (
        "MATCH (c:Consumer {uuid: 'i3'})-[a:CONSUMES]->() RETURN count(a) AS n, c.generation AS g"
    )
    assert cloud.ask(count) == [{"n": 9, "g": generation + 9}]


def test_a_move_recorded_in_cypher_is_the_delta_that_the_store_records(cloud: Cloud) -> None:
    record, deltas = cluster.session()
    parameters = {
        "session_id": record.id,
        "instance_uuid": "i3",
        "source_node_uuid": "c1",
        "dest_node_uuid": "c3",
    }
    (row,) = cloud.ask(STATEMENTS["migrate_instance_in_a_session"].runnable, **parameters)
    move = Move(consumer_uuid="i3", from_provider="c1", to_provider="c3")
    cloud.store.append_deltas(record.id, [move], version=0)
    assert cloud.store.deltas(record.id) == [*deltas, move]
    (ours,) = cloud.ask(
        "MATCH (:SimulationSession {id: $id})-[:HAS_DELTA]->(d) WHERE d.sequence = 3 RETURN d",
        id=record.id,
    )
    assert _plain_delta(row["d"]) == _plain_delta(ours["d"])


def _plain_delta(node: neo4j.graph.Node) -> dict[str, Any]:
    plain = dict(node)
    plain.pop("body", None)
    del plain["created_at"]
    amounts = zip(plain.pop("resource_classes"), plain.pop("resource_amounts"), strict=True)
    return plain | {"resources": dict(amounts)}


def test_a_move_recorded_as_the_page_has_it_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="primitive types"):
        cloud.ask(
            STATEMENTS["migrate_instance_in_a_session"].text,
            session_id="s1",
            instance_uuid="i3",
            source_node_uuid="c2",
            dest_node_uuid="c3",
        )
