"""The API over HTTP, on a database of its own, with the other services at the end of a bus."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from tachyon import conf as options
from tachyon.control.api.server import running
from tachyon.control.objects import Database, Objects
from tachyon.control.rpc import open_transport, serve
from tachyon.control.rpc.transport import Client
from tachyon.errors import NotFound
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.mutations import Cluster
from tests.control.databases import BACKENDS, Clock, Scene, database_url, empty
from tests.control.objects.examples import World, world
from tests.service.raw import Answer, request

LATEST = "infra-optim latest"
#: By group of options, the topics that the API calls the other services on.
TOPICS = {"watcher_decision_engine": "api-tests.engine", "watcher_applier": "api-tests.applier"}


class Bus:
    """What the services behind the API were told, and what they answer.

    They stand at the other end of a real bus: calls go through the clients and the library.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.told: list[tuple[str, str]] = []
        self.answers: dict[str, Any] = {}
        self._arrived = threading.Condition()

    def tell(self, method: str, about: str) -> None:
        with self._arrived:
            self.told.append((method, about))
            self._arrived.notify_all()

    def forget(self) -> None:
        """Forget what was told, once all that was sent so far has come.

        Tests that wait for none of their messages would leave them to the next one. The bus keeps
        their order, and the servers take them one by one, so an answer means that all have come.
        """
        for topic in TOPICS.values():
            Client(self._transport, topic, timeout=30).call("come_last")
        self.told.clear()

    def wait_for(self, *expected: tuple[str, str]) -> None:
        """Wait until exactly these messages have come, in order."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.told) >= len(expected), 30), self.told
            assert self.told == list(expected)

    def wait_until(self, method: str, about: str) -> None:
        """Wait until a message has come, whatever else has."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: (method, about) in self.told, 30), self.told


class Service:
    """What both services behind the API have in common."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def come_last(self) -> None:
        """Answer, after all that came before."""


class Engine(Service):
    """A decision engine that answers what it is told to."""

    def trigger_audit(self, *, audit_uuid: str) -> None:
        self._bus.tell("trigger_audit", audit_uuid)

    def get_strategy_info(self, *, strategy_name: str) -> list[dict[str, Any]]:
        if "strategy" not in self._bus.answers:
            raise NotFound(f"no strategy {strategy_name} is installed")
        return self._bus.answers["strategy"]  # type: ignore[no-any-return]

    def dry_run_audit(self, *, audit_uuid: str) -> dict[str, Any]:
        if "dry_run" not in self._bus.answers:
            raise RuntimeError("a defect")
        return {"audit": audit_uuid, **self._bus.answers["dry_run"]}


class Applier(Service):
    """An applier that answers what it is told to."""

    def launch_action_plan(self, *, action_plan_uuid: str) -> None:
        self._bus.tell("launch_action_plan", action_plan_uuid)

    def cancel_action_plan(self, *, action_plan_uuid: str) -> None:
        self._bus.tell("cancel_action_plan", action_plan_uuid)

    def rollback_action_plan(self, *, action_plan_uuid: str) -> str:
        self._bus.tell("rollback_action_plan", action_plan_uuid)
        return self._bus.answers["rollback"]  # type: ignore[no-any-return]


class Api:
    """The API as a client sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = LATEST,
        **headers: str,
    ) -> Answer:
        """Send a request; `x_roles="member"` is the header X-Roles."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if version is not None:
            version = version if " " in version else f"infra-optim {version}"
            sent["OpenStack-API-Version"] = version
        return request(self.url, method, path, body, sent)

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send a request that must succeed; return the body of the answer."""
        answer = self(method, path, body, **more)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return answer.body

    def fails(self, status: int, method: str, path: str, body: Any = None, **more: Any) -> str:
        """Send a request that must fail; return the reason, found where clients look for it."""
        answer = self(method, path, body, **more)
        assert answer.status == status, (method, path, answer.status, answer.body)
        return fault(answer)


def fault(answer: Answer) -> str:
    """Return the reason in an error's body."""
    assert answer.body.keys() == {"error_message"}
    said = json.loads(answer.body["error_message"])
    if said.keys() == {"code", "title", "description"}:
        assert said["code"] == answer.status
        return str(said["description"])
    assert said.keys() == {"faultcode", "faultstring", "debuginfo"}
    assert said["faultcode"] == ("Client" if answer.status < 500 else "Server")
    return str(said["faultstring"])


#: Modules whose requests meet every database; what the others ask of one, the collections' own
#: tests hold on all.
_EVERYWHERE = {"test_hostile_input.py", "test_paging.py"}

_SERVERS = ("postgresql", "mariadb")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run most modules on SQLite alone."""
    here = Path(__file__).parent
    gone = [
        item
        for item in items
        if item.path.parent == here
        and item.path.name not in _EVERYWHERE
        and any(
            name in item.name for name in ("[postgresql", "[mariadb", "-postgresql", "-mariadb")
        )
    ]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in set(gone)]


@pytest.fixture(scope="package", params=BACKENDS)
def control_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with database_url(request, request.param, tmp_path_factory.mktemp("control")) as url:
        yield url


@pytest.fixture(scope="package")
def graph_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('graph') / 'graph.db'}"


def configuration(control_url: str, graph_url: str, **given: Any) -> cfg.ConfigOpts:
    """Return the options of an API for whoever comes, with others by `group__option`."""
    conf = options.load()
    conf.set_override("connection", control_url, group="database")
    conf.set_override("sqlite_synchronous", False, group="database")
    conf.set_override("url", graph_url, group="graph")
    conf.set_override("port", 0, group="api")
    conf.set_override("rpc_timeout", 30.0, group="api")
    conf.set_override("enable_authentication", False)
    for name, value in given.items():
        group, _, option = name.rpartition("__")
        conf.set_override(option, value, group=group or None)
    return conf


@pytest.fixture(scope="package")
def served(control_url: str, graph_url: str) -> Iterator[tuple[str, Objects, Bus, Clock]]:
    """The API, its database, the bus and the clock, for all tests of this package."""
    conf, clock = configuration(control_url, graph_url, api__max_limit=50), Clock()
    for group, topic in TOPICS.items():
        conf.set_override("conductor_topic", topic, group=group)
    objects = Objects(Database.of(conf, clock=clock))
    open_transport(conf, "fake://").cleanup()  # makes the library's options known
    # All transports of a process to `fake://` are one bus: without an exchange of their own, these
    # servers would take calls that are meant for real services of other tests.
    conf.set_override("control_exchange", "api-tests")
    transport = open_transport(conf, "fake://")
    bus = Bus(transport)
    servers = [
        serve(transport, TOPICS["watcher_decision_engine"], "engine", Engine(bus)),
        serve(transport, TOPICS["watcher_applier"], "applier", Applier(bus)),
    ]
    for server in servers:
        server.start(override_pool_size=1)
    with running(conf, objects=objects, transport=transport) as url:
        yield url, objects, bus, clock
    for server in servers:
        server.stop()
        server.wait()
    objects.close()


@pytest.fixture
def api(served: tuple[str, Objects, Bus, Clock]) -> Api:
    """The API on an empty database."""
    url, objects, bus, clock = served
    empty(objects.database)
    bus.answers.clear()
    clock.__init__()  # type: ignore[misc]
    return Api(url)


@pytest.fixture
def objects(api: Api, served: tuple[str, Objects, Bus, Clock]) -> Objects:
    return served[1]


@pytest.fixture
def bus(api: Api, served: tuple[str, Objects, Bus, Clock]) -> Bus:
    served[2].forget()
    return served[2]


@pytest.fixture
def clock(api: Api, served: tuple[str, Objects, Bus, Clock]) -> Clock:
    return served[3]


def _two_worlds(objects: Objects) -> World:
    found = world(objects)
    world(objects, "other")
    return found


_SCENE = Scene(_two_worlds)


@pytest.fixture
def here(objects: Objects) -> World:
    """A goal `dummy` with strategy, audit and plan, beside a goal `other` with the same."""
    return _SCENE.set(objects)


@pytest.fixture
def graph(graph_url: str) -> Iterator[GraphClient]:
    """The graph that the API reads, emptied."""
    with connect(graph_url) as client:
        client.synchronise(Cluster())
        yield client
