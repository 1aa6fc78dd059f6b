"""Every Cypher block of the Watcher model mapping, word for word, and what had to be repaired.

The mapping page is the contract between the graph in Neo4j and those who query it there. What
runs on Neo4j 5 and does what its words say is kept as it is; the rest has a `repaired` text and
the `reason`, both of which tests/mapping holds true. Trailing blanks are dropped.
"""

from __future__ import annotations

from typing import NamedTuple


class Statement(NamedTuple):
    """One statement (or picture of data) of the page."""

    title: str
    text: str
    repaired: str | None = None
    reason: str | None = None

    @property
    def runnable(self) -> str:
        """What gives the right answer on Neo4j 5."""
        return self.repaired or self.text


class Block(NamedTuple):
    """One fenced block: the heading above it, a digest of its text, and its statements."""

    heading: str
    digest: str
    statements: tuple[Statement, ...]

    @property
    def text(self) -> str:
        return "\n".join(statement.text for statement in self.statements)


BLOCKS = (
    Block(
        "ComputeNode → ResourceProvider",
        "7e024a7526691af5",
        (
            Statement(
                "picture_of_a_compute_node",
                """\
// ComputeNode in Tachyon
(:ResourceProvider {
  uuid: 'node-uuid',
  name: 'compute-host-1',
  status: 'enabled',
  disabled_reason: null,
  generation: 5
})
-[:HAS_INVENTORY]->(:Inventory {
  total: 128,
  reserved: 4,
  allocation_ratio: 16.0,
  min_unit: 1,
  max_unit: 128
})
-[:OF_CLASS]->(:ResourceClass {name: 'VCPU'})""",
                repaired="""\
MATCH (rp:ResourceProvider {uuid: $node_uuid})
  -[:HAS_INVENTORY]->(inv:Inventory)
  -[:OF_CLASS]->(:ResourceClass {name: 'VCPU'})
RETURN rp {.uuid, .name, .status, .disabled_reason, .generation} AS node,
  inv {.total, .reserved, .allocation_ratio, .min_unit, .max_unit} AS inventory
""",
                reason="a picture of the data, not a statement",
            ),
        ),
    ),
    Block(
        "Instance → Consumer",
        "d7e04a95976ad6d2",
        (
            Statement(
                "picture_of_an_instance",
                """\
// Instance in Tachyon
(:Consumer {
  uuid: 'instance-uuid',
  name: 'my-instance',
  state: 'active',
  generation: 2,
  locked: false,
  watcher_exclude: false,
  metadata: {key: 'value'}
})
-[:CONSUMES {used: 4, created_at: datetime()}]->(:Inventory)
-[:OF_CLASS]->(:ResourceClass {name: 'VCPU'})""",
                repaired="""\
MATCH (c:Consumer {uuid: $instance_uuid})
  -[alloc:CONSUMES]->(:Inventory)
  -[:OF_CLASS]->(:ResourceClass {name: 'VCPU'})
RETURN c {.uuid, .name, .state, .generation, .locked, .watcher_exclude, .metadata} AS instance,
  sum(alloc.used) AS used, min(alloc.created_at) <= datetime() AS dated
""",
                reason="a picture of the data; Neo4j keeps no map in a property, only JSON",
            ),
        ),
    ),
    Block(
        "Instance-to-Node Mapping",
        "1abb8cc106126d0f",
        (
            Statement(
                "get_node_by_instance_uuid",
                """\
// Equivalent to Watcher's get_node_by_instance_uuid()
MATCH (consumer:Consumer {uuid: $instance_uuid})
      -[:CONSUMES]->(:Inventory)
      <-[:HAS_INVENTORY]-(rp:ResourceProvider)
RETURN DISTINCT rp""",
            ),
        ),
    ),
    Block(
        "get_all_compute_nodes()",
        "8b474345a657a34d",
        (
            Statement(
                "get_all_compute_nodes",
                """\
// Get all compute nodes
MATCH (rp:ResourceProvider)
WHERE (rp)-[:HAS_TRAIT]->(:Trait {name: 'COMPUTE_HYPERVISOR'})
   OR NOT (rp)<-[:PARENT_OF]-()  // Root providers
RETURN rp""",
                repaired="""\
MATCH (rp:ResourceProvider {type: 'compute'})
RETURN rp
""",
                reason="returns every root provider too: storage hosts and baremetal nodes",
            ),
        ),
    ),
    Block(
        "get_all_instances()",
        "153307448ac3e63f",
        (
            Statement(
                "get_all_instances",
                """\
// Get all instances (consumers of compute resources)
MATCH (consumer:Consumer)
      -[:CONSUMES]->(:Inventory)
      -[:OF_CLASS]->(:ResourceClass {name: 'VCPU'})
RETURN DISTINCT consumer""",
            ),
        ),
    ),
    Block(
        "get_node_instances(node)",
        "5131c564dfa6d736",
        (
            Statement(
                "get_node_instances",
                """\
// Get all instances on a specific compute node
MATCH (rp:ResourceProvider {uuid: $node_uuid})
      -[:HAS_INVENTORY]->(inv)
      <-[:CONSUMES]-(consumer:Consumer)
RETURN DISTINCT consumer""",
                repaired="""\
MATCH (:ResourceProvider {uuid: $node_uuid})-[:PARENT_OF*0..]->(:ResourceProvider)
      -[:HAS_INVENTORY]->(:Inventory)
      <-[:CONSUMES]-(consumer:Consumer)
RETURN DISTINCT consumer
""",
                reason="misses an instance that holds only parts of the node (NUMA nodes)",
            ),
        ),
    ),
    Block(
        "get_node_used_resources(node)",
        "639b0994b7712048",
        (
            Statement(
                "get_node_used_resources",
                """\
// Get resource usage on a compute node
MATCH (rp:ResourceProvider {uuid: $node_uuid})
      -[:HAS_INVENTORY]->(inv)
      -[:OF_CLASS]->(rc:ResourceClass)
OPTIONAL MATCH (inv)<-[alloc:CONSUMES]-(:Consumer)
WITH rc.name AS resource_class, COALESCE(sum(alloc.used), 0) AS used
RETURN collect({resource: resource_class, used: used}) AS usage""",
            ),
        ),
    ),
    Block(
        "get_node_free_resources(node)",
        "660cc6f223e5e2c6",
        (
            Statement(
                "get_node_free_resources",
                """\
// Get free resources on a compute node
MATCH (rp:ResourceProvider {uuid: $node_uuid})
      -[:HAS_INVENTORY]->(inv)
      -[:OF_CLASS]->(rc:ResourceClass)
OPTIONAL MATCH (inv)<-[alloc:CONSUMES]-(:Consumer)
WITH rc.name AS resource_class,
     inv.total AS total,
     inv.reserved AS reserved,
     inv.allocation_ratio AS ratio,
     COALESCE(sum(alloc.used), 0) AS used
WITH resource_class,
     (total - reserved) * ratio AS capacity,
     used
RETURN collect({
  resource: resource_class,
  capacity: capacity,
  used: used,
  free: capacity - used
}) AS resources""",
            ),
        ),
    ),
    Block(
        "migrate_instance(instance, source, destination)",
        "6b99004027f29f55",
        (
            Statement(
                "migrate_instance_in_a_session",
                """\
// Record speculative migration in simulation session
MATCH (s:SimulationSession {id: $session_id})
MATCH (consumer:Consumer {uuid: $instance_uuid})
      -[alloc:CONSUMES]->(inv)
      -[:OF_CLASS]->(rc:ResourceClass)

// Get current resource amounts
WITH s, consumer, collect({resource: rc.name, amount: alloc.used}) AS resources

// Get next sequence
OPTIONAL MATCH (s)-[:HAS_DELTA]->(existing:SpeculativeDelta)
WITH s, consumer, resources, COALESCE(max(existing.sequence), 0) + 1 AS next_seq

// Create MOVE delta
CREATE (s)-[:HAS_DELTA]->(d:SpeculativeDelta {
  sequence: next_seq,
  type: 'MOVE',
  consumer_uuid: consumer.uuid,
  from_provider: $source_node_uuid,
  to_provider: $dest_node_uuid,
  resource_changes: resources,
  created_at: datetime()
})

RETURN d""",
                repaired="""\
MATCH (s:SimulationSession {id: $session_id})
MATCH (consumer:Consumer {uuid: $instance_uuid})
      -[alloc:CONSUMES]->(inv:Inventory)
      -[:OF_CLASS]->(rc:ResourceClass)
WITH s, consumer, rc.name AS resource_class, sum(alloc.used) AS amount
WITH s, consumer, collect(resource_class) AS classes, collect(amount) AS amounts
OPTIONAL MATCH (s)-[:HAS_DELTA]->(existing:SpeculativeDelta)
WITH s, consumer, classes, amounts, COALESCE(max(existing.sequence), 0) + 1 AS next_seq
CREATE (s)-[:HAS_DELTA]->(d:SpeculativeDelta {
  sequence: next_seq,
  type: 'MOVE',
  consumer_uuid: consumer.uuid,
  from_provider: $source_node_uuid,
  to_provider: $dest_node_uuid,
  resource_classes: classes,
  resource_amounts: amounts,
  created_at: datetime()
})
RETURN d
""",
                reason="Neo4j keeps no list of maps in a property: two parallel lists instead",
            ),
        ),
    ),
    Block(
        "migrate_instance(instance, source, destination)",
        "8a6cc2738c1425a0",
        (
            Statement(
                "migrate_instance",
                """\
// Atomic migration in global graph
MATCH (consumer:Consumer {uuid: $instance_uuid})
WHERE consumer.generation = $expected_generation

// Remove old allocations from source
MATCH (consumer)-[old_alloc:CONSUMES]->(old_inv)
      <-[:HAS_INVENTORY]-(source:ResourceProvider {uuid: $source_uuid})
DELETE old_alloc

// Create new allocations on destination
WITH consumer
UNWIND $allocations AS alloc
MATCH (dest:ResourceProvider {uuid: $dest_uuid})
      -[:HAS_INVENTORY]->(inv)
      -[:OF_CLASS]->(:ResourceClass {name: alloc.resource_class})
CREATE (consumer)-[:CONSUMES {used: alloc.used, created_at: datetime()}]->(inv)

// Increment consumer generation
SET consumer.generation = consumer.generation + 1

RETURN consumer""",
                repaired="""\
MATCH (consumer:Consumer {uuid: $instance_uuid})
WHERE consumer.generation = $expected_generation
SET consumer.generation = consumer.generation + 1
WITH consumer
MATCH (consumer)-[old_alloc:CONSUMES]->(:Inventory)
      <-[:HAS_INVENTORY]-(:ResourceProvider {uuid: $source_uuid})
WITH consumer, collect(old_alloc) AS olds
FOREACH (old IN olds | DELETE old)
WITH consumer
UNWIND $allocations AS alloc
MATCH (:ResourceProvider {uuid: $dest_uuid})
      -[:HAS_INVENTORY]->(inv:Inventory)
      -[:OF_CLASS]->(:ResourceClass {name: alloc.resource_class})
CREATE (consumer)-[:CONSUMES {used: alloc.used, created_at: datetime()}]->(inv)
RETURN DISTINCT consumer
""",
                reason="rows multiply: each allocation deleted makes all the new ones again",
            ),
        ),
    ),
    Block(
        "Pool → ResourceProvider (child)",
        "51d1755015510431",
        (
            Statement(
                "picture_of_a_pool",
                """\
(:ResourceProvider {name: 'storage-host'})
-[:PARENT_OF]->(:ResourceProvider {name: 'pool-1'})
-[:HAS_INVENTORY]->(:Inventory)
-[:OF_CLASS]->(:ResourceClass {name: 'DISK_GB'})""",
                repaired="""\
MATCH (:ResourceProvider {name: $storage_host})
  -[:PARENT_OF]->(pool:ResourceProvider {name: $pool_name})
  -[:HAS_INVENTORY]->(:Inventory)
  -[:OF_CLASS]->(:ResourceClass {name: 'DISK_GB'})
RETURN pool
""",
                reason="a picture of the data, not a statement",
            ),
        ),
    ),
    Block(
        "Storage Operations",
        "fe55e0a170933464",
        (
            Statement(
                "get_all_storage_nodes",
                """\
// Get all storage nodes
MATCH (rp:ResourceProvider)
      -[:HAS_TRAIT]->(:Trait {name: 'STORAGE_BACKEND'})
RETURN rp
""",
            ),
            Statement(
                "get_storage_pools",
                """\
// Get pools for a storage node
MATCH (storage:ResourceProvider {name: $storage_host})
      -[:PARENT_OF]->(pool:ResourceProvider)
      -[:HAS_INVENTORY]->(:Inventory)
      -[:OF_CLASS]->(:ResourceClass {name: 'DISK_GB'})
RETURN pool
""",
            ),
            Statement(
                "get_pool_volumes",
                """\
// Get volumes in a pool
MATCH (pool:ResourceProvider {name: $pool_name})
      -[:HAS_INVENTORY]->(inv)
      <-[:CONSUMES]-(volume:Consumer)
WHERE volume.type = 'volume'
RETURN volume""",
            ),
        ),
    ),
    Block(
        "IronicNode → ResourceProvider",
        "fd95bc64bbe2d0ca",
        (
            Statement(
                "picture_of_a_baremetal_node",
                """\
(:ResourceProvider {
  uuid: 'ironic-node-uuid',
  power_state: 'power on',
  maintenance: false
})
-[:HAS_TRAIT]->(:Trait {name: 'COMPUTE_BAREMETAL'})
-[:HAS_INVENTORY]->(:Inventory)
-[:OF_CLASS]->(:ResourceClass {name: 'CUSTOM_BAREMETAL_GOLD'})""",
                repaired="""\
MATCH (rp:ResourceProvider {uuid: $baremetal_uuid})
WHERE (rp)-[:HAS_TRAIT]->(:Trait {name: 'COMPUTE_BAREMETAL'})
MATCH (rp)-[:HAS_INVENTORY]->(:Inventory)
  -[:OF_CLASS]->(:ResourceClass {name: 'CUSTOM_BAREMETAL_GOLD'})
RETURN rp {.uuid, .power_state, .maintenance} AS node
""",
                reason="a picture of the data; inventories hang on the provider, not on a trait",
            ),
        ),
    ),
    Block(
        "Indexes Required",
        "b94caded018c7fe6",
        (
            Statement(
                "index_rp_uuid",
                """\
// Resource provider lookups
CREATE INDEX rp_uuid IF NOT EXISTS FOR (rp:ResourceProvider) ON (rp.uuid);""",
            ),
            Statement(
                "index_rp_name",
                """\
CREATE INDEX rp_name IF NOT EXISTS FOR (rp:ResourceProvider) ON (rp.name);""",
            ),
            Statement(
                "index_consumer_uuid",
                """\

// Consumer lookups
CREATE INDEX consumer_uuid IF NOT EXISTS FOR (c:Consumer) ON (c.uuid);""",
            ),
            Statement(
                "index_rc_name",
                """\

// Resource class lookups
CREATE INDEX rc_name IF NOT EXISTS FOR (rc:ResourceClass) ON (rc.name);""",
            ),
            Statement(
                "index_session_id",
                """\

// Simulation session lookups
CREATE INDEX session_id IF NOT EXISTS FOR (s:SimulationSession) ON (s.id);""",
            ),
        ),
    ),
    Block(
        "Query Optimization",
        "a9ed924f98dc4d2b",
        (
            Statement(
                "get_nodes_with_available_capacity",
                """\
// Prepared: Get nodes with available capacity for resource class
:param resource_class => 'VCPU'
:param min_available => 4

MATCH (rp:ResourceProvider)
      -[:HAS_INVENTORY]->(inv)
      -[:OF_CLASS]->(:ResourceClass {name: $resource_class})
OPTIONAL MATCH (inv)<-[alloc:CONSUMES]-()
WITH rp, inv, COALESCE(sum(alloc.used), 0) AS used
WITH rp, (inv.total - inv.reserved) * inv.allocation_ratio - used AS available
WHERE available >= $min_available
RETURN rp.uuid, available
ORDER BY available DESC""",
                repaired="""\
// Prepared: Get nodes with available capacity for resource class

MATCH (rp:ResourceProvider)
      -[:HAS_INVENTORY]->(inv)
      -[:OF_CLASS]->(:ResourceClass {name: $resource_class})
OPTIONAL MATCH (inv)<-[alloc:CONSUMES]-()
WITH rp, inv, COALESCE(sum(alloc.used), 0) AS used
WITH rp, (inv.total - inv.reserved) * inv.allocation_ratio - used AS available
WHERE available >= $min_available
RETURN rp.uuid, available
ORDER BY available DESC
""",
                reason="`:param` is a command of Neo4j's shell, not Cypher",
            ),
        ),
    ),
)

STATEMENTS = {statement.title: statement for block in BLOCKS for statement in block.statements}
