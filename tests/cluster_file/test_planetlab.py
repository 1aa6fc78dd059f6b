"""PlanetLab traces become a cluster as papers set it up."""

from __future__ import annotations

import io
import tarfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tachyon.errors import ClusterFileError
from tachyon.graph.cluster_file import encode_cluster_file, read_cluster_file
from tachyon.graph.importers import import_path
from tachyon.graph.importers.planetlab import MIPS, read_planetlab
from tests.cluster_file.shared import DATA, shared

TINY = DATA / "planetlab" / "20110401"


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    return path


def test_hosts_alternate_and_machines_come_in_four_parts() -> None:
    content = read_planetlab(TINY)
    hosts = content.cluster.providers
    assert len(hosts) == 800
    assert [h.inventories[MIPS].total for h in hosts[:3]] == [3720, 5320, 3720]
    assert hosts[0].extra["power_watts"][0] == 86
    assert hosts[1].extra["power_watts"][-1] == 135
    machines = content.cluster.consumers
    assert [m.extra["trace"] for m in machines] == ["a_vm", "b_vm", "c_vm", "d_vm"]
    requested = [next(iter(m.allocations.values())) for m in machines]
    assert [r[MIPS] for r in requested] == [2500, 2000, 1000, 500]
    assert [r["MEMORY_MB"] for r in requested] == [870, 1740, 1740, 613]
    (series,) = content.metrics
    assert series.start == datetime(2011, 4, 1, tzinfo=UTC)
    assert (series.period, series.unit, series.resource) == (300, "percent", MIPS)
    assert list(series.values.values()) == [[1, 2, 100], [0, 50, 7], [10, 10, 10], [99, 0, 1]]
    assert series.capacity["host-001"] == 5320


def test_an_archive_gives_the_same_as_its_folder(tmp_path: Path) -> None:
    files = {f"20110401/{p.name}": p.read_bytes() for p in sorted(TINY.iterdir())}
    files["20110401/._a_vm"] = b"not a trace"
    packed = archive(tmp_path / "20110401.tar.gz", dict(reversed(files.items())))
    assert import_path(packed).cluster == import_path(TINY).cluster
    assert import_path(packed).metrics == import_path(TINY, "planetlab").metrics


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no traces"),
        ({"vm": b"1\n\n101\n"}, "vm, line 3: expected a whole per cent, found '101'"),
        ({"vm": b"1\n-2\n"}, "vm, line 2: expected a whole per cent, found '-2'"),
        ({"vm": b"one\n"}, "vm, line 1"),
        ({"vm": b"\n"}, "vm: holds no values"),
        ({"vm": b"1\n" * 2**20}, "more than 1048576 bytes"),
        ({"a/vm": b"1\n", "b/vm": b"1\n"}, "vm: is in the archive twice"),
    ],
)
def test_a_bad_archive_is_refused_with_its_place(
    tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    with pytest.raises(ClusterFileError, match=reason):
        read_planetlab(archive(tmp_path / "20110401.tar.gz", files))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"something else")
    with pytest.raises(ClusterFileError, match="no archive of traces"):
        read_planetlab(tmp_path / "x.tar.gz")
    with pytest.raises(ClusterFileError, match="No such file"):
        read_planetlab(tmp_path / "none")


def test_too_few_hosts_are_refused() -> None:
    with pytest.raises(ClusterFileError, match="4 machines do not fit on 1 hosts"):
        read_planetlab(TINY, hosts=1)


@pytest.mark.parametrize(("day", "machines"), [("20110303", 1052), ("20110306", 898)])
def test_a_real_day_is_placed_at_full_request(day: str, machines: int) -> None:
    content = import_path(shared(f"planetlab/{day}.tar.gz"))
    assert len(content.cluster.consumers) == machines
    assert {len(v) for v in content.metrics[0].values.values()} == {288}
    parts = Counter(c.flavor_id for c in content.cluster.consumers)
    assert max(parts.values()) - min(parts.values()) <= 1
    hosts = {h.uuid: h for h in content.cluster.providers}
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for consumer in content.cluster.consumers:
        ((host, amounts),) = consumer.allocations.items()
        assert amounts[MIPS] <= hosts[host].extra["core_mips"]
        used[host].update(amounts)
    for uuid, amounts in used.items():
        assert amounts[MIPS] <= hosts[uuid].inventories[MIPS].total
        assert amounts["MEMORY_MB"] <= hosts[uuid].inventories["MEMORY_MB"].total
    assert len(used) < 450
    assert read_cluster_file(encode_cluster_file(content)).metrics == content.metrics
