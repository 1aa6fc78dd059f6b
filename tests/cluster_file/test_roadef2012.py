"""Instances of the ROADEF/EURO challenge 2012 lose nothing on their way into a cluster file.

The instance and its cost are worked out again here from the cluster file alone, by the problem's
own definition.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tachyon.errors import ClusterFileError
from tachyon.graph.cluster_file import ClusterFile, encode_cluster_file, read_cluster_file
from tachyon.graph.importers import import_path
from tachyon.graph.importers.roadef2012 import read_roadef2012
from tests.cluster_file.shared import DATA, shared

TINY = DATA / "roadef2012" / "model_tiny.txt"
Ints = NDArray[np.int64]


class Instance:
    """The arrays of an instance, from a cluster file."""

    def __init__(self, content: ClusterFile) -> None:
        extra = content.extra["roadef2012"]
        self.extra: dict[str, Any] = extra
        self.classes: list[str] = [r["class"] for r in extra["resources"]]
        machines, processes = content.cluster.providers, content.cluster.consumers
        rows = {p.uuid: row for row, p in enumerate(machines)}
        services = {name: row for row, name in enumerate(extra["services"])}
        self.capacity = np.array([[p.inventories[c].total for c in self.classes] for p in machines])
        self.safety = np.array(
            [[p.extra["safety_capacity"][c] for c in self.classes] for p in machines]
        )
        self.zone = [int((p.availability_zone or "").rpartition("-")[2]) for p in machines]
        self.neighbourhood = [int(p.aggregates[0].rpartition("-")[2]) for p in machines]
        self.service = np.array([services[p.server_group or ""] for p in processes])
        self.needs = np.array(
            [
                [next(iter(p.allocations.values())).get(c, 0) for c in self.classes]
                for p in processes
            ]
        )
        self.start = np.array([rows[next(iter(p.allocations))] for p in processes])
        self.move_cost = np.array([p.extra["move_cost"] for p in processes])

    def model(self) -> list[int]:
        """Return the numbers of the model file."""
        extra = self.extra
        numbers: list[int] = [len(self.classes)]
        for resource in extra["resources"]:
            numbers += [int(resource["transient"]), resource["load_weight"]]
        numbers.append(len(self.capacity))
        for row, costs in enumerate(extra["machine_move_costs"]):
            numbers += [self.neighbourhood[row], self.zone[row]]
            numbers += [*self.capacity[row].tolist(), *self.safety[row].tolist(), *costs]
        numbers.append(len(extra["services"]))
        names = list(extra["services"])
        for service in extra["services"].values():
            numbers += [service["spread_minimum"], len(service["depends_on"])]
            numbers += [names.index(name) for name in service["depends_on"]]
        numbers.append(len(self.service))
        for row, service in enumerate(self.service.tolist()):
            numbers += [service, *self.needs[row].tolist(), int(self.move_cost[row])]
        numbers.append(len(extra["balance"]))
        for balance in extra["balance"]:
            numbers += [self.classes.index(balance[f"resource_{n}"]) for n in (1, 2)]
            numbers += [balance["target"], balance["weight"]]
        weights = extra["weights"]
        return numbers + [weights[f"{name}_move"] for name in ("process", "service", "machine")]

    def cost(self, assignment: Ints) -> int:
        used = np.zeros_like(self.capacity)
        np.add.at(used, assignment, self.needs)
        total = 0
        weights = [r["load_weight"] for r in self.extra["resources"]]
        total += int((np.maximum(0, used - self.safety).sum(axis=0) * weights).sum())
        free = self.capacity - used
        for balance in self.extra["balance"]:
            first, second = (self.classes.index(balance[f"resource_{n}"]) for n in (1, 2))
            lacking = np.maximum(0, balance["target"] * free[:, first] - free[:, second])
            total += balance["weight"] * int(lacking.sum())
        moved = assignment != self.start
        weights = self.extra["weights"]
        total += weights["process_move"] * int(self.move_cost[moved].sum())
        by_service = np.bincount(self.service[moved], minlength=1)
        total += weights["service_move"] * int(by_service.max())
        costs = np.array(self.extra["machine_move_costs"])
        return total + weights["machine_move"] * int(costs[self.start, assignment].sum())


def numbers(path: Path) -> list[int]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [int(word) for word in text.split()]


def stored(path: Path) -> Instance:
    return Instance(read_cluster_file(encode_cluster_file(import_path(path))))


def test_the_hand_made_instance_has_the_cost_worked_out_by_hand() -> None:
    instance = stored(TINY)
    assert instance.model() == numbers(TINY)
    assert instance.start.tolist() == [0, 3, 0]
    # Load: (18 - 16) * 10 + (210 - 80) * 100 on machine 0, (10 - 8) * 10 on machine 3;
    # balance: (20 * 12 - 190 + 20 * 15 - 100) * 10; nothing moved.
    assert instance.cost(instance.start) == 20 + 13_000 + 20 + 2_500
    # Process 2 to machine 1: its load is 6 and 200 there, over the safety capacity by 40.
    moved = np.array([0, 3, 1])
    load = 0 + 4_000 + 20
    balance = ((20 * 18 - 390) * 0 + (20 * 4 - 40) + (20 * 15 - 100)) * 10
    assert instance.cost(moved) == load + balance + 1 * 1 + 10 * 1 + 100 * 1


def test_roles_are_those_of_a_cloud() -> None:
    cluster = import_path(TINY).cluster
    assert [z.name for z in cluster.availability_zones] == [f"location-00{n}" for n in range(3)]
    assert [a.name for a in cluster.host_aggregates] == [f"neighbourhood-00{n}" for n in range(2)]
    assert {g.policy for g in cluster.server_groups} == {"anti-affinity"}
    assert cluster.consumers[2].server_group == "service-001"


@pytest.mark.parametrize("name", ["a1_1", "a1_4", "a2_5", "b_1"])
def test_nothing_of_an_instance_is_lost(name: str) -> None:
    model = shared(f"roadef2012/model_{name}.txt.gz")
    instance = stored(model)
    assert instance.model() == numbers(model)
    assignment = model.with_name(model.name.replace("model", "assignment"))
    assert instance.start.tolist() == numbers(assignment)


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("b_1", 7_644_173_180),
        ("b_2", 5_181_493_830),
        ("b_3", 6_336_834_660),
        ("b_4", 9_209_576_380),
        ("b_5", 12_426_813_010),
        ("b_6", 12_749_861_240),
    ],
)
def test_the_cost_at_the_start_is_the_published_one(name: str, cost: int) -> None:
    instance = Instance(import_path(shared(f"roadef2012/model_{name}.txt.gz")))
    assert instance.cost(instance.start) == cost


@pytest.mark.parametrize(
    ("model", "assignment", "reason"),
    [
        ("", "", "model_x.txt: number 1: the file ends before the number of resources"),
        ("1 0 -5", "", "model_x.txt: number 3: expected a whole number, found '-5'"),
        ("1 0 5 x", "", "number 4: expected a whole number, found 'x'"),
        ("1 2", "", "number 2: whether CUSTOM_R0 is transient is 2, must be less than 2"),
        ("1 0 9999999999999999", "", "number 3: is larger than"),
        ("1 0 5 1 0 0 7 5", "", "number 9: the file ends before the move costs of machine-000"),
        ("1 0 5 1 0 0 7 5 0 1 0 1 4", "", "a service that service-000 depends on is 4"),
        (
            "1 0 5 1 0 0 7 5 0 1 0 0 1 0 3 9 0 1 1 1", "1",
            "assignment_x.txt: number 1: the machine of process-000 is 1",
        ),
        (
            "1 0 5 1 0 0 7 5 0 1 0 0 1 0 3 9 0 1 1 1", "0 0",
            "assignment_x.txt: number 2: 1 numbers more",
        ),
        ("1 0 5 1 0 0 7 5 0 1 0 0 1 0 3 9 0 1 1 1 8", "0", "number 21: 1 numbers more"),
        ("1 0 5 1 0 0 7 5 0 1 0 0 1 0 3 9 1 0 6 1 1 1 1 1", "0", "a resource of balance"),
    ],
)  # fmt: skip
def test_a_bad_number_is_named(tmp_path: Path, model: str, assignment: str, reason: str) -> None:
    (tmp_path / "model_x.txt").write_text(model)
    (tmp_path / "assignment_x.txt").write_text(assignment)
    with pytest.raises(ClusterFileError) as caught:
        read_roadef2012(tmp_path / "model_x.txt")
    assert reason in str(caught.value)


def test_a_missing_assignment_is_named(tmp_path: Path) -> None:
    (tmp_path / "model_x.txt").write_bytes(TINY.read_bytes())
    with pytest.raises(ClusterFileError, match=r"assignment_x\.txt: cannot be read: No such file"):
        read_roadef2012(tmp_path / "model_x.txt")
    (tmp_path / "x.txt").write_bytes(TINY.read_bytes())
    with pytest.raises(ClusterFileError, match="name both files"):
        read_roadef2012(tmp_path / "x.txt")
    beside = TINY.with_name("assignment_tiny.txt")
    assert read_roadef2012(tmp_path / "x.txt", beside).cluster == import_path(TINY).cluster
