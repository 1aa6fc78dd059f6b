"""The API behind a Keystone that lists it, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachyon.control.api.server import running
from tachyon.control.objects import Database, Objects, migrations
from tachyon.control.rpc import open_transport, serve
from tachyon.control.synchronisation import synchronise
from tachyon.graph.client import connect
from tests.conformance.cluster import host, instance
from tests.control.api.conftest import Applier, Bus, Engine, configuration
from tests.interop_control.client import Client
from tests.service.keystone import Keystone

_URL = "http://127.0.0.1:{port}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


class Cloud(Keystone):
    """A Keystone whose catalog names the API."""

    api = ""

    def issue(self, user: str, *, system: bool = False) -> str:
        token = super().issue(user, system=system)
        endpoints = [
            {"id": f"o-{kind}", "interface": kind, "region": "r", "region_id": "r", "url": self.api}
            for kind in ("public", "internal", "admin")
        ]
        self.tokens[token]["token"]["catalog"].append(
            {"id": "o", "type": "infra-optim", "name": "watcher", "endpoints": endpoints}
        )
        return token


class Stack:
    """What the tests of a module talk to."""

    def __init__(self, keystone: Cloud, objects: Objects, bus: Bus) -> None:
        self.keystone = keystone
        self.objects = objects
        self.bus = bus


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("interop")
    control, graph = (f"sqlite:///{directory / name}.db" for name in ("control", "graph"))
    with Cloud() as keystone, connect(graph) as client:
        client.put_provider(host("host-1"))
        client.put_consumer(instance("vm-1", "host-1"))
        conf = configuration(control, graph, enable_authentication=True)
        authenticate(conf, keystone.url)
        database = Database.of(conf)
        migrations.upgrade(database)
        objects = Objects(database)
        synchronise(objects)
        transport = open_transport(conf, "fake://")
        bus = Bus(transport)
        servers: list[Any] = [
            serve(transport, conf.watcher_decision_engine.conductor_topic, "engine", Engine(bus)),
            serve(transport, conf.watcher_applier.conductor_topic, "applier", Applier(bus)),
        ]
        for server in servers:
            server.start()
        with running(conf, objects=objects, transport=transport, graph=client) as url:
            keystone.api = url
            yield Stack(keystone, objects, bus)
        for server in servers:
            server.stop()
            server.wait()
        objects.close()


def authenticate(conf: Any, auth_url: str) -> None:
    """Let a configuration's API ask a Keystone who its callers are."""
    from keystoneauth1 import loading
    from keystonemiddleware import auth_token

    group = "keystone_authtoken"
    for _, options in auth_token.list_opts():
        conf.register_opts(options, group=group)
    loading.register_auth_conf_options(conf, group)
    conf.register_opts(loading.get_auth_plugin_conf_options("password"), group=group)
    for name, value in {
        "auth_type": "password",
        "auth_url": auth_url,
        "www_authenticate_uri": auth_url,
        "username": "service-user",
        "password": "secret",
        "project_name": "p",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }.items():
        conf.set_override(name, value, group=group)


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    made = Client(stack.keystone.url, "root")
    yield made
    made.close()


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Iterator[Client]:
    """A client of somebody without the role that the policy asks for."""
    made = Client(stack.keystone.url, "member")
    yield made
    made.close()
