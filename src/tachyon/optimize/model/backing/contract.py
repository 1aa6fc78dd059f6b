"""What a model needs of whatever it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.model.elements import Element


class Backing(Protocol):
    """Where a model's base comes from, and where what is done to the model goes.

    Keys are uuids in the graph. A backing is told of every change when it is made in the model.
    """

    @property
    def view(self) -> View:
        """The generation on which the model stands."""

    @property
    def session(self) -> Session:
        """A session with all that was recorded, for the questions that models do not answer."""

    def move(self, child: Element, source: str, target: str) -> None:
        """A consumer goes from one provider to another."""

    def place(self, child: Element, target: str, holds: Mapping[str, int]) -> None:
        """A consumer comes to stand on a provider; `holds` by resource class."""

    def displace(self, child: Element, source: str) -> None:
        """A consumer does not stand on a provider any more."""

    def wrote(self, element: Element, name: str) -> None:
        """A field of an element was written."""

    def put(self, element: Element) -> None:
        """An element was added, or took another's place."""

    def drop(self, element: Element) -> None:
        """An element was removed."""

    def settle(self) -> None:
        """Record that what was displaced and not placed again stands nowhere."""

    def flush(self) -> None:
        """Hand over all that was written so far."""

    def fork(self) -> Backing:
        """Return what a copy of the model stands on."""

    def close(self) -> None:
        """End what the backing opened itself."""


class Local:
    """A backing that hands nothing on: what is done to the model stays in the model."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def view(self) -> View:
        """The generation on which the model stands."""
        return self._view

    @property
    def session(self) -> Session:
        """A new session on the view."""
        return Session(self._view)

    def move(self, child: Element, source: str, target: str) -> None:
        """See `Backing`; nothing is handed on."""

    def place(self, child: Element, target: str, holds: Mapping[str, int]) -> None:
        """See `Backing`; nothing is handed on."""

    def displace(self, child: Element, source: str) -> None:
        """See `Backing`; nothing is handed on."""

    def wrote(self, element: Element, name: str) -> None:
        """See `Backing`; nothing is handed on."""

    def put(self, element: Element) -> None:
        """See `Backing`; nothing is handed on."""

    def drop(self, element: Element) -> None:
        """See `Backing`; nothing is handed on."""

    def settle(self) -> None:
        """See `Backing`; nothing is handed on."""

    def flush(self) -> None:
        """See `Backing`; nothing is handed on."""

    def fork(self) -> Backing:
        """Return the same: nothing is shared but the view."""
        return Local(self._view)

    def close(self) -> None:
        """See `Backing`; nothing was opened."""
