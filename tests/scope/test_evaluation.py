"""What a scope takes in, key by key, and what it says of names that are not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tachyon.errors import ScopeInvalid
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.optimize.scope import Kind, ScopeMask, evaluate
from tests.scope.cluster import session

Names = set[str]
HOSTS = {"c1", "c2", "c3", "c4"}
VOLUMES = {"v1", "v2", "v3", "v4", "v5"}


def seen(mask: ScopeMask, on: Session, kind: str) -> tuple[Names, Names, Names]:
    """Return the hosts of a kind, the consumers and the excluded ones that a mask shows."""
    view = on.view
    hosts = {
        view.provider_at(row).name
        for row in np.flatnonzero(mask.providers).tolist()
        if view.tree.types[row] == kind
    }
    shown, excluded = (
        {view.consumers.uuid[row] for row in np.flatnonzero(rows).tolist()}
        for rows in (mask.consumers, mask.excluded)
    )
    return hosts, shown, excluded


def compute(*rules: Any) -> tuple[Names, Names, Names, list[str]]:
    on = session()
    mask = evaluate([{"compute": list(rules)}], "compute", on)
    return (*seen(mask, on, "compute"), mask.warnings)


def storage(*rules: Any) -> tuple[Names, Names, Names, list[str]]:
    on = session()
    mask = evaluate([{"storage": list(rules)}], "storage", on)
    hosts = {on.view.provider_at(row).name for row in np.flatnonzero(mask.providers).tolist()}
    return (hosts, *seen(mask, on, "pool")[1:], mask.warnings)


@pytest.mark.parametrize("scope", [None, [], [{"storage": [{"volume_types": [{"name": "gold"}]}]}]])
def test_no_scope_for_a_kind_is_all_of_the_kind(scope: Any) -> None:
    on = session()
    hosts, shown, excluded = seen(evaluate(scope, "compute", on), on, "compute")
    assert hosts == HOSTS
    assert shown == {"i1", "i2", "i3", "i4", "i5", "i6"}
    assert excluded == set()


@pytest.mark.parametrize(
    ("rules", "hosts"),
    [
        ([{"host_aggregates": [{"id": 1}]}], {"c1", "c3"}),
        ([{"host_aggregates": [{"name": "rack-2"}]}], {"c2", "c3"}),
        ([{"host_aggregates": [{"uuid": "agg-2"}]}], {"c2", "c3"}),
        ([{"host_aggregates": [{"id": 1}, {"name": "rack-2"}]}], {"c1", "c2", "c3"}),
        ([{"host_aggregates": [{"id": "*"}]}], {"c1", "c2", "c3"}),
        ([{"host_aggregates": [{"name": "*"}]}], {"c1", "c2", "c3"}),
        ([{"host_aggregates": [{"id": "*"}, {"name": "rack-1"}]}], {"c1", "c2", "c3"}),
        ([{"availability_zones": [{"name": "az2"}]}], {"c3", "c4"}),
        ([{"availability_zones": [{"name": "*"}]}], HOSTS),
        # Include rules add up, in one object or in several.
        (
            [{"host_aggregates": [{"id": 2}]}, {"availability_zones": [{"name": "az1"}]}],
            {"c1", "c2", "c3"},
        ),
        (
            [{"host_aggregates": [{"id": 2}], "availability_zones": [{"name": "az1"}]}],
            {"c1", "c2", "c3"},
        ),
        # An aggregate or a zone without hosts holds nothing, and so does an empty list.
        ([{"host_aggregates": [{"name": "bare"}]}], set()),
        ([{"availability_zones": [{"name": "empty"}]}], set()),
        ([{"host_aggregates": []}], set()),
        ([{"exclude": [{"compute_nodes": [{"name": "c1"}]}]}], {"c2", "c3", "c4"}),
        ([{"exclude": [{"host_aggregates": [{"id": 1}]}]}], {"c2", "c4"}),
        ([{"exclude": [{"host_aggregates": [{"name": "*"}]}]}], {"c4"}),
        (
            [
                {"availability_zones": [{"name": "az2"}]},
                {"exclude": [{"compute_nodes": [{"name": "c4"}]}]},
            ],
            {"c3"},
        ),
    ],
)
def test_hosts_are_chosen_by_aggregate_and_zone_and_left_out_by_name(
    rules: list[Any], hosts: Names
) -> None:
    found, shown, excluded, _ = compute(*rules)
    assert found == hosts
    on_hosts = {"c1": {"i1", "i6"}, "c2": {"i2"}, "c3": {"i3"}, "c4": {"i4"}}
    assert shown == {"i5"}.union(*(on_hosts[name] for name in hosts))
    assert excluded == set()


@pytest.mark.parametrize(
    ("exclusion", "excluded"),
    [
        ({"instances": [{"uuid": "i1"}, {"uuid": "i4"}]}, {"i1", "i4"}),
        ({"projects": [{"uuid": "p1"}]}, {"i1", "i3"}),
        # Values are compared as texts in any letter case (§10.1 row 7: a crash in Watcher).
        ({"instance_metadata": [{"optimize": False}]}, {"i1", "i2"}),
        ({"instance_metadata": [{"optimize": "FALSE", "a": 1}]}, {"i1"}),
        ({"instance_metadata": [{"optimize": True}, {"a": "1"}]}, {"i1", "i3"}),
        ({"instance_metadata": [{"absent": "1"}]}, set()),
        # All keys of one object count.
        ({"instances": [{"uuid": "i4"}], "projects": [{"uuid": "p1"}]}, {"i1", "i3", "i4"}),
    ],
)
def test_excluded_instances_stay_in_scope_and_are_marked(
    exclusion: dict[str, Any], excluded: Names
) -> None:
    hosts, shown, marked, warnings = compute({"exclude": [exclusion]})
    assert (hosts, marked, warnings) == (HOSTS, excluded, [])
    assert shown == {"i1", "i2", "i3", "i4", "i5", "i6"}


def test_what_is_out_of_scope_is_not_marked() -> None:
    _, shown, marked, warnings = compute(
        {"exclude": [{"compute_nodes": [{"name": "c1"}]}, {"instances": [{"uuid": "i1"}]}]}
    )
    assert "i1" not in shown | marked
    assert warnings == []


@pytest.mark.parametrize(
    ("rules", "warnings"),
    [
        # §10.1 row 8: an unknown node, or one that rules have left out already, is no crash.
        (
            [{"exclude": [{"compute_nodes": [{"name": "typo"}]}]}],
            ["compute node typo does not exist"],
        ),
        (
            [
                {"availability_zones": [{"name": "az1"}]},
                {"exclude": [{"compute_nodes": [{"name": "c4"}]}]},
            ],
            [],
        ),
        ([{"exclude": [{"host_aggregates": [{"id": 9}]}]}], ["host aggregate 9 does not exist"]),
        ([{"exclude": [{"instances": [{"uuid": "v1"}]}]}], ["instance v1 does not exist"]),
        ([{"exclude": [{"projects": [{"uuid": "p9"}]}]}], []),
        (
            [{"host_aggregates": [{"name": "none"}]}],
            ["host aggregate none does not exist", "no host is in scope"],
        ),
        (
            [{"availability_zones": [{"name": "none"}, {"name": "az1"}]}],
            ["availability zone none does not exist"],
        ),
    ],
)
def test_unknown_names_are_told_not_stumbled_over(rules: list[Any], warnings: list[str]) -> None:
    assert compute(*rules)[3] == warnings


def test_parts_of_hosts_go_with_them_and_sharing_providers_are_always_there() -> None:
    on = session()
    rows = on.view.providers.index
    inside = evaluate([{"compute": [{"host_aggregates": [{"id": 1}]}]}], "compute", on).providers
    assert [bool(inside[rows[u]]) for u in ("numa", "nfs", "s1@lvm", "iron-1")] == [
        True, True, False, False,
    ]  # fmt: skip
    outside = evaluate([{"compute": [{"host_aggregates": [{"id": 2}]}]}], "compute", on).providers
    assert not outside[rows["numa"]]


@pytest.mark.parametrize(
    ("rules", "providers", "volumes"),
    [
        ([{"availability_zones": [{"name": "az2"}]}], {"s2@ceph", "s2@ceph#a"}, {"v3", "v4"}),
        # §10.1 row 9: a TypeError in Watcher.
        (
            [{"volume_types": [{"name": "gold"}]}],
            {"s1@lvm", "s1@lvm#a", "s1@lvm#b"},
            {"v1", "v2", "v4"},
        ),
        (
            [{"volume_types": [{"name": "*"}]}],
            {"s1@lvm", "s1@lvm#a", "s1@lvm#b", "s2@ceph", "s2@ceph#a"},
            {"v1", "v2", "v3", "v4"},
        ),
        # A filter that matches nothing leaves nothing, as for compute.
        ([{"availability_zones": [{"name": "empty"}]}], set(), {"v4"}),
        (
            [{"exclude": [{"storage_pools": [{"name": "s1@lvm#a"}]}]}],
            {"s1@lvm", "s1@lvm#b", "s2@ceph", "s2@ceph#a", "lost#a"},
            VOLUMES - {"v1"},
        ),
    ],
)
def test_storage_is_chosen_by_zone_and_type_and_left_out_by_pool(
    rules: list[Any], providers: Names, volumes: Names
) -> None:
    found, shown, excluded, _ = storage(*rules)
    assert (found, shown, excluded) == (providers, volumes, set())


def test_excluded_volumes_leave_the_scope_with_their_pools_load_untouched() -> None:
    rules = {"exclude": [{"volumes": [{"uuid": "v2"}]}, {"projects": [{"uuid": "p1"}]}]}
    on = session()
    mask = evaluate([{"storage": [rules]}], "storage", on)
    _, shown, excluded = seen(mask, on, "pool")
    assert shown == {"v4", "v5"}
    assert excluded == {"v1", "v2", "v3"}
    assert on.used("s1@lvm#a") == {"DISK_GB": 10}


@pytest.mark.parametrize(
    ("rule", "warning"),
    [
        ({"exclude": [{"storage_pools": [{"name": "x#y"}]}]}, "storage pool x#y does not exist"),
        ({"exclude": [{"volumes": [{"uuid": "v9"}]}]}, "volume v9 does not exist"),
        ({"volume_types": [{"name": "tin"}]}, "volume type tin is offered by no storage host"),
    ],
)
def test_unknown_names_of_storage_are_told(rule: dict[str, Any], warning: str) -> None:
    assert warning in storage(rule)[3]


def test_a_volume_that_went_with_its_pool_can_be_excluded_too() -> None:
    exclusions = [{"storage_pools": [{"name": "s1@lvm#a"}]}, {"volumes": [{"uuid": "v1"}]}]
    _, shown, _, warnings = storage({"exclude": exclusions})
    assert "v1" not in shown
    assert warnings == []


def test_baremetal_nodes_are_left_out_by_uuid() -> None:
    on = session()
    rules = [{"exclude": [{"ironic_nodes": [{"uuid": "iron-2"}, {"uuid": "c1"}]}]}]
    mask = evaluate([{"baremetal": rules}], "baremetal", on)
    assert seen(mask, on, "baremetal") == ({"iron-1"}, {"i7"}, set())
    assert mask.warnings == ["baremetal node c1 does not exist"]


def test_the_first_block_of_a_kind_counts_and_others_are_told_of() -> None:
    on = session()
    scope = [
        {"compute": []},
        {"storage": [{"availability_zones": [{"name": "az2"}]}]},
        {"compute": [{"availability_zones": [{"name": "az1"}]}]},
        {"compute": [{"availability_zones": [{"name": "az2"}]}]},
    ]
    mask = evaluate(scope, "compute", on)
    assert seen(mask, on, "compute")[0] == {"c1", "c2"}
    assert mask.warnings == ["only the first compute block counts, 1 more ignored"]


def test_placements_are_those_of_the_session() -> None:
    on = session()
    on.record(Move(consumer_uuid="i1", to_provider="uuid-c4"))
    mask = evaluate([{"compute": [{"availability_zones": [{"name": "az1"}]}]}], "compute", on)
    assert seen(mask, on, "compute")[1] == {"i2", "i5", "i6"}


def test_masks_are_read_only_and_scopes_leave_the_view_alone() -> None:
    """§10.1 row 16: one audit's scope never reaches what another sees."""
    on = session()
    narrow = evaluate([{"compute": [{"host_aggregates": [{"id": 1}]}]}], "compute", on)
    with pytest.raises(ValueError, match="read-only"):
        narrow.providers[0] = True
    assert seen(evaluate([], "compute", on), on, "compute")[0] == HOSTS
    assert seen(narrow, on, "compute")[0] == {"c1", "c3"}


def test_an_empty_cluster_has_an_empty_scope() -> None:
    from tachyon.graph.mutations import Cluster
    from tachyon.graph.view import build, snapshot_of

    on = Session(build(snapshot_of(Cluster())))
    for kind in ("compute", "storage", "baremetal"):
        assert not evaluate([], kind, on).providers.size


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"compute": []}, "$"),
        ([{"network": []}], "[0]"),
        ([{}], "[0]"),
        ([{"compute": [{"zones": []}]}], "[0].compute[0]"),
        (
            [{"compute": [{"host_aggregates": [{"id": "7"}]}]}],
            "[0].compute[0].host_aggregates[0].id",
        ),
        ([{"compute": [{"host_aggregates": [{}]}]}], "[0].compute[0].host_aggregates[0]"),
        # Watcher accepts unknown keys here: its schema says additionalProperties one level off.
        ([{"storage": [{"exclude": [{"pools": []}]}]}], "[0].storage[0].exclude[0]"),
        (
            [{"compute": [{"availability_zones": [{"name": "*"}, {"name": "az1"}]}]}],
            "[0].compute[0].availability_zones",
        ),
        (
            [{"compute": [{"exclude": [{"host_aggregates": [{"id": "*"}, {"id": 1}]}]}]}],
            "[0].compute[0].exclude[0].host_aggregates",
        ),
        (
            [
                {"storage": [{"availability_zones": [{"name": "az1"}]}]},
                {
                    "compute": [
                        {"host_aggregates": [{"id": 1}]},
                        {"exclude": [{"host_aggregates": [{"id": 2}]}]},
                    ]
                },
            ],
            "[1].compute",
        ),
    ],
)
def test_a_malformed_scope_is_one_error_that_names_the_place(scope: Any, path: str) -> None:
    with pytest.raises(ScopeInvalid) as refused:
        evaluate(scope, "compute", session())
    assert [e["path"] for e in refused.value.details["errors"]] == [path]


def test_the_oldest_form_is_a_list_of_rules_for_compute() -> None:
    on = session()
    for kind, count in (("compute", 2), ("storage", 2)):
        rules = [{"availability_zones": [{"name": "az2"}]}]
        mask = evaluate(rules, _kind(kind), on)
        assert len(seen(mask, on, kind)[0]) == count


def _kind(name: str) -> Kind:
    return "compute" if name == "compute" else "storage"
