"""Oslo.messaging with threads: imported before it, by everything that uses it.

Its dependency oslo.service takes Eventlet unless somebody chooses otherwise before the first use.
"""

from __future__ import annotations

from oslo_service import backend


def choose_threads() -> None:
    """Make threads the default of oslo.service; harmless when something is chosen already."""
    backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)


choose_threads()
