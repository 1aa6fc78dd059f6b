"""Generated clusters are feasible, deterministic, and as asked for."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import encode_cluster_file, read_cluster_file
from tachyon.graph.generator import generate
from tests.cluster_file.feasibility import root, violations

EVERYTHING: dict[str, Any] = {
    "hosts": 30, "instances": 600, "seed": 5, "skew": 0.8, "nested": 2, "zones": 3,
    "aggregates": 4, "disabled": 0.1, "down": 0.1, "pools": 5, "volumes": 120, "samples": 4,
}  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hosts=st.integers(1, 40),
    instances=st.integers(0, 400),
    seed=st.integers(0, 2**32),
    skew=st.floats(0, 1),
    load=st.floats(0.05, 1),
    nested=st.integers(0, 4),
    zones=st.integers(1, 4),
    aggregates=st.integers(0, 5),
    projects=st.integers(1, 5),
    disabled=st.floats(0, 1),
    down=st.floats(0, 0.4),
    pools=st.integers(1, 6),
    volumes=st.integers(0, 60),
    samples=st.integers(0, 3),
)
def test_whatever_is_asked_for_is_feasible_and_can_be_read_back(**arguments: Any) -> None:
    content = generate(**arguments)
    assert violations(content) == []
    again = read_cluster_file(encode_cluster_file(content))
    assert encode_cluster_file(again) == encode_cluster_file(content)
    kinds = [c.type for c in content.cluster.consumers]
    assert kinds.count("instance") == arguments["instances"]
    assert kinds.count("volume") == arguments["volumes"]
    types = [p.type for p in content.cluster.providers]
    assert types.count("compute") == arguments["hosts"]
    assert types.count("pool") == arguments["pools"]
    assert types.count("numa") == arguments["hosts"] * arguments["nested"]


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert encode_cluster_file(generate(**EVERYTHING)) == encode_cluster_file(
        generate(**EVERYTHING)
    )
    other = EVERYTHING | {"seed": 6}
    assert encode_cluster_file(generate(**EVERYTHING)) != encode_cluster_file(generate(**other))


def test_every_kind_of_constraint_occurs() -> None:
    content = generate(**EVERYTHING)
    cluster = content.cluster
    specs = {f.id: f.extra_specs for f in cluster.flavors}
    used = {
        (name.partition(":")[0], value)
        for consumer in cluster.consumers
        for name, value in specs[consumer.flavor_id or ""].items()
    }
    assert {("trait", "required"), ("trait", "forbidden"), ("resources", "1")} <= used
    assert {g.policy for g in cluster.server_groups} == {
        "affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity",
    }  # fmt: skip
    assert any(c.pinned_az for c in cluster.consumers)
    assert any(p.type == "pci" for p in cluster.providers)
    assert len([p for p in cluster.providers if p.status == "disabled"]) == 3
    assert len([p for p in cluster.providers if p.state == "down"]) == 3
    assert {c.state for c in cluster.consumers} >= {"active", "stopped"}
    assert any(c.bootable for c in cluster.consumers if c.type == "volume")
    assert len(content.metrics[0].values) == 600


def test_hosts_that_are_down_are_empty() -> None:
    content = generate(**EVERYTHING)
    providers = {p.uuid: p for p in content.cluster.providers}
    for consumer in content.cluster.consumers:
        for uuid in consumer.allocations:
            assert root(uuid, providers).state == "up"


def _counts(skew: float) -> list[int]:
    content = generate(50, 1000, 1, skew=skew)
    counts = {p.uuid: 0 for p in content.cluster.providers}
    for consumer in content.cluster.consumers:
        for uuid in consumer.allocations:
            counts[uuid] += 1
    return sorted(counts.values())


def test_skew_makes_the_placement_uneven() -> None:
    even, some, heavy = (statistics.pstdev(_counts(skew)) for skew in (0.0, 0.3, 1.0))
    assert even < some < heavy
    assert _counts(1.0)[0] <= 2


def test_wrong_arguments_are_all_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        generate(0, -1, skew=2.0)
    assert {e["path"] for e in caught.value.details["errors"]} == {"hosts", "instances", "skew"}
    with pytest.raises(InvalidInput, match="pools"):
        generate(1, 1, volumes=1)
    with pytest.raises(InvalidInput, match="up"):
        generate(2, 1, down=1.0)


def test_a_large_cloud_takes_seconds() -> None:
    start = time.process_time()
    content = generate(5000, 100_000)
    read_cluster_file(encode_cluster_file(content))
    # A few seconds on any machine; the bound leaves room for a slow one.
    assert time.process_time() - start < 60
