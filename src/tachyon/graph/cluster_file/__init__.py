"""A whole cluster in one JSON file: what tests, demos, imports and offline audits start from.

The format is described for its users in docs/cluster-files.md. `read_cluster_file` refuses a bad
file with one `ClusterFileError` that names the place; `write_cluster_file` writes nothing that
could not be read again.
"""

from tachyon.graph.cluster_file.checking import bad_file
from tachyon.graph.cluster_file.content import (
    FORMAT,
    VERSION,
    ClusterFile,
    MetricSeries,
)
from tachyon.graph.cluster_file.reading import SIZE_MAX, read_cluster_file, unpacked
from tachyon.graph.cluster_file.writing import encode_cluster_file, write_cluster_file

__all__ = [
    "FORMAT",
    "SIZE_MAX",
    "VERSION",
    "ClusterFile",
    "MetricSeries",
    "bad_file",
    "encode_cluster_file",
    "read_cluster_file",
    "unpacked",
    "write_cluster_file",
]
