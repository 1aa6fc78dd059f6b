"""The emulator as a process of its own: for demos, and for tests of other processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from tachyon.errors import ConfigurationError
from tachyon.graph.cluster_file import ClusterFile
from tachyon.openstack.emulator.clock import SystemClock
from tachyon.openstack.emulator.emulator import Emulator


def run(
    content: ClusterFile,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    transport_url: str | None = None,
    time_scale: float = 1.0,
    ready: Callable[[Emulator], None] = lambda emulator: None,
) -> None:
    """Serve an emulated cloud until SIGTERM or SIGINT.

    Args:
        content: what is in the cloud.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        transport_url: oslo.messaging's, for notifications.
        time_scale: emulated seconds in one of the machine's.
        ready: called once the cloud can be reached.

    Raises:
        ConfigurationError: it cannot listen there, or the transport cannot be used.
    """
    stop = threading.Event()

    def handle(_number: int, _frame: Any) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    emulator = Emulator(
        content,
        host=host,
        port=port,
        clock=SystemClock(time_scale),
        transport_url=transport_url,
    )
    try:
        emulator.start()
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error}") from error
    try:
        ready(emulator)
        stop.wait()
    finally:
        emulator.close()
