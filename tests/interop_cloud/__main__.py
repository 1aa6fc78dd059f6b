"""Start the control plane on the testbed by hand: `python -m tests.interop_cloud`.

Prints where its logs are and how to ask it something, then waits for Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

from tests.interop_cloud.control_plane import ControlPlane
from tests.servers import testbed


def main() -> None:
    enough = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: enough.set())
    testbed.up()
    with ControlPlane(Path(tempfile.mkdtemp(prefix="tachyon-interop-"))) as plane:
        print(f"logs in {plane.folder}; . {testbed.HOME}/openrc; openstack optimize service list")
        enough.wait()


if __name__ == "__main__":
    main()
