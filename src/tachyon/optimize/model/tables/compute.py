"""Hosts and instances of a view, as rows, keys and columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np

from tachyon.graph.entities import ResourceProvider
from tachyon.graph.view.columns import NO_TIME, Bool
from tachyon.graph.view.view import EPOCH, View
from tachyon.optimize.model.elements import ComputeNode, Instance
from tachyon.optimize.model.elements.element import COMMON
from tachyon.optimize.model.records import compute_node, instance
from tachyon.optimize.model.tables.consumers import ConsumerEdges, Consumers
from tachyon.optimize.model.tables.providers import Providers
from tachyon.optimize.model.tables.rows import json_of, total_held


class Hosts(Providers[ComputeNode]):
    """The compute hosts of a view (`layer.Source`)."""

    def __init__(self, view: View) -> None:
        super().__init__(view, ComputeNode, "compute", compute_node.values_of)

    @cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Rows by host name, of hosts that have one."""
        found: dict[str, list[int]] = {}
        for row in self.rows:
            name = compute_node.host_name(self.view.provider_at(row))
            if name is not None:
                found.setdefault(name, []).append(row)
        return found

    def fill(self, row: int, values: dict[str, Any], stage: int) -> None:
        """Add what a host says; all at once."""
        if stage == COMMON:
            values.update(compute_node.values_of(self.view.provider_at(row), self.below(row)))

    def below(self, row: int) -> Sequence[ResourceProvider]:
        """Return the providers that stand in for inventories that a host itself does not have."""
        view = self.view
        record = view.provider_at(row)
        if len(compute_node.INVENTORIES.keys() & record.inventories.keys()) == len(
            compute_node.INVENTORIES
        ):
            return ()
        rows = view.tree.subtree(row)[1:]
        mine = set(record.aggregates)
        return [
            *(view.provider_at(at) for at in rows),
            *(p for p in self._sharing if mine.intersection(p.aggregates)),
        ]

    @cached_property
    def _sharing(self) -> list[ResourceProvider]:
        """Providers that share their storage with all hosts of their aggregates."""
        types = self.view.tree.types
        return [
            self.view.provider_at(row)
            for row in self.view.provider_order.tolist()
            if types[row] == "sharing"
        ]


class Instances(Consumers[Instance]):
    """The instances of a view that stand on compute hosts, or nowhere (`layer.Source`)."""

    element = Instance

    def of_type(self) -> Bool:
        """Return which consumers are instances of the compute model (N)."""
        compute = np.array([t == "compute" for t in self.view.tree.types] + [True])
        # Home −1 is the last row: one that stands nowhere is in the model.
        members: Bool = self.alive("instance") & compute[self.view.consumers.home]
        return members

    @cached_property
    def amounts(self) -> dict[str, list[int]]:
        """Columns vcpus, memory and disk by row."""
        view = self.view
        found = {name: total_held(view, classes) for name, classes in instance.CLASSES.items()}
        nothing = (sum(np.array(column) for column in found.values()) == 0) & self.members
        codes = view.consumers.flavor
        for row in np.flatnonzero(nothing & (codes >= 0)).tolist():
            flavor = view.flavor(view.codes.flavor.value(int(codes[row])))
            if flavor is not None and not view.parts(row):
                for name, amount in instance.of_flavor(flavor).items():
                    found[name][row] = amount
        return found

    @cached_property
    def _common(self) -> tuple[list[Any], ...]:
        view, codes = self.view, self.view.codes
        columns = view.consumers
        states = [*codes.state.values, ""]
        projects = [*codes.project.values, None]
        return (
            columns.name,
            [states[code] for code in columns.state.tolist()],
            self.amounts["vcpus"],
            self.amounts["memory"],
            self.amounts["disk"],
            columns.locked.tolist(),
            columns.watcher_exclude.tolist(),
            [projects[code] for code in columns.project.tolist()],
        )

    def fill(self, row: int, values: dict[str, Any], stage: int) -> None:
        """Add what an instance says: first what most strategies read, then the rest."""
        if stage == COMMON:
            name, state, vcpus, memory, disk, locked, exclude, project = self._common
            values["name"] = name[row]
            values["state"] = state[row]
            values["vcpus"] = vcpus[row]
            values["memory"] = memory[row]
            values["disk"] = disk[row]
            values["locked"] = locked[row]
            values["watcher_exclude"] = exclude[row]
            if project[row] is not None:
                values["project_id"] = project[row]
        else:
            self._fill_rest(row, values)
        if row in self.odd:
            self.odd[row].apply(Instance, values)

    def _fill_rest(self, row: int, values: dict[str, Any]) -> None:
        view, columns, codes = self.view, self.view.consumers, self.view.codes
        flavor = view.flavor(codes.flavor.value(columns.flavor.item(row)))
        values["metadata"] = json_of(columns.metadata[row])
        values["pinned_az"] = codes.pinned_az.value(columns.pinned_az.item(row)) or ""
        values["flavor_extra_specs"] = {} if flavor is None else dict(flavor.extra_specs)
        created = columns.created_at.item(row)
        if created != NO_TIME:
            values["created"] = EPOCH + timedelta(microseconds=created)
        host = self.host(row)
        values.update(instance.places(host, json_of(columns.extra[row])))

    def host(self, row: int) -> ResourceProvider | None:
        """Return the provider that an instance's allocations say it stands on."""
        home = self.view.consumers.home.item(row)
        return None if home < 0 else self.view.provider_at(home)


class Placements(ConsumerEdges):
    """Which instances stand on which hosts (`relation.Edges`)."""

    def __init__(self, instances: Instances) -> None:
        super().__init__(instances)
        self._instances = instances

    @cached_property
    def used(self) -> tuple[list[int], list[int], list[int]]:
        """What the instances of each host hold together, by provider row: vcpu, memory, disk."""
        instances = self._instances
        view = instances.view
        home = view.consumers.home
        members = instances.members & (home >= 0)
        if self.several:
            members[list(self.several)] = False
        rows = np.flatnonzero(members)
        found = []
        odd = {row: instances.odd[row] for row in instances.odd if members[row]}
        for name in ("vcpus", "memory", "disk"):
            amounts = np.array(instances.amounts[name], np.int64)
            for row, oddity in odd.items():
                amounts[row] = oddity.set.get(name, 0 if name in oddity.unset else amounts[row])
            sums = np.zeros(view.provider_rows, np.int64)
            np.add.at(sums, home[rows], amounts[rows])
            for row, hosts in self.several.items():
                oddity = instances.odd[row]
                amount = oddity.set.get(name, int(amounts[row]))
                for host in hosts:
                    sums[host] += 0 if name in oddity.unset else amount
            found.append(sums.tolist())
        return found[0], found[1], found[2]


class ComputeTable:
    """Everything that compute models of one view share."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.hosts = Hosts(view)
        self.instances = Instances(view, self.hosts)
        self.placements = Placements(self.instances)


def compute_table(view: View) -> ComputeTable:
    """Return a view's table, made once."""
    found: ComputeTable | None = view.memo.get("model.compute")
    return found or view.memo.setdefault("model.compute", ComputeTable(view))
