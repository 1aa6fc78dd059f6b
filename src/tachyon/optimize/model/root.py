"""What the three cluster models have in common: where they stand, and how they are copied.

A model is global (it stands on the graph as it is now; what is done to it is done to the graph), or
on a session (what is done to it is a what-if), or on its own (neither). All three are one class,
so that a strategy never has to know.
"""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self
from xml.etree import ElementTree

from tachyon.graph.mutations import AnyMutation, Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build
from tachyon.graph.view.building import snapshot_of
from tachyon.optimize.model.backing.contract import Backing, Local
from tachyon.optimize.model.backing.in_session import InSession
from tachyon.optimize.model.backing.on_graph import Client, OnGraph, Touched, join, warn_at_end
from tachyon.optimize.model.elements import Element
from tachyon.optimize.model.exceptions import OWN, Exceptions
from tachyon.optimize.model.layer import Layer
from tachyon.optimize.model.relation import Relation
from tachyon.optimize.model.text import LazyText
from tachyon.optimize.scope.mask import ScopeMask

#: What a model stands on that neither a client nor a view was given to.
_NOTHING = build(snapshot_of(Cluster()))


class Parts(Protocol):
    """The layers and relations of one model."""

    def layers(self) -> Sequence[Layer[Any]]:
        """Return all layers, what stands on something before what it stands on."""

    def relations(self) -> Sequence[Relation[Any, Any]]:
        """Return all relations."""


class ClusterModel(ABC):
    """Base of the compute, storage and bare-metal models. Safe to use from several threads.

    Args:
        tachyon_client: a `GraphClient`; None makes a model on its own, empty at first.
        session_id: of a session of that client; None stands for the graph itself.
        stale: whether the model says of itself that it is out of date; then it is false.

    Nothing is asked of the client before the model is used. `bool` and `stale` never ask it.
    """

    #: The classes that this model raises.
    exceptions: ClassVar[Exceptions] = OWN

    def __init__(
        self,
        tachyon_client: Client | None = None,
        session_id: str | None = None,
        *,
        stale: bool = False,
    ) -> None:
        self.client = tachyon_client
        self.session_id = session_id
        self.stale = stale
        self._lock = threading.RLock()
        self._mask: ScopeMask | None = None

    @classmethod
    def over(cls, base: View | Session, scope: ScopeMask | None = None) -> Self:
        """Return a model over a view (on a new session), or over a session in this process.

        Args:
            base: either; a session's deltas are in the model.
            scope: the rows that the model shows; None: all.
        """
        model = cls()
        session = base if isinstance(base, Session) else Session(base)
        model.session_id = session.id
        model._mask = scope
        model._stand_on(InSession(session))
        return model

    def __bool__(self) -> bool:
        return not self.stale

    def __getattr__(self, name: str) -> Any:
        # What a model is made of is gathered when it is first used, and anew after a refresh.
        if name in ("_backing", "_parts", *self._aliases):
            with self._lock:
                self._open()
                return self.__dict__[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    #: Attributes that hold the model's parts.
    _aliases: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def _gather(self, view: View, mask: ScopeMask | None) -> Parts:
        """Make the model's parts over a view, and its own attributes for them."""

    @staticmethod
    @abstractmethod
    def _transactions(parts: Any, view: View, touched: Touched) -> Sequence[Sequence[AnyMutation]]:
        """Work out what was done to a global model (`on_graph.Writer`)."""

    @abstractmethod
    def _seed(self, session: Session) -> None:
        """Make the parts what a session's deltas have made of the view."""

    def _open(self) -> None:
        mine = self.__dict__
        if "_backing" not in mine:
            backing: Backing
            if self.client is None:
                backing = Local(_NOTHING)
            elif self.session_id is None:
                backing = on_graph = OnGraph(self.client, self._transactions)
                warn_at_end(self, on_graph)
            else:
                backing = join(self.client, self.session_id)
            mine["_backing"] = backing
        if "_parts" not in mine:
            self._stand_on(mine["_backing"])

    def _stand_on(self, backing: Backing) -> None:
        mine = self.__dict__
        mine["_backing"] = backing
        before = mine.pop("_before", None)
        mine["_parts"] = parts = self._gather(backing.view, self._mask)
        if isinstance(backing, InSession):
            self.session_id = backing.session.id
            if backing.session.delta_count:
                self._seed(backing.session)
        elif isinstance(backing, OnGraph):
            backing.content = parts
            if before is not None:
                _keep_elements(before, parts)

    def _writes(self) -> _Writes:
        return _Writes(weakref.ref(self))

    def _wrote(self, element: Element, name: str, before: Any) -> None:
        """Take note of a write to an element of the model."""
        self._backing.wrote(element, name)

    @property
    def view(self) -> View:
        """The generation of the graph on which the model stands."""
        return self._backing.view  # type: ignore[no-any-return]

    @property
    def session(self) -> Session:
        """A session with everything that was recorded by this model.

        It answers what a model cannot (destinations, metrics, evaluation of candidates). Record
        through the model, not here.
        """
        with self._lock:
            if isinstance(self._backing, OnGraph):
                self.flush()
            return self._backing.session  # type: ignore[no-any-return]

    def flush(self) -> None:
        """Hand over what was written so far: to the graph, or to the session's service."""
        with self._lock:
            if "_backing" in self.__dict__:
                self._backing.flush()
                self._look_again()

    def refresh(self) -> None:
        """Flush, and let a global model stand on the graph as it is now at its next use."""
        with self._lock:
            self.flush()
            if isinstance(self.__dict__.get("_backing"), OnGraph):
                self._backing.forget()
                self._look_again()

    def _before_commit(self) -> None:
        """Hand over what a global model has pending, before something is committed on top."""
        if isinstance(self._backing, OnGraph):
            self.flush()

    def _recorded(self, child: Element, source: str, target: str) -> None:
        """Hand a move on that was made in the model; a refused one is not in the model either."""
        try:
            self._backing.move(child, source, target)
        finally:
            self._look_again()

    def _look_again(self) -> None:
        """Drop the parts of a global model whose view is out of date."""
        backing = self._backing
        if isinstance(backing, OnGraph) and backing.outdated and "_parts" in self.__dict__:
            self.__dict__["_before"] = self.__dict__.pop("_parts")
            for alias in self._aliases:
                self.__dict__.pop(alias, None)
            self._forget_derived()

    def _forget_derived(self) -> None:  # noqa: B027 - most models derive nothing
        """Forget what was derived from the parts."""

    def close(self) -> None:
        """End the session that was opened for this model; flush any other."""
        with self._lock:
            if "_backing" in self.__dict__:
                self._backing.close()
                self._look_again()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a model on a session of its own that starts from this one's state.

        Of a global model it is a new session on the graph as it is now. It costs what differs from
        the base, nothing for the rest.
        """
        return self._fork()

    def __copy__(self) -> Self:
        return self._fork()

    def _fork(self) -> Self:
        made = type(self).__new__(type(self))
        ClusterModel.__init__(made, self.client, stale=self.stale)
        made._mask = self._mask
        if self.stale:
            return made
        with self._lock:
            self.flush()
            backing = self._backing
            if isinstance(backing, OnGraph):
                made._stand_on(backing.fork())
            else:
                made._take(self, backing.fork())
        return made

    def _take(self, other: ClusterModel, backing: Backing) -> None:
        """Stand on a backing, with what another model on the same view holds."""
        mine = self.__dict__
        parts = other._parts
        mine["_backing"] = backing
        mine["_parts"] = self._gather(backing.view, self._mask)
        if isinstance(backing, InSession):
            self.session_id = backing.session.id
        for old, new in zip(parts.layers(), self._parts.layers(), strict=True):
            old.carry_over(new)
        for old, new in zip(parts.relations(), self._parts.relations(), strict=True):
            old.carry_over(new)

    def scoped(self, scope: ScopeMask) -> Self:
        """Return this model without what is outside a scope, on the same session.

        Nothing is copied or rebuilt. Use the scoped model only, from then on: both record in one
        session, and neither sees what the other does.

        Args:
            scope: masks over the rows of this model's view, as `tachyon.optimize.scope` gives them.
        """
        made = type(self).__new__(type(self))
        ClusterModel.__init__(made, self.client, self.session_id, stale=self.stale)
        made._mask = scope if self._mask is None else _both(self._mask, scope)
        with self._lock:
            made._take(self, self._backing)
        return made

    def to_string(self) -> str:
        """Return the model as XML, written when it is read."""
        return self.to_xml()

    def to_xml(self) -> str:
        """Return the model as XML, written when it is read (`text.LazyText`)."""
        return LazyText(self._write_xml)

    @abstractmethod
    def _write_xml(self) -> str:
        """Return the model as XML."""

    @classmethod
    def from_xml(cls, data: str | bytes, *args: Any, **kwargs: Any) -> Self:
        """Return a model with the elements of an XML text.

        Args:
            data: as `to_xml` writes it.
            args: of the constructor.
            kwargs: of the constructor.
        """
        model = cls(*args, **kwargs)
        root = ElementTree.fromstring(data if isinstance(data, bytes) else str(data))
        model._read_xml(root, {child: parent for parent in root.iter() for child in parent})
        return model

    @abstractmethod
    def _read_xml(
        self, root: ElementTree.Element, above: Mapping[ElementTree.Element, ElementTree.Element]
    ) -> None:
        """Add the elements of a tree; `above` is the parent of each of its nodes."""

    def edges(self) -> list[tuple[str, str]]:
        """Return who stands on what, as pairs of keys."""
        return [edge for relation in self._parts.relations() for edge in relation.edges()]

    def predecessors(self, key: str) -> Iterator[str]:
        """Yield the keys of what stands on an element, in the order of arrival."""
        for relation in self._parts.relations():
            if relation.parents.find(key) is not None:
                return iter(list(relation.of(key)))
        if key in self:
            return iter(())
        raise self._no_node(key)

    def _no_node(self, key: str) -> Exception:
        return self.exceptions.NetworkXError(f"The node {key} is not in the model.")

    def _no_edge(self, child: str, parent: str) -> Exception:
        return self.exceptions.NetworkXError(f"The edge {child}-{parent} is not in the model.")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and any(
            layer.find(key) is not None for layer in self._parts.layers()
        )

    def __len__(self) -> int:
        return sum(len(layer.everything()) for layer in self._parts.layers())

    def __iter__(self) -> Iterator[str]:
        for layer in self._parts.layers():
            yield from list(layer.everything())

    @classmethod
    def is_isomorphic(cls, G1: ClusterModel, G2: ClusterModel) -> bool:  # noqa: N803 - Watcher's
        """Tell whether two models have the same shape; compute models, the same elements, too."""
        from tachyon.optimize.model.adapter import isomorphic

        return isomorphic(G1, G2, same_elements=cls._matches_elements)

    #: Whether isomorphic models have the same elements, as Watcher's compute model asks.
    _matches_elements: ClassVar[bool] = False

    def element(self, key: str) -> Element | None:
        """Return the element of a key, of whatever kind; None when there is none."""
        for layer in self._parts.layers():
            found: Element | None = layer.find(key)
            if found is not None:
                return found
        return None

    def relations(self) -> Sequence[Relation[Any, Any]]:
        """Return who stands on what, a relation for each pair of kinds."""
        return self._parts.relations()  # type: ignore[no-any-return]

    def settle(self) -> None:
        """Record that what was taken from where it stood, and not placed again, stands nowhere."""
        self._backing.settle()

    def _expect(self, obj: object, kind: type[Element]) -> None:
        if not isinstance(obj, kind):
            raise self.exceptions.IllegalArgumentException(
                message=f"'obj' argument type is not valid: {type(obj)}"
            )

    def _put(self, layer: Layer[Any], element: Element) -> None:
        """Add an element to a layer, a copy of one that lives in another model."""
        keeper = element._keeper
        if keeper is not None and keeper is not layer:
            element = element.copy()
        layer.put(getattr(element, element.key_field), element)
        self._backing.put(element)


class _Writes:
    """Tells a model of writes to its elements; elements do not keep the model alive."""

    __slots__ = ("_model",)

    def __init__(self, model: weakref.ref[ClusterModel]) -> None:
        self._model = model

    def __call__(self, element: Element, name: str, before: Any) -> None:
        model = self._model()
        if model is not None:
            model._wrote(element, name, before)


def _both(one: ScopeMask, other: ScopeMask) -> ScopeMask:
    return ScopeMask(
        providers=one.providers & other.providers,
        consumers=one.consumers & other.consumers,
        excluded=one.excluded | other.excluded,
        warnings=[*one.warnings, *other.warnings],
    )


def _keep_elements(before: Parts, after: Parts) -> None:
    """Let the elements that callers hold go on living in a model that was refreshed."""
    for old, new in zip(before.layers(), after.layers(), strict=True):
        new.adopt(old)
