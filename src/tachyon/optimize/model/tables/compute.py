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
from tachyon.optimize.model.tables.providers import Providers
from tachyon.optimize.model.tables.rows import (
    Children,
    json_of,
    odd_consumers,
    total_held,
)


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


class Instances:
    """The instances of a view that stand on compute hosts, or nowhere (`layer.Source`)."""

    element = Instance

    def __init__(self, view: View, hosts: Hosts) -> None:
        self.view = view
        self.hosts = hosts
        self.keys = view.consumers.uuid

    @cached_property
    def members(self) -> Bool:
        """N; which consumers are instances of the compute model."""
        view = self.view
        columns = view.consumers
        mine = columns.alive & (columns.type == view.codes.type.find("instance"))
        compute = np.array([t == "compute" for t in view.tree.types] + [True])
        # Home −1 is the last row: one that stands nowhere is in the model.
        members: Bool = mine & compute[columns.home]
        return members

    @cached_property
    def rows(self) -> list[int]:
        """Rows of instances in the order in which they came into the graph."""
        order = self.view.consumer_order
        found: list[int] = order[self.members[order]].tolist()
        return found

    @cached_property
    def _member(self) -> bytes:
        return self.members.tobytes()

    def row(self, key: str) -> int:
        """Return the row of an instance, −1 when there is none."""
        row = self.view.consumers.index.get(key, -1)
        return row if 0 <= row < self.view.consumer_rows and self._member[row] else -1

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

    @cached_property
    def odd(self) -> dict[int, Any]:
        """What instances say that their own fields do not, by row."""
        return odd_consumers(self.view)

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


class Placements:
    """Which instances stand on which hosts (`relation.Edges`)."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    @cached_property
    def _several(self) -> dict[int, list[int]]:
        row = self._instances.hosts.row
        members = self._instances.members
        return {
            at: [host for key in odd.hosts if (host := row(key)) >= 0]
            for at, odd in self._instances.odd.items()
            if odd.hosts is not None and members[at]
        }

    @cached_property
    def _children(self) -> Children:
        odd = self._instances.odd
        since = {row: odd[row].since for row in self._several}
        return Children(self._instances.view, self._instances.members, self._several, since)

    def parents(self, child: int) -> Sequence[int]:
        """Return the rows of the hosts of an instance."""
        several = self._several.get(child)
        if several is not None:
            return several
        home = self._instances.view.consumers.home.item(child)
        return () if home < 0 else (home,)

    def children(self, parent: int) -> Sequence[int]:
        """Return the rows of a host's instances in the order of arrival."""
        return self._children.of(parent)

    @cached_property
    def used(self) -> tuple[list[int], list[int], list[int]]:
        """What the instances of each host hold together, by provider row: vcpu, memory, disk."""
        instances = self._instances
        view = instances.view
        home = view.consumers.home
        members = instances.members & (home >= 0)
        if self._several:
            members[list(self._several)] = False
        rows = np.flatnonzero(members)
        found = []
        odd = {row: instances.odd[row] for row in instances.odd if members[row]}
        for name in ("vcpus", "memory", "disk"):
            amounts = np.array(instances.amounts[name], np.int64)
            for row, oddity in odd.items():
                amounts[row] = oddity.set.get(name, 0 if name in oddity.unset else amounts[row])
            sums = np.zeros(view.provider_rows, np.int64)
            np.add.at(sums, home[rows], amounts[rows])
            for row, hosts in self._several.items():
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
