"""What every handler works on: a store, the view that follows it, and the sessions on top."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tachyon.graph.entities import Generation
from tachyon.graph.mutations import AnyMutation, Expected
from tachyon.graph.service.options import Options
from tachyon.graph.simulation.registry import SessionRegistry
from tachyon.graph.store.contract import Applied, Store
from tachyon.graph.view import Follower, View, wire

#: Seconds between two looks at the store by a request that waits for changes.
_LOOK = 0.1


class Model:
    """One process's hold on a graph. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        follower: Follower | None = None,
        registry: SessionRegistry | None = None,
        options: Options | None = None,
    ) -> None:
        self.store = store
        self.options = options or Options()
        self.follower = follower or Follower(store)
        self.registry = registry or SessionRegistry(store, self.follower, self.options.limits)
        self._applied: Generation = 0
        self._stopping = threading.Event()
        self._waiters = threading.Semaphore(self.options.waiters)
        self._encoding = threading.Lock()
        self._encoded: dict[str, tuple[Generation, bytes]] = {}

    @property
    def generation(self) -> Generation:
        """The newest generation that this process knows of, without asking the store."""
        return max(self.follower.generation, self._applied)

    def current(self) -> View:
        """Return a view that has caught up with the store: a client reads its own writes."""
        return self.follower.current()

    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None = None) -> Applied:
        """Apply mutations in one transaction; see `Store.apply`."""
        applied = self.store.apply(mutations, expected)
        self._applied = max(self._applied, applied.generation)
        return applied

    def encoded(self, view: View, media: str) -> bytes:
        """Return a view's body; the last one of each form is kept, as clients ask for the same."""
        with self._encoding:
            kept = self._encoded.get(media)
            if kept is None or kept[0] != view.generation:
                body = wire.encode(view) if media == "msgpack" else wire.encode_json(view)
                kept = self._encoded[media] = (view.generation, body)
            return kept[1]

    def await_change(self, since: int, seconds: float) -> int:
        """Return the global generation, as soon as it differs from `since` or time is up.

        Returns at once when as many requests wait as may, and when the service stops.
        """
        deadline = time.monotonic() + min(seconds, self.options.max_wait)
        found = self.store.generation()
        if found != since or not self._waiters.acquire(blocking=False):
            return found
        try:
            while found == since and (left := deadline - time.monotonic()) > 0:
                if self._stopping.wait(min(_LOOK, left)):
                    break
                found = self.store.generation()
            return found
        finally:
            self._waiters.release()

    def sweep(self) -> None:
        """Expire sessions, forget those closed long ago, and trim the change log."""
        self.registry.expire()
        self.registry.purge()
        self.store.trim(self.options.keep_generations)

    def stop(self) -> None:
        """Let requests that wait for changes go."""
        self._stopping.set()
