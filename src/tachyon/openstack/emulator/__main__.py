"""`python -m tachyon.openstack.emulator FILE`: an emulated cloud without the whole command."""

from __future__ import annotations

import argparse
import sys

from tachyon.errors import TachyonError
from tachyon.graph.cluster_file import read_cluster_file
from tachyon.openstack.emulator.running import run


def main() -> int:
    """Serve the cluster file that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tachyon.openstack.emulator")
    parser.add_argument("file", help="cluster file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--transport-url")
    parser.add_argument("--time-scale", type=float, default=1.0)
    given = parser.parse_args()
    try:
        run(
            read_cluster_file(given.file),
            host=given.host,
            port=given.port,
            transport_url=given.transport_url,
            time_scale=given.time_scale,
            ready=lambda emulator: print(emulator.clouds(), flush=True),
        )
    except TachyonError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
