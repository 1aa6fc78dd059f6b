"""No strategy touches what is out of the audit's scope, excluded, or opted out."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from tachyon.errors import NoDestination
from tachyon.graph.cluster_file import ClusterFile
from tachyon.optimize.strategies.options import StrategyOptions
from tests.optimize.clusters import cluster, run, view_of
from tests.optimize.test_strategy_plans import FIXED, STRATEGIES, asked, drawn, furnished

MOVING = [n for n in STRATEGIES if n not in FIXED]


def touched(content: ClusterFile, name: str, seed: int, **surroundings: Any) -> set[str]:
    """Return the resources and destinations that a plan names."""
    rng = random.Random(seed)
    options = surroundings.pop("options", None)
    parameters = asked(content, name, rng)
    try:
        report = run(content, name, parameters, drawn(content, seed), options, **surroundings)
    except NoDestination:
        return set()
    found = {a.resource_id for a in report.actions if a.resource_id}
    return found | {a.movement.destination for a in report.actions if a.movement}


@pytest.mark.parametrize("name", MOVING)
def test_excluded_consumers_are_not_touched(name: str) -> None:
    content = furnished(cluster("storage", 5), 5)
    view = view_of(content)
    excluded = np.random.default_rng(5).random(view.consumer_rows) < 0.5
    left_out = {u for u, e in zip(view.consumers.uuid, excluded, strict=True) if e}
    assert not touched(content, name, 5, excluded=excluded) & left_out
    assert not touched(content, name, 5, consumers=~excluded) & left_out


@pytest.mark.parametrize("name", [n for n in MOVING if n not in ("host_maintenance",)])
def test_hosts_and_pools_out_of_scope_are_not_touched(name: str) -> None:
    content = furnished(cluster("storage", 6), 6)
    view = view_of(content)
    inside = np.zeros(view.provider_rows, np.bool_)
    for kind in ("compute", "pool", "storage", "baremetal"):
        rows = np.flatnonzero(view.provider_mask(types=[kind]))
        # Nodes stand in the order of their hosts.
        inside[rows[: max(1, rows.size // 2)]] = True
    if name == "zone_migration":
        names = [view.provider_at(r).name for r in np.flatnonzero(inside).tolist()]
        hosts = [n for n in names if n.startswith("compute")][:3]
        parameters = {"compute_nodes": [{"src_node": n} for n in hosts]}
        report = run(content, name, parameters, scope=inside)
        found = {a.movement.destination for a in report.actions if a.movement}
        found |= {a.resource_id for a in report.actions if a.resource_id}
    else:
        found = touched(content, name, 6, scope=inside)
    outside = {u for u, i in zip(view.providers.uuid, inside, strict=True) if not i}
    homes = view.consumers.home
    outside |= {
        u
        for u, h in zip(view.consumers.uuid, homes.tolist(), strict=True)
        if h >= 0 and not inside[h]
    }
    assert not found & outside


@pytest.mark.parametrize("name", MOVING)
def test_every_strategy_heeds_the_metadata_where_the_operator_says_so(name: str) -> None:
    content = furnished(cluster("storage", 5), 5)
    before = content.cluster
    consumers = [replace(c, metadata={**c.metadata, "optimize": "false"}) for c in before.consumers]
    content = replace(content, cluster=replace(before, consumers=consumers))
    options = StrategyOptions(check_optimize_metadata=True)
    assert not touched(content, name, 5, options=options) & {c.uuid for c in consumers}


def test_the_cluster_gives_them_something_to_do() -> None:
    content = furnished(cluster("storage", 5), 5)
    idle = [name for name in MOVING if not touched(content, name, 5)]
    assert idle in ([], ["saving_energy"])
