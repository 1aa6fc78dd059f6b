"""CPU traces of PlanetLab virtual machines, on the hosts that papers simulate them with.

The traces are those of A. Beloglazov and R. Buyya, "Optimal online deterministic algorithms and
adaptive heuristics for energy and performance efficient dynamic consolidation of virtual machines
in Cloud data centers" (2012): one file a virtual machine, one integer a line, its CPU use in per
cent every 300 s. Hosts and sizes are those of CloudSim's examples, which most papers compare with.
docs/cluster-files.md says how they become a cluster, and why.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tachyon.graph.cluster_file import ClusterFile, MetricSeries, bad_file, unpacked
from tachyon.graph.entities import Consumer, Flavor, Inventory, ResourceProvider
from tachyon.graph.importers.naming import numbered
from tachyon.graph.mutations import Cluster

HOSTS = 800
PERIOD_S = 300
MIPS = "CUSTOM_MIPS"

#: No combination of virtual machines that fits into a host's memory asks for more than three times
#: its MIPS: with this ratio memory limits a placement, and the CPU is limited by what is measured.
OVERCOMMIT = 3.0

_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_TRACE_BYTES_MAX = 2**20

#: Facts about the whole set-up that belong to no single host or virtual machine.
_SET_UP: dict[str, Any] = {
    "vm_bandwidth_mbit": 100,
    "vm_disk_mb": 2_500,
    "host_bandwidth_mbit": 1_000,
    "migration_bandwidth_mbit": 500,
    "migration_cpu_share": 0.1,
}


class HostType(NamedTuple):
    """A server; `power_watts` at 0, 10 … 100 % of its CPU."""

    name: str
    cores: int
    core_mips: int
    memory_mb: int
    power_watts: tuple[float, ...]

    @property
    def mips(self) -> int:
        """MIPS of all cores together."""
        return self.cores * self.core_mips


class VmType(NamedTuple):
    """A size of virtual machine; each has a single core."""

    mips: int
    memory_mb: int


HOST_TYPES = (
    HostType("HP ProLiant ML110 G4", 2, 1_860, 4_096,
             (86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117)),
    HostType("HP ProLiant ML110 G5", 2, 2_660, 4_096,
             (93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135)),
)  # fmt: skip
VM_TYPES = (VmType(2_500, 870), VmType(2_000, 1_740), VmType(1_000, 1_740), VmType(500, 613))


def read_planetlab(path: str | os.PathLike[str], *, hosts: int = HOSTS) -> ClusterFile:
    """Read a day of traces from `YYYYMMDD.tar.gz` or from a folder of trace files.

    Args:
        path: the archive or folder; its name gives the day.
        hosts: how many hosts there are, of both types in turn.

    Returns:
        The hosts with every virtual machine placed at its full request, and the series
        `cpu_usage` in per cent of each machine's MIPS.

    Raises:
        ClusterFileError: a trace cannot be read, or the machines do not fit on the hosts.
    """
    name = os.fspath(path)
    traces = _traces(path, name)
    if not traces:
        raise bad_file(name, [("", "there are no traces in it")])
    kinds = np.arange(len(traces)) * len(VM_TYPES) // len(traces)
    places = _place(kinds, hosts, name)
    providers = [_provider(row, hosts) for row in range(hosts)]
    consumers = [
        Consumer(
            uuid=numbered("vm", row, len(traces)),
            name=numbered("vm", row, len(traces)),
            flavor_id=f"planetlab-{kind + 1}",
            allocations={
                providers[places[row]].uuid: {
                    "VCPU": 1,
                    "MEMORY_MB": VM_TYPES[kind].memory_mb,
                    MIPS: VM_TYPES[kind].mips,
                }
            },
            extra={"trace": trace},
        )
        for row, (trace, kind) in enumerate(zip(traces, kinds.tolist(), strict=True))
    ]
    series = MetricSeries(
        name="cpu_usage",
        unit="percent",
        kind="consumer",
        start=_day(name),
        period=PERIOD_S,
        resource=MIPS,
        capacity={p.uuid: float(p.inventories[MIPS].total) for p in providers},
        values={c.uuid: values for c, values in zip(consumers, traces.values(), strict=True)},
    )
    flavors = [
        Flavor(
            id=f"planetlab-{number}",
            name=f"{vm.mips} MIPS",
            vcpus=1,
            memory_mb=vm.memory_mb,
            extra_specs={f"resources:{MIPS}": str(vm.mips)},
        )
        for number, vm in enumerate(VM_TYPES, start=1)
    ]
    return ClusterFile(
        cluster=Cluster(providers=providers, consumers=consumers, flavors=flavors),
        metrics=[series],
        generated_by=f"PlanetLab traces of {Path(name).name}",
        extra={"planetlab": dict(_SET_UP)},
    )


def _provider(row: int, count: int) -> ResourceProvider:
    host = HOST_TYPES[row % len(HOST_TYPES)]
    return ResourceProvider(
        uuid=numbered("host", row, count),
        name=numbered("host", row, count),
        inventories={
            "VCPU": Inventory(total=host.cores, allocation_ratio=OVERCOMMIT),
            "MEMORY_MB": Inventory(total=host.memory_mb, max_unit=host.memory_mb),
            MIPS: Inventory(total=host.mips, allocation_ratio=OVERCOMMIT),
        },
        extra={
            "host_type": host.name,
            "core_mips": host.core_mips,
            "power_watts": list(host.power_watts),
        },
    )


def _day(name: str) -> datetime | None:
    found = _DAY.search(Path(name).name)
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC) if found else None  # type: ignore[arg-type,misc]
    except ValueError:
        return None


def _traces(path: str | os.PathLike[str], name: str) -> dict[str, list[float | None]]:
    """Return the values of each trace, by file name in order."""
    if Path(path).is_dir():
        try:
            files = {
                p.name: p.read_bytes()
                for p in Path(path).iterdir()
                if p.is_file() and not p.name.startswith(".")
            }
        except OSError as error:
            raise bad_file(name, [("", f"cannot be read: {error.strerror}")]) from error
    else:
        files = _members(unpacked(path, name=name), name)
    return {trace: _values(files[trace], trace, name) for trace in sorted(files)}


def _members(data: bytes, name: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                trace = Path(member.name).name
                if not member.isreg() or trace.startswith("."):
                    continue
                if member.size > _TRACE_BYTES_MAX:
                    raise bad_file(name, [(trace, f"has more than {_TRACE_BYTES_MAX} bytes")])
                if trace in files:
                    raise bad_file(name, [(trace, "is in the archive twice")])
                opened = archive.extractfile(member)
                files[trace] = opened.read() if opened else b""
    except tarfile.TarError as error:
        raise bad_file(name, [("", f"is no archive of traces: {error}")]) from error
    return files


def _values(data: bytes, trace: str, name: str) -> list[float | None]:
    values: list[float | None] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.strip()
        if not text:
            continue
        if not text.isdigit() or len(text) > 3 or int(text) > 100:
            shown = text[:20].decode("utf-8", "replace")
            raise bad_file(
                name,
                [(f"{trace}, line {number}", f"expected a whole per cent, found {shown!r}")],
            )
        values.append(float(int(text)))
    if not values:
        raise bad_file(name, [(trace, "holds no values")])
    return values


def _place(kinds: NDArray[np.int64], hosts: int, name: str) -> NDArray[np.int64]:
    """Place every machine at its full request; return the row of its host.

    Machines come in their order, each onto the host whose power rises least (the first of equals),
    as CloudSim's power-aware best fit has it; an empty host is switched off, so waking it costs
    its idle power. A single-core machine needs a core that is fast enough.
    """
    types = np.arange(hosts) % len(HOST_TYPES)
    mips = np.array([t.mips for t in HOST_TYPES])[types]
    core = np.array([t.core_mips for t in HOST_TYPES])[types]
    memory = np.array([t.memory_mb for t in HOST_TYPES])[types]
    used = np.zeros(hosts)
    places = np.empty(len(kinds), dtype=np.int64)
    for row, kind in enumerate(kinds.tolist()):
        vm = VM_TYPES[kind]
        fits = (core >= vm.mips) & (mips - used >= vm.mips) & (memory >= vm.memory_mb)
        if not fits.any():
            raise bad_file(name, [("", f"{len(kinds)} machines do not fit on {hosts} hosts")])
        rise = _power(types, (used + vm.mips) / mips) - _power(types, used / mips)
        chosen = int(np.argmin(np.where(fits, rise, np.inf)))
        used[chosen] += vm.mips
        memory[chosen] -= vm.memory_mb
        places[row] = chosen
    return places


def _power(types: NDArray[np.int64], load: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.linspace(0, 1, len(HOST_TYPES[0].power_watts))
    watts = [np.interp(load, points, t.power_watts) for t in HOST_TYPES]
    return np.where(load > 0, np.choose(types, watts), 0.0)
