"""Every call of the client, in process and over HTTP: the same answers, the same errors."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import msgspec
import pytest

from tachyon import errors
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.deltas import Allocate, Deallocate, Move, Resize, UpdateProvider
from tachyon.graph.entities import (
    AvailabilityZone,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.mutations import (
    Cluster,
    Expected,
    PatchConsumer,
    PatchProvider,
    PutConsumer,
    PutProvider,
)
from tachyon.graph.simulation.session import Usage
from tests.conformance.cluster import host, instance
from tests.service.processes import ServiceProcess


def put(client: GraphClient, *entities: ResourceProvider | Consumer) -> int:
    """Put providers and consumers in one transaction; returns the generation."""
    return client.apply(
        [
            PutProvider(provider=e) if isinstance(e, ResourceProvider) else PutConsumer(consumer=e)
            for e in entities
        ]
    ).generation


@pytest.fixture
def three_hosts(client: GraphClient) -> GraphClient:
    """Hosts p1, p2 and p3; instances a and b on p1, c on p2."""
    put(
        client,
        *(host(name) for name in ("p1", "p2", "p3")),
        *(instance(name, on) for name, on in (("a", "p1"), ("b", "p1"), ("c", "p2"))),
    )
    return client


def test_what_is_put_is_there_at_once(client: GraphClient) -> None:
    """A client reads its own writes."""
    generation = put(client, host("p1"), instance("c1", "p1", metadata={"k": [1, {"x": None}]}))
    assert client.provider("p1").inventories["VCPU"].total == 16
    found = client.consumer("c1")
    assert found.metadata == {"k": [1, {"x": None}]}
    assert found.generation == client.provider("p1").generation == generation
    assert client.provider_consumers("p1") == ["c1"]
    assert client.allocations("c1") == {"p1": {"VCPU": 2, "MEMORY_MB": 1024}}
    assert client.provider_usages("p1")["VCPU"] == Usage(2, 16.0)
    assert client.usages(["p1"]) == client.usages() == {"p1": client.provider_usages("p1")}


def test_single_resources_are_put_patched_and_removed(client: GraphClient) -> None:
    """Each noun has its own calls."""
    client.put_provider(host("p1"))
    client.patch_provider(PatchProvider(uuid="p1", maintenance=True, maintenance_reason="disk"))
    assert client.provider("p1").maintenance_reason == "disk"
    client.put_inventories("p1", {"VCPU": Inventory(total=4)})
    assert client.inventories("p1") == {"VCPU": Inventory(total=4)}
    client.put_consumer(instance("c1"))
    client.put_allocations("c1", {"p1": {"VCPU": 1}})
    with pytest.raises(errors.ProviderInUse):
        client.remove_provider("p1")
    client.patch_consumer(PatchConsumer(uuid="c1", locked=True))
    assert client.consumer("c1").locked
    client.remove_allocations("c1")
    client.remove_inventories("p1")
    assert client.inventories("p1") == {}
    client.remove_consumer("c1")
    client.remove_provider("p1", cascade=True)
    assert client.providers() == client.consumers() == []


def test_records_are_put_listed_and_removed(client: GraphClient) -> None:
    """Flavors, projects, groups, aggregates and zones are records by their keys."""
    records: list[tuple[Any, Any, Any]] = [
        (Flavor(id="m1", vcpus=2), client.flavors, "flavor"),
        (Project(external_id="x", name="X"), client.projects, "project"),
        (ServerGroup(uuid="g", policy="affinity"), client.server_groups, "server_group"),
        (HostAggregate(name="rack 1/α%"), client.host_aggregates, "host_aggregate"),
        (AvailabilityZone(name="az#1?"), client.availability_zones, "availability_zone"),
    ]
    for record, listed, kind in records:
        client.put_record(record)
        assert listed() == [record]
        key = next(iter(msgspec.structs.astuple(record)))
        assert client.record(type(record), key) == record
        client.remove_record(kind, key)
        assert listed() == []
        with pytest.raises(errors.NotFound):
            client.record(type(record), key)


def test_names_may_hold_anything_printable(client: GraphClient) -> None:
    """Slashes, percent signs and other letters in a key do not confuse the path."""
    for name in (
        "host@backend#pool",
        "a/b",
        "a%2Fb",
        "100%",
        "ü λ",
        "?q=1&x",
        "a+b",
        ";",
        "...",
        "%",
    ):
        client.put_provider(host(name))
        assert client.provider(name).uuid == name
        assert client.provider_consumers(name) == []
        client.remove_provider(name)


def test_a_write_is_guarded_by_a_generation(client: GraphClient) -> None:
    """A generation that has moved refuses the write and is named; 0 says "must not exist"."""
    first = client.put_provider(host("p1"), generation=0).generation
    with pytest.raises(errors.GenerationConflict) as caught:
        client.put_provider(host("p1", name="again"), generation=0)
    assert caught.value.details["conflicts"] == [
        {"kind": "provider", "key": "p1", "expected": 0, "found": first}
    ]
    client.patch_provider(PatchProvider(uuid="p1", name="new"), generation=first)
    with pytest.raises(errors.GenerationConflict):
        client.remove_provider("p1", generation=first)
    with pytest.raises(errors.GenerationConflict):
        client.apply([PutConsumer(consumer=instance("c1"))], Expected(graph=first))
    with pytest.raises(errors.GenerationConflict):
        client.synchronise(Cluster(), generation=first)


def test_lists_are_filtered(client: GraphClient) -> None:
    """Every filter holds."""
    put(
        client,
        host("p1", availability_zone="z1", aggregates=("r1",)),
        host("p2", status="disabled"),
        host("p3", type="storage"),
        host("n", parent_uuid="p1", type="numa"),
        instance("c1", "p1", project_id="x", flavor_id="f", server_group="g", state="stopped"),
        instance("c2", "p2", type="volume"),
    )

    def providers(**query: Any) -> list[str]:
        return [p.uuid for p in client.providers(**query)]

    def consumers(**query: Any) -> list[str]:
        return [c.uuid for c in client.consumers(**query)]

    assert providers(type="compute") == ["p1", "p2"]
    assert providers(type=["storage", "numa"]) == ["p3", "n"]
    assert providers(in_service=True, type="compute") == ["p1"]
    assert providers(in_service=False) == ["p2"]
    assert providers(name="name-p3") == ["p3"]
    assert providers(parent_uuid="p1") == ["n"]
    assert providers(availability_zone="z1") == providers(aggregate="r1") == ["p1"]
    assert consumers(provider="p1") == consumers(project="x") == consumers(flavor="f") == ["c1"]
    assert consumers(server_group="g") == consumers(state="stopped") == ["c1"]
    assert consumers(type="volume") == consumers(name="name-c2") == ["c2"]
    assert consumers(project="unknown") == consumers(type="unknown") == []
    with pytest.raises(errors.ProviderNotFound):
        consumers(provider="unknown")


def test_a_synchronisation_replaces_what_is_there(client: GraphClient) -> None:
    """What is not listed goes; types that are not named stay."""
    put(client, host("p1"), host("p2"), instance("c1", "p1"), instance("v1", type="volume"))
    client.synchronise(
        Cluster(providers=[host("p1")], consumers=[]), consumer_types=["instance"], records=[]
    )
    assert [p.uuid for p in client.providers()] == ["p1"]
    assert [c.uuid for c in client.consumers()] == ["v1"]


def test_changes_are_told_since_a_generation(client: GraphClient) -> None:
    """The feed holds whole transactions; beyond both of its ends the client must load again."""
    base = put(client, host("p1"))
    put(client, instance("c1", "p1"))
    feed = client.changes(base)
    assert {(c.kind, c.key) for c in feed.changes} == {("consumer", "c1"), ("provider", "p1")}
    assert feed.generation == base + 1
    assert not feed.more
    assert client.changes(feed.generation).changes == []
    with pytest.raises(errors.GenerationTooOld):
        client.changes(feed.generation + 1)
    assert client.trim(0).oldest == feed.generation
    with pytest.raises(errors.GenerationTooOld):
        client.changes(base)


def test_changes_can_be_waited_for(client: GraphClient, store_url: str) -> None:
    """An answer comes as soon as somebody writes, and at the end of the time otherwise."""
    base = put(client, host("p1"))
    assert client.changes(base, wait=0.2).changes == []
    with connect(store_url) as other:
        writer = threading.Timer(0.3, lambda: put(other, host("p2")))
        writer.start()
        began = time.monotonic()
        assert [c.key for c in client.changes(base, wait=30).changes] == ["p2"]
        assert time.monotonic() - began < 15
        writer.join()


def test_the_view_follows_the_graph(client: GraphClient) -> None:
    """The whole model comes as columns once, and is carried forward after that."""
    put(client, host("p1"), host("p2", traits=("CUSTOM_X",)), instance("c1", "p1"))
    view = client.view()
    assert view.consumer("c1").allocations == {"p1": {"VCPU": 2, "MEMORY_MB": 1024}}
    assert client.view() is view
    put(client, instance("c1", "p2"), instance("c2", "p1", extra={"a": 1}))
    later = client.view()
    assert later.consumer("c1").allocations == {"p2": {"VCPU": 2, "MEMORY_MB": 1024}}
    assert later.consumer("c2") == client.consumer("c2")
    assert later.provider("p2") == client.provider("p2")
    client.trim(0)
    put(client, host("p3"))
    client.trim(0)
    assert client.view().provider("p3").uuid == "p3"


def test_health_and_versions(client: GraphClient) -> None:
    """A service says who it is and how it is."""
    generation = put(client, host("p1"))
    assert client.health().generation == generation
    assert client.health().store == "ok"
    assert client.versions().versions == [client.version()]


def test_errors_keep_their_class_and_facts(three_hosts: GraphClient) -> None:
    """What the model raises arrives as the same class with the same details."""
    client = three_hosts
    session = client.sessions.create().id
    big = Allocate(consumer_uuid="new", to_provider="p1", resources={"VCPU": 15})
    with pytest.raises(errors.CapacityExceeded) as caught:
        client.sessions.record(session, [big])
    assert caught.value.details == {
        "provider": "p1",
        "resource_class": "VCPU",
        "available": 12.0,
        "required": 15,
        "position": 0,
    }
    for error, call in (
        (errors.ProviderNotFound, lambda: client.provider("?")),
        (errors.ConsumerNotFound, lambda: client.consumer("?")),
        (errors.SessionNotFound, lambda: client.sessions.get("?")),
        (errors.InventoryMissing, lambda: client.put_allocations("a", {"p1": {"PCPU": 1}})),
        (errors.NothingToUndo, lambda: client.sessions.undo(session)),
        (errors.InvalidInput, lambda: client.provider("")),
        (errors.InvalidInput, lambda: client.provider("a\nb")),
        (errors.InvalidInput, lambda: client.put_consumer(instance("x", metadata={"f": math.nan}))),
        (errors.InvalidInput, lambda: client.put_consumer(instance("x", metadata={"b": b"\0"}))),
        (errors.InvalidInput, lambda: client.put_consumer(instance("x", metadata={"i": 2**63}))),
        (errors.InvalidInput, lambda: client.put_consumer(instance("x", metadata={"i": 2**80}))),
    ):
        with pytest.raises(error):
            call()


def test_all_wrong_fields_of_a_python_object_are_told(client: GraphClient) -> None:
    """Objects made in Python pass the same checks as those that came over the wire."""
    wrong: Any = ResourceProvider(
        uuid="p1",
        name="",
        status="on",
        inventories={"VCPU": Inventory(total=-1)},  # type: ignore[arg-type]
    )
    with pytest.raises(errors.InvalidInput) as caught:
        client.put_provider(wrong)
    paths = {problem["path"] for problem in caught.value.details["errors"]}
    assert {"name", "status", "inventories.VCPU.total"} <= paths


@pytest.mark.parametrize("persistence", ["memory", "store"])
def test_a_session_lives(three_hosts: GraphClient, persistence: Any) -> None:
    """Created, found, listed, extended, deleted."""
    sessions = three_hosts.sessions
    made = sessions.create(audit_uuid="audit", name="one", ttl=60, persistence=persistence)
    assert made.persistence == persistence
    assert sessions.get(made.id) == made
    assert sessions.list(audit_uuid="audit", status="active") == [made]
    assert sessions.list(audit_uuid="other") == []
    assert sessions.extend(made.id, 600).expires_at > made.expires_at
    assert sessions.statistics().by_status == {"active": 1}
    assert sessions.statistics().by_persistence == {persistence: 1}
    sessions.delete(made.id)
    with pytest.raises(errors.SessionNotFound):
        sessions.get(made.id)


@pytest.mark.parametrize("persistence", ["memory", "store"])
def test_deltas_are_recorded_undone_and_remembered(
    three_hosts: GraphClient, persistence: Any
) -> None:
    """A record answers with the usages of all providers it touched; a list is all or nothing."""
    sessions = three_hosts.sessions
    session = sessions.create(persistence=persistence).id
    move = Move(consumer_uuid="a", to_provider="p3")
    done = sessions.record(session, move)
    assert done.session.delta_count == 1
    assert {uuid: usage["VCPU"].used for uuid, usage in done.usages.items()} == {"p1": 2, "p3": 2}
    bad = [Deallocate(consumer_uuid="b"), Move(consumer_uuid="a", to_provider="nowhere")]
    with pytest.raises(errors.ProviderNotFound):
        sessions.record(session, bad)
    rest = [
        Resize(consumer_uuid="b", resources={"VCPU": 4}),
        UpdateProvider(provider_uuid="p2", status="disabled"),
        Allocate(consumer_uuid="new", to_provider="p2", resources={"VCPU": 1}, name="n"),
    ]
    sessions.record(session, rest)
    assert sessions.history(session) == [move, *rest]
    assert sessions.history(session, since=3) == rest[2:]
    assert sessions.provider(session, "p2").status == "disabled"
    assert sessions.placements(session, ["a", "new"])["new"].allocations == {"p2": {"VCPU": 1}}
    assert sessions.placements(session)["a"].host == "p3"
    assert sessions.consumers_of(session, "p2") == ["c", "new"]
    assert sessions.usages(session, ["p1"])["p1"]["VCPU"].used == 4
    assert sessions.usages(session).keys() == {"p1", "p2", "p3"}
    undone = sessions.undo(session, 3)
    assert undone.session.delta_count == 1
    assert undone.usages.keys() == {"p1", "p2"}
    assert sessions.history(session) == [move]


def test_a_fork_goes_its_own_way(three_hosts: GraphClient) -> None:
    """A fork starts from the state of another session and leaves that alone."""
    sessions = three_hosts.sessions
    parent = sessions.create(deltas=[Move(consumer_uuid="a", to_provider="p3")]).id
    child = sessions.fork(parent, name="child", ttl=60).id
    sessions.record(child, Move(consumer_uuid="a", to_provider="p2"))
    assert sessions.placements(parent, ["a"])["a"].host == "p3"
    assert sessions.placements(child, ["a"])["a"].host == "p2"
    found = sessions.compare(parent, child)
    assert found.placements.keys() == {"a"}
    assert sessions.compare(child, parent).placements["a"].left == found.placements["a"].right
    assert sessions.compare(parent, parent).placements == {}
    assert sessions.compare(parent).placements.keys() == {"a"}


def test_destinations_come_with_reasons(three_hosts: GraphClient) -> None:
    """Valid targets, and on request what speaks against the others."""
    client = three_hosts
    client.patch_provider(PatchProvider(uuid="p2", status="disabled", disabled_reason="kernel"))
    session = client.sessions.create().id
    found = client.sessions.destinations(session, "a")
    assert found.destinations == ["p3"]
    assert found.refusals is None
    told = client.sessions.destinations(session, "a", {"VCPU": 0.1}, reasons=True)
    assert told.destinations == []
    assert told.refusals is not None
    assert "kernel" in told.refusals["p2"][0].message
    assert [reason.code for reason in told.refusals["p3"]] == ["limit"]
    with pytest.raises(errors.InvalidInput):
        client.sessions.destinations(session, "a", {"NOTHING": 0.5})


def test_candidates_are_judged_and_not_recorded(three_hosts: GraphClient) -> None:
    """Moves and lists of deltas are judged from the same state; None where nothing is known."""
    sessions = three_hosts.sessions
    session = sessions.create().id
    moves = [Move(consumer_uuid="a", to_provider=to) for to in ("p1", "p2", "p3")]
    found = sessions.evaluate(session, moves, metrics=["std_deviation", "providers_used"])
    assert found.feasible == [False, True, True]
    column = found.classes.index("VCPU")
    assert found.metrics["providers_used"][2][column] == 3
    lists = sessions.evaluate(session, [[moves[2]], [moves[0]], moves[1]], in_service=True)
    assert lists.metrics["std_deviation"][0] == pytest.approx(found.metrics["std_deviation"][2])
    assert lists.metrics["std_deviation"][1] == [None] * len(found.classes)
    assert sessions.evaluate(session, []).feasible == []
    assert sessions.get(session).delta_count == 0
    with pytest.raises(errors.ConsumerNotFound):
        sessions.evaluate(session, [Move(consumer_uuid="?", to_provider="p1")])


def test_metrics_of_session_and_base(three_hosts: GraphClient) -> None:
    """Both sides are told; types and service narrow what counts."""
    sessions = three_hosts.sessions
    session = sessions.create(deltas=[Move(consumer_uuid="a", to_provider="p3")]).id
    found = sessions.metrics(session)
    assert found.session["VCPU"].providers_used == 3
    assert found.base["VCPU"].providers_used == 2
    sessions.record(session, UpdateProvider(provider_uuid="p3", state="down"))
    narrowed = sessions.metrics(session, types=["compute"], in_service=True)
    assert narrowed.session["VCPU"].providers == 2
    assert narrowed.base["VCPU"].providers == 3


@pytest.mark.parametrize("persistence", ["memory", "store"])
def test_a_session_is_committed_once(three_hosts: GraphClient, persistence: Any) -> None:
    """A commit brings the net effect about; a conflict is named and leaves the session open."""
    client, sessions = three_hosts, three_hosts.sessions
    move = Move(consumer_uuid="a", to_provider="p3")
    late, early = (sessions.create(persistence=persistence, deltas=[move]).id for _ in range(2))
    assert sessions.effect(early).placements[0].to_host == "p3"
    assert sessions.validate(early).valid
    done = sessions.commit(early)
    assert done.session.status == "committed"
    assert client.allocations("a").keys() == {"p3"}
    verdict = sessions.validate(late)
    assert not verdict.valid
    assert {c["key"] for c in verdict.conflicts} == {"a", "p1", "p3"}
    with pytest.raises(errors.GenerationConflict):
        sessions.commit(late)
    assert sessions.rollback(late).status == "rolled_back"
    for closed in (early, late):
        with pytest.raises(errors.SessionClosed):
            sessions.record(closed, move)


@pytest.mark.parametrize("persistence", ["memory", "store"])
def test_a_session_expires(three_hosts: GraphClient, persistence: Any) -> None:
    """Past its time a session is gone for good."""
    sessions = three_hosts.sessions
    session = sessions.create(ttl=0.05, persistence=persistence).id
    time.sleep(0.06)
    assert sessions.expire() == [session]
    assert sessions.get(session).status == "expired"
    with pytest.raises(errors.SessionExpired):
        sessions.placements(session)
    with pytest.raises(errors.InvalidInput):
        sessions.create(ttl=1e9)


def test_long_lists_come_in_pages(http: GraphClient, service: ServiceProcess) -> None:
    """A page ends with the marker of the next; a marker that names nothing is refused."""
    import json
    import urllib.error
    import urllib.request

    put(http, host("p1"), *(instance(f"c{n}", "p1") for n in range(5)))

    def page(query: str) -> Any:
        with urllib.request.urlopen(f"{service.url}/v1/consumers?{query}") as answer:
            return json.load(answer)

    first = page("limit=2")
    assert ([c["uuid"] for c in first["consumers"]], first["next"]) == (["c0", "c1"], "c1")
    second = page("limit=2&marker=c1")
    assert ([c["uuid"] for c in second["consumers"]], second["next"]) == (["c2", "c3"], "c3")
    last = page("limit=2&marker=c3")
    assert ([c["uuid"] for c in last["consumers"]], last["next"]) == (["c4"], None)
    with pytest.raises(urllib.error.HTTPError):
        page("marker=unknown")
