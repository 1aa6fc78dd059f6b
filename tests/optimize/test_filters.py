"""Filters of destinations: each refusal has a reason, and strategies keep to the chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tachyon.conf import load
from tachyon.errors import PluginNotFound
from tachyon.graph.entities import Flavor, HostAggregate, ServerGroup
from tachyon.graph.simulation import Session
from tachyon.graph.simulation.filters import DEFAULT, HostFilter, Refused
from tachyon.graph.simulation.state import VirtualState
from tachyon.optimize.filters import chain, installed
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.options import StrategyOptions
from tachyon.optimize.strategies.packing import Packer
from tests.optimize.clusters import SHAPES, cluster, host, run, small, steps, view_of, vm


def reasons(content: Any, consumer: str = "x") -> dict[str, list[str]]:
    found = Session(view_of(content)).destinations(consumer).refusals()
    return {uuid: [r.message for r in some] for uuid, some in found.items()}


def test_every_filter_is_a_plug_in_by_its_name() -> None:
    assert {f.name for f in DEFAULT} | {"AllHostsFilter"} <= set(installed())
    assert all(name == one.name for name, one in installed().items())
    assert chain(None) == DEFAULT
    assert [f.name for f in chain(["TraitsFilter"])] == ["TraitsFilter"]
    with pytest.raises(PluginNotFound, match="no filter Nonsense"):
        chain(["Nonsense"])


@pytest.mark.parametrize(
    ("of_b", "of_x", "records", "reason"),
    [
        ({"status": "disabled", "disabled_reason": "repair"}, {}, {}, "disabled (repair)"),
        ({"state": "down"}, {}, {}, "down"),
        ({"maintenance": True}, {}, {}, "in maintenance"),
        ({"extra": {"stale": True}}, {}, {}, "its data is stale"),
        ({"availability_zone": "z2"}, {"pinned_az": "z1"}, {}, "not in availability zone z1"),
        (
            {},
            {"flavor_id": "f"},
            {"flavors": [Flavor(id="f", extra_specs={"trait:CUSTOM_FAST": "required"})]},
            "lacks required trait CUSTOM_FAST",
        ),
        (
            {"traits": ("CUSTOM_SLOW",)},
            {"flavor_id": "f"},
            {"flavors": [Flavor(id="f", extra_specs={"trait:CUSTOM_SLOW": "forbidden"})]},
            "has forbidden trait CUSTOM_SLOW",
        ),
        (
            {"aggregates": ("hdd",)},
            {"flavor_id": "f"},
            {
                "flavors": [
                    Flavor(id="f", extra_specs={"aggregate_instance_extra_specs:disk": "ssd"})
                ],
                "host_aggregates": [HostAggregate(name="hdd", metadata={"disk": "hdd"})],
            },
            "no aggregate satisfies disk",
        ),
        (
            {"aggregates": ("theirs",)},
            {"project_id": "ours"},
            {
                "host_aggregates": [
                    HostAggregate(name="theirs", metadata={"filter_tenant_id2": "p1, p2"})
                ]
            },
            "its aggregate is kept to other projects",
        ),
        (
            {},
            {"server_group": "g"},
            {"server_groups": [ServerGroup(uuid="g", policy="anti-affinity")]},
            "server group's anti-affinity forbids it",
        ),
        ({}, {"scheduler_hints": {"different_host": "y"}}, {}, "hint different_host forbids it"),
        ({}, {"scheduler_hints": {"different_host": ["z", "y"]}}, {}, "hint different_host"),
        ({}, {"scheduler_hints": {"same_host": ["w"]}}, {}, "hint same_host asks for another host"),
        ({"vcpus": 2}, {}, {}, "VCPU: 0 available, 2 required"),
        ({"inventories": {}}, {}, {}, "no inventory of VCPU"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_refusal_has_a_reason_and_no_strategy_goes_there(
    of_b: dict[str, Any], of_x: dict[str, Any], records: dict[str, Any], reason: str
) -> None:
    given = dict(of_b)
    y_size = 2 if given.get("inventories") is None else 0
    others = [vm("y", "b", y_size, server_group=of_x.get("server_group"))] if y_size else []
    content = small(
        [host("a"), host("b", given.pop("vcpus", 8), **given)],
        [vm("x", "a", 2, **of_x), vm("w", "a", locked=True), *others],
        **records,
    )
    assert any(reason in text for text in reasons(content)["b"])
    metrics = {"host_outlet_temp": {"a": 50.0, "b": 20.0}}
    assert run(content, "outlet_temperature", metrics=metrics).actions == []


def test_an_aggregate_that_names_the_project_takes_its_instances() -> None:
    content = small(
        [host("a"), host("b", aggregates=("ours", "theirs"))],
        [vm("x", "a", project_id="p1")],
        host_aggregates=[
            HostAggregate(name="ours", metadata={"filter_tenant_id": "p1"}),
            HostAggregate(name="theirs", metadata={"filter_tenant_id": "p2"}),
        ],
    )
    assert "b" not in reasons(content)


@pytest.mark.parametrize(
    ("policy", "target"), [("soft-anti-affinity", "c"), ("soft-affinity", "b")]
)
def test_soft_policies_are_preferences(policy: Any, target: str) -> None:
    content = small(
        [host("a"), host("b"), host("c")],
        [vm("x", "a", server_group="g"), vm("y", "b", server_group="g")],
        server_groups=[ServerGroup(uuid="g", policy=policy)],
    )
    temperatures = {"a": 50.0, "b": 20.0, "c": 20.0}
    report = run(content, "outlet_temperature", metrics={"host_outlet_temp": temperatures})
    assert steps(report) == [("live", "x", target)]
    # Where there is nothing better, the preference gives way.
    temperatures = {"a": 50.0, "b": 20.0 if policy != "soft-affinity" else 60.0}
    report = run(content, "outlet_temperature", metrics={"host_outlet_temp": temperatures})
    assert report.migrations == (1 if policy != "soft-affinity" else 0)


@pytest.mark.illegal_plan("the operator switches the filter of zones off")
def test_an_operator_chooses_the_filters_of_a_strategy() -> None:
    content = small([host("a"), host("b", availability_zone="z2")], [vm("x", "a", pinned_az="z1")])
    metrics = {"host_outlet_temp": {"a": 50.0, "b": 20.0}}
    assert run(content, "outlet_temperature", metrics=metrics).migrations == 0
    for names, moves in ((("AllHostsFilter",), 1), (("AvailabilityZoneFilter",), 0), ((), 1)):
        options = StrategyOptions(filters=names)
        assert run(content, "outlet_temperature", {}, metrics, options).migrations == moves


class EvenRows(HostFilter):
    """A third party's rule that depends on the consumer."""

    name = "EvenRows"
    steady = False

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        mask = np.zeros(state.view.provider_rows, np.bool_)
        mask[row % 2 :: 2] = True
        yield Refused("odd", mask, lambda at: f"row {at} is not for {row}")


@pytest.mark.parametrize("shape", [s for s in SHAPES if "nested" not in s])
def test_sessions_and_strategies_ask_the_same_chain(shape: str) -> None:
    view = view_of(cluster(shape, 3))
    session = Session(view)
    filters = (*DEFAULT, EvenRows())
    eligibility = Eligibility(session, filters=filters)
    packer = Packer(eligibility, {})
    for row in np.flatnonzero(eligibility.movable)[:60].tolist():
        found = session.destinations(view.consumers.uuid[row], filters=filters)
        wanted = set(found.rows.tolist())
        assert set(packer.rows[packer.fits(row)].tolist()) - {session.state.home(row)} == wanted
        assert any(r.code == "odd" for some in found.refusals().values() for r in some)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"locked": True}, "locked"),
        ({"watcher_exclude": True}, "excluded (watcher_exclude)"),
        ({"state": "error"}, "its state does not allow it"),
        ({"metadata": {"optimize": "no"}}, "excluded by its metadata (optimize)"),
    ],
)
def test_why_an_instance_may_not_be_moved_is_said_in_words(
    fields: dict[str, Any], reason: str
) -> None:
    session = Session(view_of(small([host("a")], [vm("x", "a", **fields), vm("y", "a")])))
    eligibility = Eligibility(session, check_optimize_metadata=True)
    view = session.view
    assert eligibility.why_not(view.consumer_row("x")) == [reason]
    assert eligibility.why_not(view.consumer_row("y")) == []


def test_options_of_a_strategy_come_from_its_group_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "tachyon.conf"
    file.write_text(
        "[watcher_strategies.basic]\nfilters = TraitsFilter, ServerGroupFilter\n"
        "check_optimize_metadata = true\n"
        "[watcher_strategies.storage_capacity_balance]\nex_pools =\n"
    )
    conf = load(str(file))
    assert StrategyOptions.of(conf["watcher_strategies.basic"]) == StrategyOptions(
        filters=("TraitsFilter", "ServerGroupFilter"), check_optimize_metadata=True
    )
    assert StrategyOptions.of(conf["watcher_strategies.zone_migration"]) == StrategyOptions()
    storage = StrategyOptions.of(conf["watcher_strategies.storage_capacity_balance"])
    assert storage.ex_pools == ()
    assert StrategyOptions.of(None) == StrategyOptions()


def test_nothing_leaves_a_host_of_which_nothing_new_is_known() -> None:
    content = small([host("a", extra={"stale": True}), host("b")], [vm("x", "a")])
    metrics = {"host_outlet_temp": {"a": 50.0, "b": 20.0}}
    assert run(content, "outlet_temperature", metrics=metrics).actions == []
    eligibility = Eligibility(Session(view_of(content)))
    assert eligibility.why_not(0) == ["its host is down, or its data stale"]
