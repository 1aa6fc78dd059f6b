"""The compute model: hosts and the instances on them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, ClassVar
from xml.etree import ElementTree

from tachyon.graph.simulation import Session
from tachyon.graph.view.view import View
from tachyon.optimize.model.elements import ComputeNode, Element, Instance
from tachyon.optimize.model.layer import Layer
from tachyon.optimize.model.records import instance as instances
from tachyon.optimize.model.relation import Relation
from tachyon.optimize.model.root import ClusterModel
from tachyon.optimize.model.tables.compute import ComputeTable, compute_table
from tachyon.optimize.model.text import XmlText
from tachyon.optimize.model.writing.compute import by_class, transactions
from tachyon.optimize.scope.mask import ScopeMask

#: Fields of an instance that count towards what its host uses, by Watcher's key.
_AMOUNTS = {"vcpu": "vcpus", "memory": "memory", "disk": "disk"}


class ComputeParts:
    """Hosts, instances, and who stands where."""

    def __init__(
        self,
        nodes: Layer[ComputeNode],
        instances: Layer[Instance],
        placements: Relation[Instance, ComputeNode],
    ) -> None:
        self.nodes = nodes
        self.instances = instances
        self.placements = placements

    def layers(self) -> list[Layer[Any]]:
        """Return the layers, what stands on something first."""
        return [self.instances, self.nodes]

    def relations(self) -> list[Relation[Any, Any]]:
        """Return the relations."""
        return [self.placements]


class TachyonClusterModel(ClusterModel):
    """Watcher's compute model (`ModelRoot`) on Tachyon."""

    #: Whether handlers keep extended attributes (extra specs, pinned zones) of what they see.
    extended_attributes_enabled = False

    _transactions = staticmethod(transactions)
    _matches_elements = True
    _aliases: ClassVar[tuple[str, ...]] = ("_table", "_nodes", "_instances", "_placements")

    _table: ComputeTable
    _nodes: Layer[ComputeNode]
    _instances: Layer[Instance]
    _placements: Relation[Instance, ComputeNode]
    _backing: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._forget_derived()

    def _forget_derived(self) -> None:
        #: What the instances of a host use, by uuid of the host.
        self._node_resource_cache: dict[str, dict[str, int]] = {}
        #: Hosts by name, once hosts were added, removed or renamed.
        self._names: dict[str, list[ComputeNode]] | None = None

    def _gather(self, view: View, mask: ScopeMask | None) -> ComputeParts:
        self._forget_derived()
        self._table = table = compute_table(view)
        writes = self._writes()
        self._nodes = Layer(
            table.hosts,
            self._lock,
            writes,
            visible=None if mask is None else mask.providers.tobytes(),
        )
        self._instances = Layer(
            table.instances,
            self._lock,
            writes,
            visible=None if mask is None else mask.consumers.tobytes(),
            excluded=mask.excluded.tobytes() if mask is not None and mask.excluded.any() else None,
        )
        self._placements = Relation(table.placements, self._instances, self._nodes, self._lock)
        self._sums_hold = mask is None or not _hides_some(view, mask)
        return ComputeParts(self._nodes, self._instances, self._placements)

    def _seed(self, session: Session) -> None:
        view, state = session.view, session.state
        uuids = view.providers.uuid
        overrides: dict[str, dict[str, Any]] = {}
        self._instances.overrides = overrides
        for row in session.arrivals():
            key = state.consumer_uuid(row)
            placement = session.placement(key)
            if state.is_new(row):
                new = state.new[row - view.consumer_rows]
                if new.type != "instance":
                    continue
                self._instances.put(key, _new_instance(new, placement.allocations))
            elif self._instances.base_row(key) < 0:
                continue
            else:
                overrides[key] = dict(instances.amounts(placement.allocations, None))
            self._placements.drop_child(key)
            home = state.home(row)
            if home >= 0 and self._nodes.find(uuids[home]) is not None:
                self._placements.link(key, uuids[home])
        hosts: dict[str, dict[str, Any]] = {}
        self._nodes.overrides = hosts
        for at, fields in state.fields.items():
            hosts[uuids[at]] = {
                name: fields[name]
                for name in ("status", "state", "disabled_reason")
                if name in fields
            }

    def _wrote(self, element: Element, name: str, before: Any) -> None:
        key = element.__dict__[element.key_field]
        if isinstance(element, Instance):
            if name in ("vcpus", "memory", "disk"):
                for host in self._placements.on(key):
                    self._node_resource_cache.pop(host, None)
                    self._placements.changed.add(host)
        elif name == "hostname":
            self._names = None
        super()._wrote(element, name, before)

    def assert_node(self, obj: object) -> None:
        """Raise `IllegalArgumentException` for anything but a compute node."""
        self._expect(obj, ComputeNode)

    def assert_instance(self, obj: object) -> None:
        """Raise `IllegalArgumentException` for anything but an instance."""
        self._expect(obj, Instance)

    def get_all_compute_nodes(self) -> dict[str, ComputeNode]:
        """Return all hosts by uuid, in the order in which they came."""
        return self._nodes.everything().copy()

    def get_all_instances(self) -> dict[str, Instance]:
        """Return all instances by uuid, those that stand nowhere among them."""
        return self._instances.everything().copy()

    def get_node_by_uuid(self, uuid: str) -> ComputeNode:
        """Return a host; raises `ComputeNodeNotFound`."""
        found = self._nodes.find(uuid)
        if found is None:
            raise self.exceptions.ComputeNodeNotFound(name=uuid)
        return found

    def get_node_by_name(self, name: str) -> ComputeNode:
        """Return the first host of a name; raises `ComputeNodeNotFound`."""
        if not self._nodes.altered:
            for row in self._table.hosts.by_name.get(name, ()):
                found = self._nodes.find(self._table.hosts.keys[row])
                if found is not None:
                    return found
            raise self.exceptions.ComputeNodeNotFound(name=name)
        named = self._by_name().get(name)
        if not named:
            raise self.exceptions.ComputeNodeNotFound(name=name)
        return named[0]

    def _by_name(self) -> dict[str, list[ComputeNode]]:
        if self._names is None:
            with self._lock:
                names: dict[str, list[ComputeNode]] = {}
                for node in self._nodes.everything().values():
                    names.setdefault(node.get("hostname", None), []).append(node)
                self._names = names
        return self._names

    def get_instance_by_uuid(self, uuid: str) -> Instance:
        """Return an instance; raises `InstanceNotFound`."""
        found = self._instances.find(uuid)
        if found is None:
            raise self.exceptions.InstanceNotFound(name=uuid)
        return found

    def get_node_by_instance_uuid(self, instance_uuid: str) -> ComputeNode:
        """Return the host of an instance.

        Raises:
            ComputeResourceNotFound: there is no such instance.
            InstanceNotMapped: it stands nowhere.
        """
        if self._instances.find(instance_uuid) is None:
            raise self.exceptions.ComputeResourceNotFound(name=instance_uuid)
        for key in self._placements.on(instance_uuid):
            found = self._nodes.find(key)
            if found is not None:
                return found
        raise self.exceptions.InstanceNotMapped(uuid=instance_uuid)

    def get_node_instances(self, node: ComputeNode) -> list[Instance]:
        """Return the instances of a host in the order in which they came there; a fresh list."""
        self.assert_node(node)
        return list(self._placements.of(self._known(node)).values())

    def _known(self, node: ComputeNode) -> str:
        uuid = node.uuid
        if self._nodes.find(uuid) is None:
            raise self._no_node(uuid)
        return uuid

    def get_node_used_resources(self, node: ComputeNode) -> dict[str, int]:
        """Return what the instances of a host use: `vcpu`, `memory` (MB), `disk` (GB)."""
        cached = self._node_resource_cache.get(node.uuid)
        if cached is None:
            with self._lock:
                cached = self._node_resource_cache[node.uuid] = self._used(node)
        return cached.copy()

    def _used(self, node: ComputeNode) -> dict[str, int]:
        uuid = self._known(node)
        if self._sums_hold and uuid not in self._placements.changed:
            row = self._nodes.base_row(uuid)
            if row >= 0:
                vcpu, memory, disk = self._table.placements.used
                return {"vcpu": vcpu[row], "memory": memory[row], "disk": disk[row]}
        standing = self.get_node_instances(node)
        return {
            key: sum(getattr(instance, name) for instance in standing)
            for key, name in _AMOUNTS.items()
        }

    def get_node_free_resources(self, node: ComputeNode) -> dict[str, float]:
        """Return what is left of a host's capacities, by the keys of `get_node_used_resources`."""
        used = self._node_resource_cache.get(node.uuid) or self.get_node_used_resources(node)
        return {
            "vcpu": node.vcpu_capacity - used["vcpu"],
            "memory": node.memory_mb_capacity - used["memory"],
            "disk": node.disk_gb_capacity - used["disk"],
        }

    def invalidate_resource_cache(self) -> None:
        """Forget what hosts use; it is summed up anew."""
        self._node_resource_cache.clear()

    def invalidate_node_resource_cache(self, node: ComputeNode) -> None:
        """Forget what a host uses; it is summed up anew."""
        self._node_resource_cache.pop(node.uuid, None)

    def add_node(self, node: ComputeNode) -> None:
        """Add a host, or put it in the place of the one with its uuid."""
        self.assert_node(node)
        with self._lock:
            known = self._nodes.find(node.uuid) is not None
            self._put(self._nodes, node)
            if known:
                self._names = None
            elif self._names is not None:
                mine = self.get_node_by_uuid(node.uuid)
                self._names.setdefault(mine.get("hostname", None), []).append(mine)

    def remove_node(self, node: ComputeNode) -> None:
        """Remove a host; its instances stay, and stand nowhere. Raises `ComputeNodeNotFound`."""
        self.assert_node(node)
        with self._lock:
            uuid = node.uuid
            mine = self._nodes.find(uuid)
            self.invalidate_node_resource_cache(node)
            if mine is None:
                raise self.exceptions.ComputeNodeNotFound(name=uuid)
            left = self._placements.drop_parent(uuid)
            if self._names is not None:
                self._names[mine.get("hostname", None)].remove(mine)
            self._backing.drop(mine)
            self._nodes.drop(uuid)
            for key in left:
                self._backing.wrote(self._instances.find(key), "host")

    def add_instance(self, instance: Instance) -> None:
        """Add an instance; one put in another's place stands where that one stood."""
        self.assert_instance(instance)
        with self._lock:
            uuid = instance.uuid
            known = self._instances.find(uuid) is not None
            self._put(self._instances, instance)
            if known:
                self._placements.replace_child(uuid)
                self._forget_use(uuid)

    def _forget_use(self, uuid: str) -> None:
        for host in self._placements.on(uuid):
            self._node_resource_cache.pop(host, None)
            self._placements.changed.add(host)

    def remove_instance(self, instance: Instance) -> None:
        """Remove an instance; raises `InstanceNotFound`."""
        self.assert_instance(instance)
        with self._lock:
            uuid = instance.uuid
            mine = self._instances.find(uuid)
            if mine is None:
                raise self.exceptions.InstanceNotFound(name=uuid)
            for host in self._placements.on(uuid):
                self._count(host, mine, -1)
            self._placements.drop_child(uuid)
            self._backing.drop(mine)
            self._instances.drop(uuid)

    def delete_instance(self, instance: Instance, node: object = None) -> None:
        """Remove an instance, wherever it stands; raises `InstanceNotFound`."""
        self.remove_instance(instance)

    def map_instance(self, instance: Instance | str, node: ComputeNode | str) -> None:
        """Let an instance stand on a host, both given as elements or uuids.

        Raises:
            InstanceNotFound, ComputeNodeNotFound: the model does not have one of them.
        """
        with self._lock:
            mine, host = self._pair(instance, node)
            if self._placements.link(mine.uuid, host.uuid):
                self._count(host.uuid, mine, 1)
                self._backing.place(mine, host.uuid, by_class(mine.as_dict()))

    def unmap_instance(self, instance: Instance | str, node: ComputeNode | str) -> None:
        """Take an instance from a host; raises `NetworkXError` when it does not stand there."""
        with self._lock:
            mine, host = self._pair(instance, node)
            if not self._placements.unlink(mine.uuid, host.uuid):
                raise self._no_edge(mine.uuid, host.uuid)
            self._count(host.uuid, mine, -1)
            self._backing.displace(mine, host.uuid)

    def _pair(
        self, instance: Instance | str, node: ComputeNode | str
    ) -> tuple[Instance, ComputeNode]:
        """Return the model's own elements, for arguments may be detached ones or keys."""
        if not isinstance(instance, str):
            self.assert_instance(instance)
            instance = instance.uuid
        if not isinstance(node, str):
            self.assert_node(node)
            node = node.uuid
        return self.get_instance_by_uuid(instance), self.get_node_by_uuid(node)

    def migrate_instance(
        self, instance: Instance, source_node: ComputeNode, destination_node: ComputeNode
    ) -> bool:
        """Move an instance to another host, behind all others there.

        On a session this records a MOVE; on the graph it commits a guarded migration. Capacity is
        not checked, as Watcher's model does not.

        Returns:
            False, and nothing is done, when source and destination are the same.

        Raises:
            NetworkXError: the instance does not stand on the source.
            ComputeNodeNotFound, InstanceNotFound: the model does not have one of them.
            GenerationConflict: of a global model: the graph has moved on; nothing is done.
        """
        self.assert_instance(instance)
        self.assert_node(source_node)
        self.assert_node(destination_node)
        source, target = source_node.uuid, destination_node.uuid
        if source == target:
            return False
        with self._lock:
            self._before_commit()
            mine, _ = self._pair(instance, target)
            key = mine.uuid
            if self._nodes.find(source) is None or key not in self._placements.of(source):
                raise self._no_edge(key, source)
            self._placements.unlink(key, source)
            self._count(source, mine, -1)
            if self._placements.link(key, target):
                self._count(target, mine, 1)
            self._recorded(mine, source, target)
        return True

    def _count(self, host: str, instance: Instance, sign: int) -> None:
        """Bring what a host uses up to date, where it is known."""
        used = self._node_resource_cache.get(host)
        if used is None:
            return
        try:
            vcpus, memory, disk = instance.vcpus, instance.memory, instance.disk
        except NotImplementedError:
            # The sum is asked for again when the instance says what it takes.
            del self._node_resource_cache[host]
            return
        used["vcpu"] += sign * vcpus
        used["memory"] += sign * memory
        used["disk"] += sign * disk

    def to_list(self) -> list[dict[str, Any]]:
        """Return a flat mapping for each instance on a host and each empty host, by uuid.

        Keys are `node_<field>` and `server_<field>`; a field that is not set has no key.
        """
        found: list[dict[str, Any]] = []
        for node in sorted(self.get_all_compute_nodes().values(), key=_uuid):
            host = node.prefixed("node_")
            standing = sorted(self.get_node_instances(node), key=_uuid)
            found.extend({**host, **one.prefixed("server_")} for one in standing)
            if not standing:
                found.append(host)
        return found

    def _write_xml(self) -> str:
        text = XmlText()
        for node in sorted(self.get_all_compute_nodes().values(), key=_uuid):
            text.write(node, sorted(self.get_node_instances(node), key=_uuid))
        unmapped = (
            one for one in self.get_all_instances().values() if not self._placements.on(one.uuid)
        )
        for one in sorted(unmapped, key=_uuid):
            text.write(one)
        return text.done()

    def _read_xml(
        self, root: ElementTree.Element, above: Mapping[ElementTree.Element, ElementTree.Element]
    ) -> None:
        for found in root.iter("ComputeNode"):
            self.add_node(ComputeNode.from_xml_element(found))
        for found in root.iter("Instance"):
            instance = Instance.from_xml_element(found)
            self.add_instance(instance)
            parent = above[found]
            if parent.tag == "ComputeNode":
                self.map_instance(instance.uuid, parent.attrib["uuid"])


_uuid = attrgetter("uuid")


def _new_instance(new: Any, allocations: Any) -> Instance:
    """Return the instance that a session's ALLOCATE brought into being."""
    return Instance(
        uuid=new.uuid,
        name=new.name,
        metadata={},
        pinned_az=new.pinned_az or "",
        **({} if new.project_id is None else {"project_id": new.project_id}),
        **instances.amounts(allocations, None),
    )


def _hides_some(view: View, mask: ScopeMask) -> bool:
    """Tell whether a mask hides instances of hosts that it shows."""
    home = view.consumers.home
    return bool((~mask.consumers & view.consumers.alive & (home >= 0) & mask.providers[home]).any())
