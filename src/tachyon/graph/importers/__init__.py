"""One door for everything that a cluster can be read from without a cloud.

`import_path` recognises cluster files, PlanetLab traces and instances of the ROADEF/EURO challenge
2012 by what they contain. Captured answers of a cloud are read one house further up
(`tachyon.openstack.captured`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from tachyon.errors import InvalidInput
from tachyon.graph.cluster_file import ClusterFile, bad_file, read_cluster_file, unpacked
from tachyon.graph.importers.planetlab import read_planetlab
from tachyon.graph.importers.roadef2012 import read_roadef2012

__all__ = ["IMPORTERS", "import_path", "recognise"]

#: What reads each format, by the format's name.
IMPORTERS: Mapping[str, Callable[[str | os.PathLike[str]], ClusterFile]] = MappingProxyType(
    {
        "cluster": read_cluster_file,
        "planetlab": read_planetlab,
        "roadef2012": read_roadef2012,
    }
)


def import_path(path: str | os.PathLike[str], format: str = "auto") -> ClusterFile:
    """Read a cluster from a file or folder in one of the formats of `IMPORTERS`.

    Raises:
        ClusterFileError: the file is not of that format, or of none that is known.
        InvalidInput: there is no format of that name.
    """
    if format == "auto":
        format = recognise(path)
    if format not in IMPORTERS:
        known = ", ".join(sorted(IMPORTERS))
        raise InvalidInput.at([("format", f"{format!r} is not one of auto, {known}")])
    return IMPORTERS[format](path)


def recognise(path: str | os.PathLike[str]) -> str:
    """Return the name of the format of a file or folder, judged by its content.

    Raises:
        ClusterFileError: it cannot be read, or is of no known format.
    """
    name = os.fspath(path)
    if Path(path).is_dir():
        return "planetlab"
    data = unpacked(path, name=name)
    if data[257:262] == b"ustar":
        return "planetlab"
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start.isdigit():
        return "roadef2012"
    if start in {b"{", b"[", b""}:
        return "cluster"
    raise bad_file(name, [("", "is neither a cluster file, nor a trace, nor an instance")])
