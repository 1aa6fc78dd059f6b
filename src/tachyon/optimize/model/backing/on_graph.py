"""A model on the graph itself: what is done to the model is done to the graph, in batches.

Writes are gathered and worked out when they are handed over (`flush`), from what the model holds
then; so building a model of 100,000 instances is a few transactions. They are facts, and are not
guarded; a migration is, and is committed at once.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tachyon.errors import TachyonError
from tachyon.graph.deltas import SessionRecord
from tachyon.graph.mutations import AnyMutation, Expected
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.model.backing.in_session import InSession, Remote, Sessions
from tachyon.optimize.model.elements import Element

LOG = logging.getLogger(__name__)


class Opening(Sessions, Protocol):
    """The calls on sessions of a client that opens them."""

    def create(self) -> SessionRecord:
        """Open a session on the graph as it is now."""


class Client(Protocol):
    """The calls that a model makes (`tachyon.graph.client.GraphClient`)."""

    @property
    def sessions(self) -> Opening:
        """The calls on sessions."""

    def view(self) -> View:
        """Return the graph as it is now."""

    def view_at(self, generation: int) -> View:
        """Return the graph as it was."""

    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None = None) -> object:
        """Apply mutations in one transaction."""


class Touched:
    """What was done to a model's elements since the last flush, by class and key."""

    def __init__(self) -> None:
        self.elements: dict[tuple[type[Element], str], None] = {}
        #: Keys of elements in the order in which they were placed last.
        self.placed: dict[str, None] = {}
        self._dropped: set[tuple[type[Element], str]] = set()

    def __bool__(self) -> bool:
        return bool(self.elements)

    def note(self, element: Element) -> str:
        """Note that an element, or where it stands, was changed."""
        key = str(element.__dict__[element.key_field])
        self.elements[type(element), key] = None
        return key

    def put(self, element: Element) -> None:
        """Note that an element was added; one that was removed comes behind all others."""
        mine = type(element), str(element.__dict__[element.key_field])
        if mine in self._dropped:
            self._dropped.discard(mine)
            self.elements.pop(mine, None)
        self.elements[mine] = None

    def drop(self, element: Element) -> None:
        """Note that an element was removed."""
        key = self.note(element)
        self._dropped.add((type(element), key))
        self.placed.pop(key, None)

    def keys(self, cls: type[Element]) -> list[str]:
        """Return the keys of elements of a class."""
        return [key for kind, key in self.elements if kind is cls]

    def clear(self) -> None:
        """Forget everything."""
        self.elements.clear()
        self.placed.clear()
        self._dropped.clear()


#: From a model's parts, the view below them and what was touched to transactions in order.
Writer = Callable[[Any, View, Touched], Sequence[Sequence[AnyMutation]]]


class OnGraph:
    """The graph behind a client."""

    def __init__(self, client: Client, writer: Writer) -> None:
        self.client = client
        self._writer = writer
        self._view: View | None = None
        #: What is to be flushed.
        self.touched = Touched()
        #: The parts of the model that stands here, which the writer reads.
        self.content: Any = None
        #: Whether the graph is known to have moved on from the model's view.
        self.outdated = False

    @property
    def view(self) -> View:
        """The graph as it was when the model looked last."""
        if self._view is None or self.outdated:
            self._view = self.client.view()
            self.outdated = False
        return self._view

    @property
    def session(self) -> Session:
        """A new session on the view."""
        self.flush()
        return Session(self.view)

    def forget(self) -> None:
        """Look at the graph anew when it is needed next; what was not flushed is lost."""
        self.touched.clear()
        self.outdated = True

    def move(self, child: Element, source: str, target: str) -> None:
        """Commit a migration, guarded by the generations of the consumer and both hosts.

        Raises:
            GenerationConflict: one of them has changed.
        """
        key = self.touched.note(child)
        self.touched.placed[key] = None
        view = self.view
        row = view.consumers.index.get(key, -1)
        hosts = [
            view.provider_at(at)
            for uuid in (source, target)
            if (at := view.providers.index.get(uuid, -1)) >= 0
        ]
        self._hand_over(
            Expected(
                consumers={key: view.consumers.generation.item(row)} if row >= 0 else {},
                providers={host.uuid: host.generation for host in hosts},
            )
        )

    def place(self, child: Element, target: str, holds: Mapping[str, int]) -> None:
        """Note that a consumer came to stand on a provider."""
        key = self.touched.note(child)
        self.touched.placed.pop(key, None)
        self.touched.placed[key] = None

    def displace(self, child: Element, source: str) -> None:
        """Note that a consumer left a provider."""
        self.touched.note(child)

    def wrote(self, element: Element, name: str) -> None:
        """Note that an element was written."""
        self.touched.note(element)

    def put(self, element: Element) -> None:
        """Note that an element was added."""
        self.touched.put(element)

    def drop(self, element: Element) -> None:
        """Note that an element was removed."""
        self.touched.drop(element)

    def settle(self) -> None:
        """Nothing waits: what was displaced is written down with the rest."""

    def flush(self) -> None:
        """Bring the graph to what the model holds."""
        if self.touched:
            self._hand_over(None)

    def _hand_over(self, expected: Expected | None) -> None:
        try:
            for mutations in self._writer(self.content, self.view, self.touched):
                self.client.apply(mutations, expected)
                expected = None
        except TachyonError:
            # Not half of it: the model is what the graph is.
            self.forget()
            raise
        self.touched.clear()
        self.outdated = True

    def fork(self) -> InSession:
        """Open a session on the graph as it is now."""
        self.flush()
        record = self.client.sessions.create()
        return _in_session(self.client, record, own=True)

    def close(self) -> None:
        """Flush."""
        self.flush()


def join(client: Client, session_id: str) -> InSession:
    """Return what a model stands on that looks at a session which someone has opened."""
    return _in_session(client, client.sessions.get(session_id), own=False)


def _in_session(client: Client, record: SessionRecord, *, own: bool) -> InSession:
    session = Session(client.view_at(record.base_generation), record.id)
    if record.delta_count:
        session.record_many(client.sessions.history(record.id))
    return InSession(session, Remote(client.sessions, record.id, session.delta_count, own=own))


def warn_at_end(model: object, backing: OnGraph) -> None:
    """Say so when a model is forgotten with writes that were never flushed.

    They are not handed over then: who forgets a model in the middle of building it (an error on
    the way) does not mean half of it to be the cluster.
    """
    weakref.finalize(model, _warn, backing.touched).atexit = False


def _warn(touched: Touched) -> None:
    if touched:
        LOG.warning("%d changes of a cluster model were never flushed", len(touched.elements))
