"""A process's own current view: loaded once, then carried along by the store's change feed.

Also keeps the views of older generations that sessions stand on, and rebuilds those that it never
saw from the images in the change log.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

from tachyon.errors import GenerationTooOld
from tachyon.graph.store.contract import Change, Store
from tachyon.graph.view.building import build
from tachyon.graph.view.refreshing import refresh, rewind
from tachyon.graph.view.view import View


class Follower:
    """Follows one store. Safe to use from several threads.

    `clock` returns seconds on a monotonic scale; tests pass their own.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.RLock()
        self._view: View | None = None
        self._caught_up_at = 0.0
        self._kept: weakref.WeakValueDictionary[int, View] = weakref.WeakValueDictionary()

    @property
    def generation(self) -> int:
        """The generation of the view as it stands; 0 before the first load."""
        view = self._view
        return 0 if view is None else view.generation

    @property
    def age(self) -> float:
        """Seconds since the view was last known to be equal to the store."""
        return self._clock() - self._caught_up_at if self._view is not None else float("inf")

    def current(self, max_age: float = 0.0) -> View:
        """Return a view that was equal to the store at most `max_age` seconds ago.

        Raises:
            StoreUnavailable: the store does not answer and the view is older than that.
        """
        view = self._view
        if view is not None and max_age > 0 and self.age <= max_age:
            return view
        with self._lock:
            return self._catch_up()

    def at(self, generation: int) -> View:
        """Return the view of a generation, an older one too.

        Raises:
            GenerationTooOld: the change log does not reach back so far.
        """
        kept = self._kept.get(generation)
        if kept is not None:
            return kept
        with self._lock:
            view = self._catch_up()
            if view.generation == generation:
                return view
            if generation > view.generation:
                raise GenerationTooOld(generation, view.generation)
            changes = self._changes(generation, view.generation)
            older = rewind(view, changes, generation)
            self._kept[generation] = older
            return older

    def _catch_up(self) -> View:
        asked_at = self._clock()
        view = self._view
        if view is None:
            view = build(self._store.load())
        elif (found := self._store.generation()) != view.generation:
            try:
                changes = self._changes(view.generation, found)
            except GenerationTooOld:
                view = build(self._store.load())
            else:
                # A store that was restored from a backup may stand before us.
                reached = changes[-1].generation if changes else found
                view = refresh(view, changes, reached) if changes else build(self._store.load())
        self._view = view
        self._kept[view.generation] = view
        self._caught_up_at = asked_at
        return view

    def _changes(self, since: int, until: int) -> list[Change]:
        changes: list[Change] = []
        at = since
        while at < until:
            found = self._store.changes(at)
            if found.generation == at:
                break
            changes.extend(c for c in found.changes if c.generation <= until)
            at = found.generation
        return changes
