"""Every Cypher text that the store sends, by name.

Texts are fixed when the module is loaded; only parameters vary at run time. Those of kinds and
references are filled in from the tables of `shape`, so that one form exists of each. All of them
run on Neo4j 5 Community: no APOC, no maps in properties, no existence constraints.
"""

from __future__ import annotations

from typing import Final

from tachyon.graph.entities import KINDS, Inventory, Kind
from tachyon.graph.store.neo4j.shape import LABELS, NAMED, RECORD_KINDS, REFERENCES, Reference

#: Makes the schema; each is run on its own. A uniqueness constraint is also the index that the
#: mapping page asks for, and bears that index's name.
SCHEMA: Final[dict[str, str]] = {
    name: f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR (n:{label}) REQUIRE {what} IS UNIQUE"
    for name, label, what in (
        ("global_state_name", "GlobalState", "n.name"),
        ("rp_uuid", "ResourceProvider", "n.uuid"),
        ("consumer_uuid", "Consumer", "n.uuid"),
        ("absent_consumer_uuid", "AbsentConsumer", "n.uuid"),
        ("inventory_key", "Inventory", "(n.provider_uuid, n.resource_class)"),
        ("rc_name", "ResourceClass", "n.name"),
        ("trait_name", "Trait", "n.name"),
        ("availability_zone_name", "AvailabilityZone", "n.name"),
        ("host_aggregate_name", "HostAggregate", "n.name"),
        ("project_external_id", "Project", "n.external_id"),
        ("flavor_id", "Flavor", "n.id"),
        ("server_group_uuid", "ServerGroup", "n.uuid"),
        ("session_id", "SimulationSession", "n.id"),
        ("audit_uuid", "Audit", "n.uuid"),
        ("change_log_key", "ChangeLogEntry", "(n.generation, n.sequence)"),
    )
} | {
    name: f"CREATE INDEX {name} IF NOT EXISTS FOR (n:{label}) ON (n.{what})"
    for name, label, what in (
        ("rp_name", "ResourceProvider", "name"),
        ("rp_position", "ResourceProvider", "position"),
        ("consumer_position", "Consumer", "position"),
    )
}

# ---------------------------------------------------------------------------- global state

_GLOBAL = {
    # A constraint's index bears the constraint's name.
    "schema_names": "SHOW INDEXES YIELD name RETURN collect(name) AS names",
    "create_global_state": """
MERGE (g:GlobalState {name: 'global'})
ON CREATE SET g.generation = 0, g.position = 0, g.floor = 0, g.lock = true""",
    # Setting a property takes the node's write lock even when the value stays, and then writes
    # nothing. What the lock protects is read by a statement of its own, after the lock is held.
    "lock": "MATCH (g:GlobalState {name: 'global'}) SET g.lock = true",
    "state": """
MATCH (g:GlobalState {name: 'global'})
RETURN g.generation AS generation, g.position AS position, g.floor AS floor""",
    "advance": """
MATCH (g:GlobalState {name: 'global'})
SET g.generation = $generation, g.position = $position, g.floor = $floor""",
    "raise_floor": "MATCH (g:GlobalState {name: 'global'}) SET g.floor = $floor",
}

# ---------------------------------------------------------------------------- reading

_SLICE = """
MATCH (n:{label}) WHERE n.position > $after
WITH n ORDER BY n.position LIMIT $limit"""
_BY_KEY = """
UNWIND $keys AS key
MATCH (n:{label} {{{key}: key}})"""

_INVENTORY = ", ".join(f"i.{name}" for name in Inventory.__struct_fields__)
_PROVIDER_ROWS = f"""
RETURN n.position AS position, properties(n) AS node,
  head([(parent)-[:PARENT_OF]->(n) | parent.uuid]) AS parent_uuid,
  head([(n)-[:LOCATED_IN]->(zone:AvailabilityZone) | zone.name]) AS availability_zone,
  [(n)-[e:MEMBER_OF]->(a:HostAggregate) | [e.position, a.name]] AS aggregates,
  [(n)-[e:HAS_TRAIT]->(t:Trait) | [e.position, t.name]] AS traits,
  [(n)-[:HAS_INVENTORY]->(i:Inventory) | [i.resource_class, {_INVENTORY}]] AS inventories
ORDER BY position"""

_RECORD_ROWS: dict[Kind, str] = {
    "availability_zone": "RETURN n.position AS position, properties(n) AS node",
    "project": "RETURN n.position AS position, properties(n) AS node",
    "server_group": "RETURN n.position AS position, properties(n) AS node",
    "host_aggregate": """RETURN n.position AS position, properties(n) AS node,
  head([(n)-[:LOCATED_IN]->(zone:AvailabilityZone) | zone.name]) AS availability_zone""",
    "flavor": """RETURN n.position AS position, properties(n) AS node,
  [(n)-[:HAS_EXTRA_SPEC]->(x:ExtraSpec) | [x.key, x.value]] AS extra_specs""",
}

# One record of lists: 35 times as cheap to decode as one record per consumer. Milliseconds are
# rounded down, seconds towards the epoch; so microseconds before 1970 come of the former.
_NULLABLE = ("status", "bootable", "attachments", "metadata", "scheduler_hints", "extra")
_CONSUMER_COLUMNS = (
    """
WITH n,
  head([(n)-[:OWNED_BY]->(p:Project) | p.external_id]) AS project_id,
  head([(n)-[:OF_TYPE]->(f:Flavor) | f.id]) AS flavor_id,
  head([(n)-[:MEMBER_OF]->(g:ServerGroup) | g.uuid]) AS server_group,
  head([(n)-[:PINNED_TO]->(z:AvailabilityZone) | z.name]) AS pinned_az,
  n.created_at.epochMillis * 1000 + n.created_at.microsecond % 1000 AS created_at
ORDER BY n.position
RETURN collect(n.position) AS position"""
    + "".join(
        f",\n  collect(n.{name}) AS {name}"
        for name in (
            "uuid",
            "name",
            "type",
            "generation",
            "placed",
            "state",
            "locked",
            "watcher_exclude",
        )
    )
    + "".join(f",\n  collect(coalesce(n.{name}, $none)) AS {name}" for name in _NULLABLE)
    + "".join(
        f",\n  collect(coalesce({name}, $none)) AS {name}"
        for name in ("created_at", "project_id", "flavor_id", "server_group", "pinned_az")
    )
)
_HELD = """,
  collect([(n)-[a:CONSUMES]->(i:Inventory) | [i.provider_uuid, i.resource_class, a.used]])
    AS allocations"""


def _reading(kind: Kind, head: str, tail: str) -> str:
    return head.format(label=LABELS[kind], key=KINDS[kind][1]) + tail


_READING = {
    "providers": _reading("provider", _SLICE, _PROVIDER_ROWS),
    "provider_keys": _reading("provider", _BY_KEY, _PROVIDER_ROWS),
    "consumer_columns": _reading("consumer", _SLICE, _CONSUMER_COLUMNS),
    "consumers": _reading("consumer", _SLICE, _CONSUMER_COLUMNS + _HELD),
    "consumer_keys": _reading("consumer", _BY_KEY, _CONSUMER_COLUMNS + _HELD),
    "allocations": """
MATCH (n:ResourceProvider) WHERE $first <= n.position <= $last
MATCH (n)-[:HAS_INVENTORY]->(i:Inventory)<-[a:CONSUMES]-(c:Consumer)
WITH n.position AS provider, i.resource_class AS resource_class,
  collect(c.position) AS consumers, collect(a.used) AS amounts
RETURN provider, resource_class, consumers, amounts""",
    "children": """
UNWIND $keys AS key
MATCH (:ResourceProvider {uuid: key})-[:PARENT_OF]->(child:ResourceProvider)
RETURN key, collect(child.uuid) AS found""",
    "holders": """
UNWIND $keys AS key
MATCH (:ResourceProvider {uuid: key})-[:HAS_INVENTORY]->(:Inventory)<-[:CONSUMES]-(c:Consumer)
RETURN key, collect(DISTINCT c.uuid) AS found""",
}
for _kind, _tail in _RECORD_ROWS.items():
    _READING[f"{_kind}s"] = (
        f"\nMATCH (n:{LABELS[_kind]}) WHERE n.described\n{_tail} ORDER BY position"
    )
    _READING[f"{_kind}_keys"] = (
        _BY_KEY.format(label=LABELS[_kind], key=KINDS[_kind][1])
        + f" WHERE n.described\n{_tail} ORDER BY position"
    )

# ---------------------------------------------------------------------------- writing


def _link(kind: Kind, reference: Reference) -> str:
    position = " {position: row.position}" if reference.several else ""
    return f"""
UNWIND $rows AS row
MATCH (n:{LABELS[kind]} {{{KINDS[kind][1]}: row.key}})
MERGE (named:{reference.label} {{{reference.key}: row.name}})
CREATE (n)-[:{reference.relationship}{position}]->(named)"""


def _unlink(kind: Kind, reference: Reference) -> str:
    return f"""
UNWIND $rows AS key
MATCH (:{LABELS[kind]} {{{KINDS[kind][1]}: key}})-[e:{reference.relationship}]->(:{reference.label})
DELETE e"""


def _prune(label: str, key: str) -> str:
    described = label in {LABELS[kind] for kind in RECORD_KINDS}
    unless = "n.described IS NULL AND " if described else ""
    return f"""
UNWIND $rows AS key
MATCH (n:{label} {{{key}: key}}) WHERE {unless}NOT (n)--()
DELETE n"""


_WRITING = {
    f"put_{kind}": f"""
UNWIND $rows AS row
MERGE (n:{LABELS[kind]} {{{key}: row.key}})
SET n += row.properties"""
    for kind, (_, key) in KINDS.items()
}
for _kind, _references in REFERENCES.items():
    for _reference in _references:
        _WRITING[f"link_{_kind}_{_reference.field}"] = _link(_kind, _reference)
        _WRITING[f"unlink_{_kind}_{_reference.field}"] = _unlink(_kind, _reference)
for _label, _key in NAMED.items():
    _WRITING[f"prune_{_label}"] = _prune(_label, _key)
for _kind in RECORD_KINDS:
    # The node goes with its last reference (`prune_…`); its properties go now.
    _WRITING[f"remove_{_kind}"] = f"""
UNWIND $rows AS key
MATCH (n:{LABELS[_kind]} {{{KINDS[_kind][1]}: key}})
SET n = {{{KINDS[_kind][1]}: key}}"""
_WRITING |= {
    "put_extra_specs": """
UNWIND $rows AS row
MATCH (f:Flavor {id: row.key})
CREATE (f)-[:HAS_EXTRA_SPEC]->(:ExtraSpec {key: row.name, value: row.value})""",
    "remove_extra_specs": """
UNWIND $rows AS key
MATCH (:Flavor {id: key})-[:HAS_EXTRA_SPEC]->(x:ExtraSpec)
DETACH DELETE x""",
    "link_parent": """
UNWIND $rows AS row
MATCH (n:ResourceProvider {uuid: row.key})
MATCH (parent:ResourceProvider {uuid: row.name})
CREATE (parent)-[:PARENT_OF]->(n)""",
    "unlink_parent": """
UNWIND $rows AS key
MATCH (:ResourceProvider {uuid: key})<-[e:PARENT_OF]-(:ResourceProvider)
DELETE e""",
    "positions_provider": """
UNWIND $keys AS key
MATCH (n:ResourceProvider {uuid: key})
RETURN collect([key, n.position]) AS positions""",
    "positions_consumer": """
UNWIND $keys AS key
MATCH (n:Consumer {uuid: key})
RETURN collect([key, n.position]) AS positions""",
    "remove_provider": """
UNWIND $rows AS key
MATCH (n:ResourceProvider {uuid: key})
OPTIONAL MATCH (n)-[:HAS_INVENTORY]->(i:Inventory)
DETACH DELETE i, n""",
    "create_inventory": """
UNWIND $rows AS row
MATCH (n:ResourceProvider {uuid: row.provider})
MERGE (class:ResourceClass {name: row.resource_class})
CREATE (n)-[:HAS_INVENTORY]->(i:Inventory
  {provider_uuid: row.provider, resource_class: row.resource_class})-[:OF_CLASS]->(class)
SET i += row.properties""",
    "change_inventory": """
UNWIND $rows AS row
MATCH (i:Inventory {provider_uuid: row.provider, resource_class: row.resource_class})
SET i += row.properties""",
    "remove_inventory": """
UNWIND $rows AS row
MATCH (i:Inventory {provider_uuid: row.provider, resource_class: row.resource_class})
DETACH DELETE i""",
    # A consumer that something was attached to before it was known takes over that node.
    "adopt_consumer": """
UNWIND $rows AS key
MATCH (n:AbsentConsumer {uuid: key})
SET n:Consumer
REMOVE n:AbsentConsumer""",
    # Outgoing relationships are all its own; incoming ones are attachments of others.
    "detach_consumer": """
UNWIND $rows AS key
MATCH (:Consumer {uuid: key})-[e]->()
DELETE e""",
    "remove_consumer": """
UNWIND $rows AS key
MATCH (n:Consumer {uuid: key})
SET n = {uuid: key}
SET n:AbsentConsumer
REMOVE n:Consumer""",
    "attach": """
UNWIND $rows AS row
MATCH (n:Consumer {uuid: row.key})
MATCH (to:Consumer {uuid: row.name})
CREATE (n)-[:ATTACHED_TO {attachment_id: row.attachment_id}]->(to)""",
    "attach_absent": """
UNWIND $rows AS row
MATCH (n:Consumer {uuid: row.key})
WHERE NOT EXISTS { MATCH (:Consumer {uuid: row.name}) }
MERGE (to:AbsentConsumer {uuid: row.name})
CREATE (n)-[:ATTACHED_TO {attachment_id: row.attachment_id}]->(to)""",
    "detach": """
UNWIND $rows AS key
MATCH (:Consumer {uuid: key})-[e:ATTACHED_TO]->()
DELETE e""",
    "allocate": """
UNWIND $rows AS row
MATCH (c:Consumer {uuid: row.consumer})
MATCH (i:Inventory {provider_uuid: row.provider, resource_class: row.resource_class})
CREATE (c)-[:CONSUMES {used: row.used, created_at: datetime()}]->(i)""",
    "reallocate": """
UNWIND $rows AS row
MATCH (:Consumer {uuid: row.consumer})-[a:CONSUMES]->(i:Inventory)
WHERE i.provider_uuid = row.provider AND i.resource_class = row.resource_class
SET a.used = row.used""",
    "deallocate": """
UNWIND $rows AS row
MATCH (:Consumer {uuid: row.consumer})-[a:CONSUMES]->(i:Inventory)
WHERE i.provider_uuid = row.provider AND i.resource_class = row.resource_class
DELETE a""",
}

# ---------------------------------------------------------------------------- change log

# The index on generation and sequence is used only where both are asked for.
_LOG = {
    "log": """
UNWIND $rows AS row
CREATE (e:ChangeLogEntry)
SET e = row""",
    "changes": """
MATCH (e:ChangeLogEntry) WHERE $after < e.generation <= $last AND e.sequence >= 0
WITH e ORDER BY e.generation, e.sequence LIMIT $limit
RETURN collect([e.generation, e.kind, e.key, e.before, e.after, e.position]) AS entries""",
    "log_size": """
MATCH (e:ChangeLogEntry) WHERE e.generation = $generation AND e.sequence >= 0
RETURN count(e) AS size""",
    "removed": """
MATCH (e:ChangeLogEntry)
WHERE e.generation > $after AND e.sequence >= 0 AND e.after IS NULL
RETURN collect([e.kind, e.key]) AS removed""",
    "forget": """
MATCH (e:ChangeLogEntry) WHERE e.generation <= $floor AND e.sequence >= 0
WITH e LIMIT $limit
DELETE e
RETURN count(*) AS forgotten""",
    "oldest_base": """
MATCH (s:SimulationSession {status: 'active'})
RETURN min(s.base_generation) AS base""",
}

# ---------------------------------------------------------------------------- sessions

_SESSION_ROW = """
RETURN properties(s) AS node, head([(s)-[:FOR_AUDIT]->(a:Audit) | a.uuid]) AS audit_uuid"""

_SESSIONS = {
    "create_session": "CREATE (s:SimulationSession {id: $id}) SET s += $properties",
    "link_audit": """
MATCH (s:SimulationSession {id: $id})
MERGE (a:Audit {uuid: $audit_uuid})
CREATE (s)-[:FOR_AUDIT]->(a)""",
    "lock_session": "MATCH (s:SimulationSession {id: $id}) SET s.lock = true",
    "session": "MATCH (s:SimulationSession {id: $id})" + _SESSION_ROW,
    "sessions": """
MATCH (s:SimulationSession)
WHERE ($status IS NULL OR s.status = $status)
  AND ($audit_uuid IS NULL OR EXISTS { MATCH (s)-[:FOR_AUDIT]->(:Audit {uuid: $audit_uuid}) })"""
    + _SESSION_ROW
    + ", s.created_at AS created_at ORDER BY created_at, s.id",
    "update_session": "MATCH (s:SimulationSession {id: $id}) SET s += $properties",
    "lapsed_sessions": """
MATCH (s:SimulationSession {status: 'active'}) WHERE s.expires_at <= $now
RETURN s.id AS id ORDER BY id""",
    "add_deltas": """
MATCH (s:SimulationSession {id: $id})
UNWIND $rows AS row
CREATE (s)-[:HAS_DELTA]->(d:SpeculativeDelta {created_at: datetime()})
SET d += row""",
    # What a move or deallocation concerns, as far as the graph knows: all that the consumer holds.
    "fill_deltas": """
MATCH (:SimulationSession {id: $id})-[:HAS_DELTA]->(d:SpeculativeDelta)
WHERE d.sequence > $after AND d.type IN ['MOVE', 'DEALLOCATE']
MATCH (:Consumer {uuid: d.consumer_uuid})-[a:CONSUMES]->(i:Inventory)
WITH d, i.resource_class AS resource_class, sum(a.used) AS amount ORDER BY resource_class
WITH d, collect(resource_class) AS classes, collect(amount) AS amounts
SET d.resource_classes = classes, d.resource_amounts = amounts""",
    "deltas": """
MATCH (:SimulationSession {id: $id})-[:HAS_DELTA]->(d:SpeculativeDelta)
WHERE d.sequence > $after
WITH d ORDER BY d.sequence
RETURN collect(d.body) AS bodies""",
    "drop_deltas": """
MATCH (:SimulationSession {id: $id})-[:HAS_DELTA]->(d:SpeculativeDelta)
WHERE d.sequence > $after
DETACH DELETE d""",
    "delete_session": """
MATCH (s:SimulationSession {id: $id})
OPTIONAL MATCH (s)-[:HAS_DELTA]->(d:SpeculativeDelta)
DETACH DELETE d, s""",
    # Locked first: a session for the same audit may come into being right now.
    "prune_audit": """
MATCH (a:Audit {uuid: $audit_uuid})
SET a.lock = true
WITH a WHERE NOT (a)--()
DELETE a""",
}

STATEMENTS: Final[dict[str, str]] = {
    name: text.strip()
    for group in (SCHEMA, _GLOBAL, _READING, _WRITING, _LOG, _SESSIONS)
    for name, text in group.items()
}
