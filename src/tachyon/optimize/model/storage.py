"""The storage model: storage hosts, their pools, and the volumes in these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, ClassVar
from xml.etree import ElementTree

from tachyon.graph.simulation import Session
from tachyon.graph.view.view import View
from tachyon.optimize.model.elements import Pool, StorageNode, Volume
from tachyon.optimize.model.layer import Layer
from tachyon.optimize.model.relation import Relation
from tachyon.optimize.model.root import ClusterModel
from tachyon.optimize.model.tables.storage import storage_table
from tachyon.optimize.model.text import XmlText
from tachyon.optimize.model.writing.storage import transactions
from tachyon.optimize.scope.mask import ScopeMask


class StorageParts:
    """Storage hosts, pools, volumes, and what stands on what."""

    def __init__(
        self,
        nodes: Layer[StorageNode],
        pools: Layer[Pool],
        volumes: Layer[Volume],
        standing: Relation[Pool, StorageNode],
        lying: Relation[Volume, Pool],
    ) -> None:
        self.nodes = nodes
        self.pools = pools
        self.volumes = volumes
        self.standing = standing
        self.lying = lying

    def layers(self) -> list[Layer[Any]]:
        """Return the layers, what stands on something first."""
        return [self.volumes, self.pools, self.nodes]

    def relations(self) -> list[Relation[Any, Any]]:
        """Return the relations."""
        return [self.standing, self.lying]


class TachyonStorageModel(ClusterModel):
    """Watcher's storage model (`StorageModelRoot`) on Tachyon.

    Storage hosts are known by `host`, pools by `name`, volumes by `uuid`.
    """

    _transactions = staticmethod(transactions)
    _aliases: ClassVar[tuple[str, ...]] = ("_nodes", "_pools", "_volumes", "_standing", "_lying")

    _nodes: Layer[StorageNode]
    _pools: Layer[Pool]
    _volumes: Layer[Volume]
    _standing: Relation[Pool, StorageNode]
    _lying: Relation[Volume, Pool]
    _backing: Any

    def _gather(self, view: View, mask: ScopeMask | None) -> StorageParts:
        table = storage_table(view)
        writes = self._writes()
        providers = None if mask is None else mask.providers.tobytes()
        consumers = None if mask is None else mask.consumers.tobytes()
        self._nodes = Layer(table.nodes, self._lock, writes, visible=providers)
        self._pools = Layer(table.pools, self._lock, writes, visible=providers)
        self._volumes = Layer(table.volumes, self._lock, writes, visible=consumers)
        self._standing = Relation(table.pool_edges, self._pools, self._nodes, self._lock)
        self._lying = Relation(table.volume_edges, self._volumes, self._pools, self._lock)
        return StorageParts(self._nodes, self._pools, self._volumes, self._standing, self._lying)

    def _seed(self, session: Session) -> None:
        view, state = session.view, session.state
        keys = view.providers.uuid
        for row in session.arrivals():
            key = state.consumer_uuid(row)
            if state.is_new(row) or self._volumes.base_row(key) < 0:
                continue
            self._lying.drop_child(key)
            home = state.home(row)
            if home >= 0 and self._pools.find(keys[home]) is not None:
                self._lying.link(key, keys[home])
        self._nodes.overrides = {
            keys[at]: {name: fields[name] for name in ("status", "state") if name in fields}
            for at, fields in state.fields.items()
        }

    def assert_node(self, obj: object) -> None:
        """Raise `IllegalArgumentException` for anything but a storage host."""
        self._expect(obj, StorageNode)

    def assert_pool(self, obj: object) -> None:
        """Raise `IllegalArgumentException` for anything but a pool."""
        self._expect(obj, Pool)

    def assert_volume(self, obj: object) -> None:
        """Raise `IllegalArgumentException` for anything but a volume."""
        self._expect(obj, Volume)

    def get_all_storage_nodes(self) -> dict[str, StorageNode]:
        """Return all storage hosts by `host`, in the order in which they came."""
        return self._nodes.everything().copy()

    def get_all_volumes(self) -> dict[str, Volume]:
        """Return all volumes by uuid, those that lie in no pool among them."""
        return self._volumes.everything().copy()

    def get_node_by_name(self, name: str) -> StorageNode:
        """Return a storage host by its name or that of a pool; raises `StorageNodeNotFound`."""
        found = self._nodes.find(name.partition("#")[0])
        if found is None:
            raise self.exceptions.StorageNodeNotFound(name=name)
        return found

    def get_pool_by_pool_name(self, name: str) -> Pool:
        """Return a pool; raises `PoolNotFound`."""
        found = self._pools.find(name)
        if found is None:
            raise self.exceptions.PoolNotFound(name=name)
        return found

    def get_volume_by_uuid(self, uuid: str) -> Volume:
        """Return a volume; raises `VolumeNotFound`."""
        found = self._volumes.find(uuid)
        if found is None:
            raise self.exceptions.VolumeNotFound(name=uuid)
        return found

    def get_node_by_pool_name(self, pool_name: str) -> StorageNode:
        """Return the storage host of a pool.

        Raises:
            StorageResourceNotFound: there is no such pool.
            StorageNodeNotFound: it stands on none.
        """
        if self._pools.find(pool_name) is None:
            raise self.exceptions.StorageResourceNotFound(name=pool_name)
        for key in self._standing.on(pool_name):
            found = self._nodes.find(key)
            if found is not None:
                return found
        raise self.exceptions.StorageNodeNotFound(name=pool_name)

    def get_node_pools(self, node: StorageNode) -> list[Pool]:
        """Return the pools of a storage host in the order in which they came; a fresh list."""
        self.assert_node(node)
        if self._nodes.find(node.host) is None:
            raise self._no_node(node.host)
        return list(self._standing.of(node.host).values())

    def get_pool_by_volume(self, volume: Volume) -> Pool:
        """Return the pool of a volume.

        Raises:
            StorageResourceNotFound: the model does not have the volume.
            PoolNotFound: it lies in none.
        """
        self.assert_volume(volume)
        if self._volumes.find(volume.uuid) is None:
            raise self.exceptions.StorageResourceNotFound(name=volume.uuid)
        for key in self._lying.on(volume.uuid):
            found = self._pools.find(key)
            if found is not None:
                return found
        raise self.exceptions.PoolNotFound(name=f"for volume {volume.uuid}")

    def get_pool_volumes(self, pool: Pool) -> list[Volume]:
        """Return the volumes of a pool in the order in which they came; a fresh list."""
        self.assert_pool(pool)
        if self._pools.find(pool.name) is None:
            raise self._no_node(pool.name)
        return list(self._lying.of(pool.name).values())

    def add_node(self, node: StorageNode) -> None:
        """Add a storage host, or put it in the place of the one of its name."""
        self.assert_node(node)
        with self._lock:
            self._put(self._nodes, node)

    def add_pool(self, pool: Pool) -> None:
        """Add a pool; one put in another's place stands where that one stood."""
        self.assert_pool(pool)
        with self._lock:
            self._put(self._pools, pool)
            self._standing.replace_child(pool.name)

    def add_volume(self, volume: Volume) -> None:
        """Add a volume; one put in another's place lies where that one lay."""
        self.assert_volume(volume)
        with self._lock:
            self._put(self._volumes, volume)
            self._lying.replace_child(volume.uuid)

    def remove_node(self, node: StorageNode) -> None:
        """Remove a storage host; its pools stay, on none. Raises `StorageNodeNotFound`."""
        self.assert_node(node)
        with self._lock:
            mine = self._nodes.find(node.host)
            if mine is None:
                raise self.exceptions.StorageNodeNotFound(name=node.host)
            left = self._standing.drop_parent(node.host)
            self._backing.drop(mine)
            self._nodes.drop(node.host)
            self._touch(self._pools, left)

    def remove_pool(self, pool: Pool) -> None:
        """Remove a pool; its volumes stay, in none. Raises `PoolNotFound`."""
        self.assert_pool(pool)
        with self._lock:
            mine = self._pools.find(pool.name)
            if mine is None:
                raise self.exceptions.PoolNotFound(name=pool.name)
            left = self._lying.drop_parent(pool.name)
            self._standing.drop_child(pool.name)
            self._backing.drop(mine)
            self._pools.drop(pool.name)
            self._touch(self._volumes, left)

    def _touch(self, layer: Layer[Any], keys: Iterable[str]) -> None:
        for key in keys:
            self._backing.wrote(layer.find(key), "host")

    def remove_volume(self, volume: Volume) -> None:
        """Remove a volume; raises `VolumeNotFound`."""
        self.assert_volume(volume)
        with self._lock:
            mine = self._volumes.find(volume.uuid)
            if mine is None:
                raise self.exceptions.VolumeNotFound(name=volume.uuid)
            self._lying.drop_child(volume.uuid)
            self._backing.drop(mine)
            self._volumes.drop(volume.uuid)

    def delete_volume(self, volume: Volume) -> None:
        """Remove a volume; raises `VolumeNotFound`."""
        self.remove_volume(volume)

    def map_pool(self, pool: Pool | str, node: StorageNode | str) -> None:
        """Let a pool stand on a storage host, both given as elements or names.

        Raises:
            PoolNotFound, StorageNodeNotFound: the model does not have one of them.
        """
        with self._lock:
            mine, host = self._pool(pool), self._node(node)
            if self._standing.link(mine.name, host.host):
                self._backing.wrote(mine, "host")
                self._backing.wrote(host, "host")

    def unmap_pool(self, pool: Pool | str, node: StorageNode | str) -> None:
        """Take a pool from a storage host; raises `NetworkXError` when it does not stand there."""
        with self._lock:
            mine, host = self._pool(pool), self._node(node)
            if not self._standing.unlink(mine.name, host.host):
                raise self._no_edge(mine.name, host.host)
            self._backing.wrote(mine, "host")

    def map_volume(self, volume: Volume | str, pool: Pool | str) -> None:
        """Let a volume lie in a pool, given as elements, or by uuid and name.

        Raises:
            VolumeNotFound, PoolNotFound: the model does not have one of them.
        """
        with self._lock:
            mine, into = self._volume(volume), self._pool(pool)
            if self._lying.link(mine.uuid, into.name):
                self._backing.place(mine, into.name, {"DISK_GB": mine.get("size", 0)})

    def unmap_volume(self, volume: Volume | str, pool: Pool | str) -> None:
        """Take a volume from a pool; raises `NetworkXError` when it does not lie there."""
        with self._lock:
            mine, out_of = self._volume(volume), self._pool(pool)
            if not self._lying.unlink(mine.uuid, out_of.name):
                raise self._no_edge(mine.uuid, out_of.name)
            self._backing.displace(mine, out_of.name)

    def _node(self, node: StorageNode | str) -> StorageNode:
        if isinstance(node, str):
            return self.get_node_by_name(node)
        self.assert_node(node)
        return self.get_node_by_name(node.host)

    def _pool(self, pool: Pool | str) -> Pool:
        if isinstance(pool, str):
            return self.get_pool_by_pool_name(pool)
        self.assert_pool(pool)
        return self.get_pool_by_pool_name(pool.name)

    def _volume(self, volume: Volume | str) -> Volume:
        if isinstance(volume, str):
            return self.get_volume_by_uuid(volume)
        self.assert_volume(volume)
        return self.get_volume_by_uuid(volume.uuid)

    def _write_xml(self) -> str:
        text = XmlText()
        for node in sorted(self.get_all_storage_nodes().values(), key=attrgetter("host")):
            with text.inside(node):
                for pool in sorted(self.get_node_pools(node), key=attrgetter("name")):
                    text.write(pool, sorted(self.get_pool_volumes(pool), key=attrgetter("uuid")))
        unmapped = (one for one in self.get_all_volumes().values() if not self._lying.on(one.uuid))
        for one in sorted(unmapped, key=attrgetter("uuid")):
            text.write(one)
        return text.done()

    def _read_xml(
        self, root: ElementTree.Element, above: Mapping[ElementTree.Element, ElementTree.Element]
    ) -> None:
        for found in root.iter("StorageNode"):
            self.add_node(StorageNode.from_xml_element(found))
        for found in root.iter("Pool"):
            pool = Pool.from_xml_element(found)
            self.add_pool(pool)
            if (parent := above[found]).tag == "StorageNode":
                self.map_pool(pool.name, parent.attrib["host"])
        for found in root.iter("Volume"):
            volume = Volume.from_xml_element(found)
            self.add_volume(volume)
            if (parent := above[found]).tag == "Pool":
                self.map_volume(volume.uuid, parent.attrib["name"])
