"""Services as processes of their own, started and ended by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.process import free_port

_ROOT = Path(__file__).parents[2]
_CODE = (
    "import json, sys\n"
    "from tachyon.graph.service.server import serve\n"
    "serve(**json.loads(sys.argv[1]), ready=lambda url: print(url, flush=True))\n"
)


class ServiceProcess:
    """`with ServiceProcess(store_url=…) as service: service.url`; it takes what `serve` takes.

    Without a port it has one of its own, the same whenever it is started again.
    """

    def __init__(self, *, port: int | None = None, **arguments: Any) -> None:
        self.arguments = {"port": port or free_port(), **arguments}
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the service and wait until it can be reached."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE, json.dumps(self.arguments)],
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        assert self.url, f"the service did not start: {self._process.wait()}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for the end; return the exit status."""
        assert self._process is not None
        status = self._process.wait(timeout)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def children(self) -> list[int]:
        """Return the processes that this one has started."""
        assert self._process is not None
        pid = self._process.pid
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_child(self, pid: int) -> None:
        """End one of them without a chance to clean up."""
        assert pid in self.children()
        os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it without a chance to clean up."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """End it as an operator does; return the exit status."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self.signal(signal.SIGTERM)
        return self.wait()
