"""A cluster model as a NetworkX graph: its algorithms run on the model as it is now.

Nodes are the keys of the model's elements, each with its element as `attr`; edges lead from what
stands to what it stands on (instance → host, volume → pool, pool → storage host). Nothing is
copied: NetworkX reads through mappings that ask the model. Changes of the graph are changes of
the model, so on a session they are recorded as deltas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import networkx as nx

from tachyon.optimize.model.elements import (
    ComputeNode,
    Element,
    Instance,
    IronicNode,
    Pool,
    StorageNode,
    Volume,
)
from tachyon.optimize.model.root import ClusterModel

#: How elements are added to and removed from a model, by class.
_ADD = {
    ComputeNode: "add_node",
    StorageNode: "add_node",
    IronicNode: "add_node",
    Instance: "add_instance",
    Pool: "add_pool",
    Volume: "add_volume",
}
_REMOVE = {
    ComputeNode: "remove_node",
    StorageNode: "remove_node",
    IronicNode: "remove_node",
    Instance: "remove_instance",
    Pool: "remove_pool",
    Volume: "remove_volume",
}
#: How edges are made and taken away, by the class of what stands.
_LINK = {
    Instance: ("map_instance", "unmap_instance"),
    Pool: ("map_pool", "unmap_pool"),
    Volume: ("map_volume", "unmap_volume"),
}
_STANDS_ON = {Instance: ComputeNode, Pool: StorageNode, Volume: Pool}


class TachyonNetworkXAdapter(nx.DiGraph):  # type: ignore[type-arg]
    """A model as a directed graph.

    Attributes of nodes and edges other than `attr` are the adapter's own. Copies and subgraphs
    that NetworkX makes are ordinary graphs.

    Args:
        tachyon_model: the model; None makes an ordinary empty graph, as NetworkX does of classes
            of graphs when it copies.
        attributes: of the graph.
    """

    def __init__(self, tachyon_model: ClusterModel | None = None, **attributes: Any) -> None:
        self._tachyon: ClusterModel | None = None
        if not isinstance(tachyon_model, ClusterModel):
            super().__init__(tachyon_model, **attributes)
            return
        super().__init__(**attributes)
        self._tachyon = tachyon_model
        data = _Data()
        self._node: Mapping[str, dict[str, Any]] = _Nodes(tachyon_model, data)
        self._adj: Mapping[str, Mapping[str, dict[str, Any]]] = _Edges(
            tachyon_model, lambda key: _stands_on(tachyon_model, key), data.edge
        )
        self._pred: Mapping[str, Mapping[str, dict[str, Any]]] = _Edges(
            tachyon_model,
            tachyon_model.predecessors,
            lambda parent, child: data.edge(child, parent),
        )

    @property
    def model(self) -> ClusterModel | None:
        """The model that the graph presents."""
        return self._tachyon

    def add_node(self, node_for_adding: Any, **attr: Any) -> None:
        """Add an element under its key, or set attributes of a node.

        Raises:
            NetworkXError: `attr` is no element, or one of another key.
        """
        model = self._tachyon
        if model is None:
            super().add_node(node_for_adding, **attr)
            return
        element = attr.pop("attr", None)
        if element is not None:
            if not isinstance(element, Element) or _key(element) != node_for_adding:
                raise nx.NetworkXError(f"the attr of node {node_for_adding} is not its element")
            getattr(model, _ADD[type(element)])(element)
        elif node_for_adding not in model:
            raise nx.NetworkXError(f"node {node_for_adding} needs an element as its attr")
        self._node[node_for_adding].update(attr)

    def add_nodes_from(self, nodes_for_adding: Iterable[Any], **attr: Any) -> None:
        """Add elements, as nodes or as pairs of node and attributes."""
        if self._tachyon is None:
            super().add_nodes_from(nodes_for_adding, **attr)
            return
        for node in nodes_for_adding:
            key, own = node if isinstance(node, tuple) else (node, {})
            self.add_node(key, **{**attr, **own})

    def remove_node(self, n: Any) -> None:
        """Remove an element; what it held, and what stood on it, stands there no more.

        Raises:
            NetworkXError: the graph has no such node.
        """
        model = self._tachyon
        if model is None:
            super().remove_node(n)
            return
        element = self._element(n)
        for parent in list(self._adj[n]):
            self.remove_edge(n, parent)
        for child in list(self._pred[n]):
            self.remove_edge(child, n)
        model.settle()
        getattr(model, _REMOVE[type(element)])(element)

    def remove_nodes_from(self, nodes: Iterable[Any]) -> None:
        """Remove elements; those that the graph does not have are passed over."""
        if self._tachyon is None:
            super().remove_nodes_from(nodes)
            return
        for node in list(nodes):
            if node in self._tachyon:
                self.remove_node(node)

    def add_edge(self, u_of_edge: Any, v_of_edge: Any, **attr: Any) -> None:
        """Let an element stand on another.

        Raises:
            NetworkXError: the graph does not have one of them, or one cannot stand on the other.
        """
        model = self._tachyon
        if model is None:
            super().add_edge(u_of_edge, v_of_edge, **attr)
            return
        link, _ = self._links(u_of_edge, v_of_edge)
        link(u_of_edge, v_of_edge)
        self._adj[u_of_edge][v_of_edge].update(attr)

    def add_edges_from(self, ebunch_to_add: Iterable[Any], **attr: Any) -> None:
        """Add edges, given as pairs or as triples with attributes."""
        if self._tachyon is None:
            super().add_edges_from(ebunch_to_add, **attr)
            return
        for child, parent, *own in ebunch_to_add:
            self.add_edge(child, parent, **{**attr, **(own[0] if own else {})})

    def remove_edge(self, u: Any, v: Any) -> None:
        """Take an element from what it stands on.

        Raises:
            NetworkXError: there is no such edge.
        """
        model = self._tachyon
        if model is None:
            super().remove_edge(u, v)
            return
        if u not in model or v not in self._adj[u]:
            raise nx.NetworkXError(f"The edge {u}-{v} is not in the graph.")
        _, unlink = self._links(u, v)
        unlink(u, v)

    def remove_edges_from(self, ebunch: Iterable[Any]) -> None:
        """Remove edges; those that the graph does not have are passed over."""
        if self._tachyon is None:
            super().remove_edges_from(ebunch)
            return
        for child, parent, *_ in list(ebunch):
            if child in self._tachyon and parent in self._adj[child]:
                self.remove_edge(child, parent)

    def clear(self) -> None:
        """Remove everything."""
        if self._tachyon is None:
            super().clear()
        else:
            self.remove_nodes_from(list(self))

    def clear_edges(self) -> None:
        """Remove all edges."""
        if self._tachyon is None:
            super().clear_edges()
        else:
            self.remove_edges_from(list(self.edges()))

    def _element(self, key: Any) -> Element:
        found = self._tachyon.element(key) if self._tachyon is not None else None
        if found is None:
            raise nx.NetworkXError(f"The node {key} is not in the graph.")
        return found

    def _links(self, child: Any, parent: Any) -> tuple[Callable[..., None], Callable[..., None]]:
        """Return the model's calls for an edge between two elements."""
        stands, on = self._element(child), self._element(parent)
        if _STANDS_ON.get(type(stands)) is not type(on):
            raise nx.NetworkXError(
                f"{type(stands).__name__} {child} cannot stand on {type(on).__name__} {parent}"
            )
        link, unlink = _LINK[type(stands)]
        return getattr(self._tachyon, link), getattr(self._tachyon, unlink)


def _key(element: Element) -> str:
    return str(getattr(element, element.key_field))


def _stands_on(model: ClusterModel, key: str) -> Iterator[str]:
    for relation in model.relations():
        if relation.children.find(key) is not None:
            return iter(list(relation.on(key)))
    return iter(())


class _Data:
    """Attributes of nodes and edges, made when they are asked for."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, Any]] = {}
        self._edges: dict[tuple[str, str], dict[str, Any]] = {}

    def node(self, key: str, element: Element) -> dict[str, Any]:
        data = self._nodes.setdefault(key, {})
        data["attr"] = element
        return data

    def edge(self, child: str, parent: str) -> dict[str, Any]:
        return self._edges.setdefault((child, parent), {})


class _Nodes(Mapping[str, dict[str, Any]]):
    """Attributes by node."""

    def __init__(self, model: ClusterModel, data: _Data) -> None:
        self._model = model
        self._data = data

    def __getitem__(self, key: str) -> dict[str, Any]:
        element = self._model.element(key)
        if element is None:
            raise KeyError(key)
        return self._data.node(key, element)

    def __contains__(self, key: object) -> bool:
        return key in self._model

    def __iter__(self) -> Iterator[str]:
        return iter(self._model)

    def __len__(self) -> int:
        return len(self._model)


class _Edges(Mapping[str, Mapping[str, dict[str, Any]]]):
    """Neighbours by node, in one direction."""

    def __init__(
        self,
        model: ClusterModel,
        neighbours: Callable[[str], Iterable[str]],
        data: Callable[[str, str], dict[str, Any]],
    ) -> None:
        self._model = model
        self._neighbours = neighbours
        self._data = data

    def __getitem__(self, key: str) -> Mapping[str, dict[str, Any]]:
        if key not in self._model:
            raise KeyError(key)
        return {other: self._data(key, other) for other in self._neighbours(key)}

    def __contains__(self, key: object) -> bool:
        return key in self._model

    def __iter__(self) -> Iterator[str]:
        return iter(self._model)

    def __len__(self) -> int:
        return len(self._model)


def isomorphic(one: ClusterModel, other: ClusterModel, *, same_elements: bool) -> bool:
    """Tell whether two models have the same shape, and the same elements where that is asked."""

    def match(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
        return bool(left["attr"].as_dict() == right["attr"].as_dict())

    mine: nx.DiGraph[str] = nx.DiGraph(TachyonNetworkXAdapter(one))
    theirs: nx.DiGraph[str] = nx.DiGraph(TachyonNetworkXAdapter(other))
    return bool(nx.is_isomorphic(mine, theirs, node_match=match if same_elements else None))
