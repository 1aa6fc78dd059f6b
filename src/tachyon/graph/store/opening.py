"""Which store a URL names. Stores are plug-ins of the entry point group `tachyon.stores`."""

from __future__ import annotations

from typing import cast

from tachyon.errors import ConfigurationError
from tachyon.graph.store.contract import Store

NEO4J_SCHEMES = ("bolt", "neo4j", "bolt+s", "bolt+ssc", "neo4j+s", "neo4j+ssc")


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store behind `url` and, with `create`, bring its schema up to date.

    `sqlite:///graph.db` (the embedded default; `sqlite://` is in memory), `postgresql://…`,
    `mariadb://…` or `mysql://…` open the SQL store, `bolt://…` and `neo4j://…` the Neo4j store.

    Raises:
        ConfigurationError: the URL names no known store, or its driver is not installed.
        StoreUnavailable: the server cannot be reached.
    """
    from stevedore import driver as plugins

    scheme = url.split(":", 1)[0]
    name = "neo4j" if scheme in NEO4J_SCHEMES else "sql"
    try:
        manager = plugins.DriverManager("tachyon.stores", name, invoke_on_load=False)
    except (ImportError, RuntimeError) as error:
        raise ConfigurationError(
            f"no store for {scheme}:// URLs can be loaded: {error}", scheme=scheme
        ) from error
    store = cast(type[Store], manager.driver).open(url)
    if create:
        store.create_schema()
    return store
