"""What is measured: resources of a type by the rows of a view, and the names that find them.

A datasource answers for all resources of a type at once, under labels of its own (a host name, a
resource id). `Resources.align` puts such answers into arrays beside the view's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np

from tachyon.graph.view import View
from tachyon.graph.view.columns import F64, I64, Bool
from tachyon.openstack.telemetry.metrics import ResourceType

_PROVIDER_TYPES: Mapping[ResourceType, tuple[str, ...]] = {
    "compute_node": ("compute",),
    "bare_metal": ("baremetal",),
    "storage": ("storage", "pool"),
}


class Resources:
    """K resources of one type.

    Args:
        view: what the cluster looks like.
        resource_type: instances are consumers that are placed, all others providers.

    Attributes:
        rows: K; their rows in the view, `size` of which there are.
        uuids, names, hostnames: K; a host's name is that of its nova-compute service, its hostname
            that of its hypervisor. An instance's hostname is its name.
    """

    def __init__(self, view: View, resource_type: ResourceType) -> None:
        self.view = view
        self.resource_type: ResourceType = resource_type
        if resource_type == "instance":
            self.size = view.consumer_rows
            c = view.consumers
            alive: Bool = c.alive & (c.home >= 0) & (c.type == view.codes.type.find("instance"))
            self.rows: I64 = np.flatnonzero(alive)
            self.uuids = [c.uuid[row] for row in self.rows.tolist()]
            self.names = [c.name[row] for row in self.rows.tolist()]
            self.hostnames = self.names
            return
        self.size = view.provider_rows
        self.rows = np.flatnonzero(view.provider_mask(types=_PROVIDER_TYPES[resource_type]))
        providers = [view.provider_at(row) for row in self.rows.tolist()]
        self.uuids = [p.uuid for p in providers]
        self.names = [p.name for p in providers]
        self.hostnames = [str(p.extra.get("hypervisor_hostname") or p.name) for p in providers]

    def __len__(self) -> int:
        return self.rows.size

    def attribute(self, name: str) -> list[str] | None:
        """Return an attribute of all, by the names that Watcher's users know; None: no such one."""
        known = {
            "uuid": self.uuids,
            "id": self.uuids,
            "name": self.names,
            "human_id": self.names,
            "hostname": self.names,
            "hypervisor_hostname": self.hostnames,
        }
        return known.get(name)

    def held(self, resource_class: str) -> F64:
        """Return what each instance holds of a resource class (K); NaN where that is unknown."""
        column = self.view.class_index.get(resource_class)
        if column is None or self.resource_type != "instance":
            return np.full(len(self), np.nan)
        held: F64 = self.view.consumers.demand[self.rows, column].astype(np.float64)
        return held

    def root_disks(self) -> F64:
        """Return the gigabytes of each instance's root disk by its flavor (K); NaN: unknown."""
        sizes = np.full(len(self), np.nan)
        codes, flavors = self.view.codes.flavor, self.view.consumers.flavor
        of_code: dict[int, float] = {}
        for at, row in enumerate(self.rows.tolist()):
            code = int(flavors[row])
            if code not in of_code:
                flavor = self.view.flavor(codes.value(code))
                of_code[code] = np.nan if flavor is None else float(flavor.disk_gb)
            sizes[at] = of_code[code]
        return sizes

    @cached_property
    def _exact(self) -> Mapping[str, int]:
        """Every full name under which one resource may be known, with its position."""
        known: dict[str, int] = {}
        ambiguous: set[str] = set()
        for at, (uuid, name, hostname) in enumerate(
            zip(self.uuids, self.names, self.hostnames, strict=True)
        ):
            # Ceilometer's agent calls a compute node HOST_HOST.
            for label in {uuid, name, hostname, f"{name}_{name}", f"{hostname}_{hostname}"}:
                if label in known and label not in self._of_uuids:
                    ambiguous.add(label)
                known.setdefault(label, at)
        for label in ambiguous:
            del known[label]
        return known

    @cached_property
    def _of_uuids(self) -> frozenset[str]:
        return frozenset(self.uuids)

    @cached_property
    def _short(self) -> Mapping[str, int]:
        """Host names without their domain, where that says which host is meant."""
        known: dict[str, int] = {}
        ambiguous: set[str] = set()
        for at, pair in enumerate(zip(self.names, self.hostnames, strict=True)):
            for label in {name.partition(".")[0] for name in pair}:
                if known.setdefault(label, at) != at:
                    ambiguous.add(label)
        return {label: at for label, at in known.items() if label not in ambiguous}

    def find(self, label: str) -> int:
        """Return the position of a resource by one of its names; −1 where none or many have it.

        Hosts are found by their full name, then by the part before the first dot, so that
        `compute-1` and `compute-1.example.org` meet whichever side says more.
        """
        found = self._exact.get(label, -1)
        if found < 0 and self.resource_type != "instance":
            found = self._short.get(label.partition(".")[0], -1)
        return found

    def align(self, values: Iterable[tuple[str, float]]) -> F64:
        """Return values by position (K) from (label, value); NaN where there is none."""
        aligned = np.full(len(self), np.nan)
        for label, value in values:
            at = self.find(label)
            if at >= 0:
                aligned[at] = value
        return aligned

    def by_row(self, values: F64) -> F64:
        """Return values (K) in the view's rows (`size`); NaN elsewhere."""
        spread = np.full(self.size, np.nan)
        spread[self.rows] = values
        return spread
