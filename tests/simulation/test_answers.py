"""Destinations, metrics, evaluation, comparison and net effect by example."""

from __future__ import annotations

import numpy as np
import pytest

from tachyon.errors import NotPlacedThere, ProviderNotFound
from tachyon.graph.deltas import Allocate, Deallocate, Resize, UpdateProvider
from tachyon.graph.entities import Consumer, Flavor, HostAggregate, Inventory, ServerGroup
from tachyon.graph.mutations import PatchConsumer, PatchProvider, PutConsumer
from tachyon.graph.simulation import Session, commit, compare
from tachyon.graph.simulation.evaluation import METRICS
from tachyon.graph.store import Snapshot
from tachyon.graph.view import build
from tests.simulation.examples import host, instance, move, session


def codes(s: object, consumer: str) -> dict[str, list[str]]:
    refusals = s.destinations(consumer).refusals()  # type: ignore[attr-defined]
    return {uuid: [r.code for r in reasons] for uuid, reasons in refusals.items()}


def test_destinations_are_hosts_of_the_same_type_with_room() -> None:
    """Judged are all providers of the type of the consumer's host, parts and others never."""
    s = session()
    assert s.destinations("web").uuids == ["beta", "gamma"]
    assert s.destinations("vol").uuids == ["hdd"]
    assert codes(s, "vol") == {"ssd": ["current"]}


def test_each_rule_has_a_code_of_its_own() -> None:
    """Every reason against a host is named: zone, trait, aggregate, group, service, capacity."""
    s = session(
        host("zoned", aggregates=("west",)),
        host("fast", traits=("HW_AVX",), aggregates=("ssds",)),
        instance("asks", "alpha", flavor_id="picky", pinned_az="az1", server_group="apart"),
        instance("mate", "gamma", server_group="apart"),
        instance("full", "beta", 8, 85),
        flavors=[
            Flavor(
                id="picky",
                extra_specs={
                    "trait:HW_AVX": "required",
                    "aggregate_instance_extra_specs:disk": "ssd",
                },
            )
        ],
        host_aggregates=[
            HostAggregate(name="west", availability_zone="az1"),
            HostAggregate(name="ssds", availability_zone="az1", metadata={"disk": "ssd"}),
        ],
        server_groups=[ServerGroup(uuid="apart", policy="anti-affinity")],
    )
    s.record(UpdateProvider(provider_uuid="zoned", maintenance=True))
    found = codes(s, "asks")
    assert found["zoned"] == ["out_of_service", "trait", "aggregate"]
    assert found["beta"] == ["zone", "trait", "aggregate", "capacity"]
    assert found["gamma"] == ["zone", "trait", "aggregate", "server_group"]
    assert s.destinations("asks").uuids == ["fast"]


def test_limits_keep_load_below_a_share() -> None:
    """A limit refuses hosts whose usage after the move would pass that share of capacity."""
    s = session()
    assert "beta" in s.destinations("db", {"VCPU": 6 / 16}).uuids
    assert "beta" not in s.destinations("db", {"VCPU": 0.37}).uuids


def test_consumer_placed_nowhere_has_no_destinations() -> None:
    """A MOVE needs a place to start from, and so do its destinations."""
    s = session(Consumer(uuid="idle"))
    with pytest.raises(NotPlacedThere):
        s.destinations("idle")


def test_metrics_count_providers_with_capacity() -> None:
    """Mean, deviation, extremes and imbalance are those of used / capacity."""
    s = session()
    mask = s.mask(providers=["alpha", "beta", "gamma"])
    found = s.metrics(mask)["VCPU"]
    loads = np.array([6 / 16, 2 / 16, 0.0])
    assert found.providers == 3
    assert found.providers_used == 2
    assert (found.used, found.capacity) == (8, 48.0)
    assert found.mean == pytest.approx(loads.mean())
    assert found.std_deviation == pytest.approx(loads.std())
    assert (found.min, found.max) == (0.0, 6 / 16)
    assert found.imbalance == pytest.approx(loads.max() / loads.mean() - 1)


def test_evaluation_records_nothing_and_stays_as_it_was() -> None:
    """Metrics are those after each candidate, from the state in which it was asked."""
    s = session()
    s.record(move("cache", "gamma"))
    candidates = [move("web", "beta"), move("db", "beta")]
    found = s.evaluate(candidates)
    expected = []
    for candidate in candidates:
        s.record(candidate)
        expected.append(s.metrics()["VCPU"].std_deviation)
        s.undo()
    s.record_many([move("web", "gamma"), move("db", "gamma")])
    s.metrics()
    assert found.std_deviation[:, s.view.column("VCPU")] == pytest.approx(expected)
    assert s.delta_count == 3


def test_deviation_of_a_balanced_outcome_is_exact() -> None:
    """A move that makes all loads equal leaves a deviation of 0, not of rounding."""
    odd = {"inventories": {"VCPU": Inventory(total=11, allocation_ratio=0.7)}}
    s = session(
        host("one", **odd),
        host("two", **odd),
        Consumer(uuid="rest", allocations={"one": {"VCPU": 5}}),
        Consumer(uuid="half", allocations={"one": {"VCPU": 1}}),
        Consumer(uuid="other", allocations={"two": {"VCPU": 4}}),
    )
    found = s.evaluate([move("half", "two")], s.mask(providers=["one", "two"]))
    assert found.feasible.tolist() == [True]
    assert found.std_deviation[0, s.view.column("VCPU")] == 0.0


def test_empty_graph_answers_every_question() -> None:
    """A session on nothing has nothing to say, and no question fails."""
    s = Session(build(Snapshot(generation=0)))
    assert (s.placements(), s.usages(), s.metrics()) == ({}, {}, {})
    found = s.evaluate([])
    assert [found.metric(name).shape for name in METRICS] == [(0, 0)] * len(METRICS)
    assert compare(s, s.fork()).placements == {}


def test_candidates_may_be_lists_of_any_deltas() -> None:
    """A swap is one candidate of two moves; what cannot be recorded is infeasible."""
    s = session()
    swap = [move("web", "beta"), move("cache", "alpha")]
    too_much = Allocate(consumer_uuid="x", to_provider="ssd", resources={"DISK_GB": 51})
    found = s.evaluate([swap, too_much, []])
    assert found.feasible.tolist() == [True, False, True]
    assert np.isnan(found.metric("mean")[1]).all()


def test_unknown_name_among_candidates_is_an_error_wherever_it_stands() -> None:
    """Names that nobody knows are the caller's mistake, not an infeasible candidate."""
    s = session()
    known = Deallocate(consumer_uuid="web")
    for candidates in ([move("web", "nowhere"), known], [known, move("web", "nowhere")]):
        with pytest.raises(ProviderNotFound):
            s.evaluate(candidates)
    assert s.delta_count == 0


def test_comparison_names_what_differs() -> None:
    """Two sessions differ in the consumers and providers that deltas left different."""
    left = session()
    right = left.fork()
    left.record_many([move("web", "beta"), move("db", "beta"), move("db", "alpha")])
    right.record(UpdateProvider(provider_uuid="gamma", state="down"))
    found = compare(left, right)
    assert list(found.placements) == ["web"]
    assert found.placements["web"].left.host == "beta"
    assert found.providers["gamma"].right == {"state": "down"}
    assert compare(left, left.base()).placements.keys() == {"web"}


def test_net_effect_leaves_out_what_was_there_and_back() -> None:
    """Moves there and back again leave nothing; two moves in a row are one migration."""
    s = session()
    s.record_many([move("web", "beta"), move("web", "gamma"), move("db", "beta")])
    s.record(move("db", "alpha"))
    effect = commit.net_effect(s)
    assert [(p.consumer_uuid, p.from_host, p.to_host) for p in effect.migrations] == [
        ("web", "alpha", "gamma")
    ]


def test_mutations_bring_the_net_effect_about() -> None:
    """A commit patches what changed and creates what is new, with its flavor."""
    s = session()
    s.record_many(
        [
            Resize(consumer_uuid="db", resources={"VCPU": 8}, flavor_id="large"),
            Resize(consumer_uuid="web", resources={}, flavor_id="small"),
            Allocate(consumer_uuid="new", to_provider="beta", resources={"VCPU": 1}, name="n"),
            UpdateProvider(provider_uuid="gamma", status="disabled"),
            UpdateProvider(provider_uuid="beta", status="enabled"),
        ]
    )
    assert commit.mutations(s) == [
        PatchProvider(uuid="gamma", status="disabled"),
        PatchConsumer(
            uuid="db", allocations={"alpha": {"VCPU": 8, "MEMORY_MB": 40}}, flavor_id="large"
        ),
        PutConsumer(consumer=Consumer(uuid="new", name="n", allocations={"beta": {"VCPU": 1}})),
        PatchConsumer(uuid="web", flavor_id="small"),
    ]


def test_new_consumer_that_holds_nothing_in_the_end_leaves_no_trace() -> None:
    """A commit does not patch a consumer that never came into the graph."""
    s = session()
    s.record_many(
        [
            Allocate(consumer_uuid="new", to_provider="beta", resources={"VCPU": 1}),
            Resize(consumer_uuid="new", resources={"VCPU": 2}, flavor_id="large"),
            Deallocate(consumer_uuid="new"),
        ]
    )
    assert commit.mutations(s) == []
