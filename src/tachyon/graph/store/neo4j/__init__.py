"""The store on Neo4j; needs the extra `neo4j`."""

from tachyon.graph.store.neo4j.statements import STATEMENTS
from tachyon.graph.store.neo4j.store import Neo4jStore

__all__ = ["STATEMENTS", "Neo4jStore"]
