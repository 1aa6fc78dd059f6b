"""Machine reassignment instances of the ROADEF/EURO challenge 2012 (Google) as clusters.

A machine becomes a provider, a process a consumer, a service a server group with anti-affinity, a
location an availability zone and a neighbourhood a host aggregate. What the model has no place for
(weights, balance objectives, dependencies, move costs) is kept in `extra`, so that nothing of the
instance is lost; docs/cluster-files.md lists where each number goes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tachyon.graph.cluster_file import ClusterFile, bad_file, unpacked
from tachyon.graph.entities import (
    AMOUNT_MAX,
    Allocations,
    AvailabilityZone,
    Consumer,
    HostAggregate,
    Inventory,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.importers.naming import numbered
from tachyon.graph.mutations import Cluster

_NAME = re.compile(r"^model(?=[_.])")


def read_roadef2012(
    model: str | os.PathLike[str], assignment: str | os.PathLike[str] | None = None
) -> ClusterFile:
    """Read an instance and the assignment it starts from; both may be gzip-compressed.

    Args:
        model: the file `model_X.txt` or `model_X.txt.gz`.
        assignment: the file with the machine of each process; by default the one beside the
            model whose name begins with `assignment` instead.

    Raises:
        ClusterFileError: a file cannot be read; names the number that is wrong and what it is.
    """
    if assignment is None:
        path = Path(model)
        name, renamed = _NAME.subn("assignment", path.name)
        if not renamed:
            raise bad_file(
                os.fspath(model), [("", "its name does not begin with model_; name both files")]
            )
        assignment = path.with_name(name)
    builder = _Builder(_Numbers(model))
    builder.start = _Numbers(assignment)
    return builder.build(f"ROADEF/EURO challenge 2012, {Path(model).name}")


class _Numbers:
    """The numbers of a file, handed out one after the other."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        words = unpacked(path, name=self.name).split()
        for position, word in enumerate(words):
            if not word.isdigit() or len(word) > 18:
                shown = word[:20].decode("utf-8", "replace")
                raise self.error(position, f"expected a whole number, found {shown!r}")
        self._values: NDArray[np.int64] = np.array(words, dtype=np.int64)
        large = np.flatnonzero(self._values > AMOUNT_MAX)
        if len(large):
            raise self.error(int(large[0]), f"is larger than {AMOUNT_MAX}")
        self._next = 0

    def error(self, position: int, reason: str) -> Exception:
        return bad_file(self.name, [(f"number {position + 1}", reason)])

    def take(self, count: int, what: str) -> list[int]:
        """Return the next numbers; `what` names them if there are too few."""
        end = self._next + count
        if end > len(self._values):
            raise self.error(len(self._values), f"the file ends before {what}")
        taken = self._values[self._next : end]
        self._next = end
        values: list[int] = taken.tolist()
        return values

    def one(self, what: str, below: int | None = None) -> int:
        """Return the next number, which must be less than `below` if that is given."""
        (value,) = self.take(1, what)
        if below is not None and value >= below:
            raise self.error(self._next - 1, f"{what} is {value}, must be less than {below}")
        return value

    def finish(self) -> None:
        left = len(self._values) - self._next
        if left:
            raise self.error(self._next, f"{left} numbers more than the instance has")


class _Builder:
    """Builds the cluster in the order of the model file."""

    start: _Numbers

    def __init__(self, numbers: _Numbers) -> None:
        self.numbers = numbers
        self.cluster = Cluster()
        self.extra: dict[str, Any] = {}

    def build(self, generated_by: str) -> ClusterFile:
        self._resources()
        self._machines()
        self._services()
        self._processes()
        self._objectives()
        self.numbers.finish()
        return ClusterFile(
            cluster=self.cluster, generated_by=generated_by, extra={"roadef2012": self.extra}
        )

    def _resources(self) -> None:
        count = self.numbers.one("the number of resources", 1000)
        self.classes = [f"CUSTOM_R{row}" for row in range(count)]
        self.extra["resources"] = [
            {
                "class": name,
                "transient": bool(self.numbers.one(f"whether {name} is transient", 2)),
                "load_weight": self.numbers.one(f"the weight of {name}"),
            }
            for name in self.classes
        ]

    def _machines(self) -> None:
        count = self.numbers.one("the number of machines", 10**6)
        names = [numbered("machine", row, count) for row in range(count)]
        places: list[tuple[int, int]] = []
        amounts: list[list[int]] = []
        costs: list[list[int]] = []
        size = len(self.classes)
        for name in names:
            neighbourhood, location = self.numbers.take(2, f"the place of {name}")
            places.append((neighbourhood, location))
            amounts.append(self.numbers.take(2 * size, f"the capacities of {name}"))
            costs.append(self.numbers.take(count, f"the move costs of {name}"))
        neighbourhoods = 1 + max((p[0] for p in places), default=0)
        locations = 1 + max((p[1] for p in places), default=0)
        for name, (neighbourhood, location), both in zip(names, places, amounts, strict=True):
            self.cluster.providers.append(
                ResourceProvider(
                    uuid=name,
                    name=name,
                    availability_zone=numbered("location", location, locations),
                    aggregates=(numbered("neighbourhood", neighbourhood, neighbourhoods),),
                    inventories={
                        class_: Inventory(total=total)
                        for class_, total in zip(self.classes, both[:size], strict=True)
                    },
                    extra={"safety_capacity": dict(zip(self.classes, both[size:], strict=True))},
                )
            )
        # In order of the machines, rows are sources; too large for the graph's own records.
        self.extra["machine_move_costs"] = costs
        self.cluster.availability_zones = [
            AvailabilityZone(name=name)
            for name in sorted({p.availability_zone or "" for p in self.cluster.providers})
        ]
        self.cluster.host_aggregates = [
            HostAggregate(name=name)
            for name in sorted({a for p in self.cluster.providers for a in p.aggregates})
        ]

    def _services(self) -> None:
        count = self.numbers.one("the number of services", 10**6)
        self.services = [numbered("service", row, count) for row in range(count)]
        described = {}
        for name in self.services:
            spread, dependencies = self.numbers.take(2, f"the spread of {name}")
            described[name] = {
                "spread_minimum": spread,
                "depends_on": [
                    self.services[self.numbers.one(f"a service that {name} depends on", count)]
                    for _ in range(dependencies)
                ],
            }
        self.extra["services"] = described
        self.cluster.server_groups = [
            ServerGroup(uuid=name, name=name, policy="anti-affinity") for name in self.services
        ]

    def _processes(self) -> None:
        count = self.numbers.one("the number of processes", 10**7)
        machines = self.cluster.providers
        for row in range(count):
            name = numbered("process", row, count)
            service = self.numbers.one(f"the service of {name}", len(self.services))
            amounts = self.numbers.take(len(self.classes), f"the requirements of {name}")
            cost = self.numbers.one(f"the move cost of {name}")
            machine = self.start.one(f"the machine of {name}", len(machines))
            needs = dict(zip(self.classes, amounts, strict=True))
            # Zeros say nothing, except of a process that needs nothing: where it stands.
            held = {class_: amount for class_, amount in needs.items() if amount} or needs
            allocations: Allocations = {machines[machine].uuid: held}
            self.cluster.consumers.append(
                Consumer(
                    uuid=name,
                    name=name,
                    server_group=self.services[service],
                    allocations=allocations,
                    extra={"move_cost": cost},
                )
            )
        self.start.finish()

    def _objectives(self) -> None:
        count = self.numbers.one("the number of balance objectives", 10**6)
        balance = []
        for row in range(count):
            what = f"balance objective {row}"
            first = self.numbers.one(f"a resource of {what}", len(self.classes))
            second = self.numbers.one(f"a resource of {what}", len(self.classes))
            balance.append(
                {
                    "resource_1": self.classes[first],
                    "resource_2": self.classes[second],
                    "target": self.numbers.one(f"the target of {what}"),
                    "weight": self.numbers.one(f"the weight of {what}"),
                }
            )
        self.extra["balance"] = balance
        names = ("process_move", "service_move", "machine_move")
        weights = self.numbers.take(len(names), "the weights of the move costs")
        self.extra["weights"] = dict(zip(names, weights, strict=True))
