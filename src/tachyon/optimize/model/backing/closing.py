"""Ends sessions whose models are gone.

A model is forgotten wherever the last reference to it goes, in the middle of a garbage collection
maybe, where nothing may wait for a lock or a network. So the call that ends its session is made by
a thread of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from tachyon.errors import TachyonError

LOG = logging.getLogger(__name__)

_endings: SimpleQueue[Callable[[], None]] = SimpleQueue()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def prepare() -> None:
    """Start the thread; called where a session is opened, as a finalizer must not."""
    global _thread  # noqa: PLW0603 - one thread serves all models of the process
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="tachyon-model-closing", daemon=True)
            _thread.start()


def close_later(ending: Callable[[], None]) -> None:
    """Make a call soon; may be called from a finalizer."""
    _endings.put(ending)


def _work() -> None:
    while True:
        ending = _endings.get()
        try:
            ending()
        except TachyonError as error:
            # The session ends by its time to live.
            LOG.warning("a model's session could not be ended: %s", error)
        except Exception:
            LOG.exception("a model's session could not be ended")
