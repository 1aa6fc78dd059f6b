"""Topics of the message bus; and without one, what clients ask for is done all the same."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from oslo_config import cfg

from tachyon.control.api.server import running
from tachyon.control.applier.service import applier
from tachyon.control.engine.service import decision_engine
from tachyon.control.notifications import Notifier
from tachyon.control.objects import Database, Objects
from tachyon.control.parts import Parts
from tachyon.control.rpc import ApplierClient, DecisionEngineClient, open_transport
from tachyon.errors import NotFound, ServiceUnavailable
from tachyon.graph.generator import generate
from tests.control.api.conftest import Api, configuration
from tests.control.services.test_all_in_one import LONG
from tests.control.world import World, fill
from tests.waiting import PATIENCE, until

#: Seconds that a request may take longer because nobody listens where the bus should be.
DELAY = 10.0
SHORT = {"goal": "dummy", "strategy": "dummy", "parameters": {"para1": 1.0}}


@pytest.fixture
def away() -> Iterator[str]:
    """The URL of a broker that is not there."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))  # nobody listens, and nobody else gets the port
        yield f"rabbit://guest:guest@127.0.0.1:{kept.getsockname()[1]}/"


@pytest.fixture
def conf(tmp_path: Path, away: str) -> cfg.ConfigOpts:
    url = f"sqlite:///{tmp_path}/control.db"
    fill(url)
    conf = configuration(
        url,
        f"sqlite:///{tmp_path}/graph.db",
        watcher_decision_engine__continuous_audit_interval=0.2,
        watcher_applier__interval=0.2,
        watcher_applier__workers=4,
    )
    open_transport(conf, away).cleanup()  # makes the library's options known
    conf.set_override("transport_url", away)
    return conf


def test_sending_to_a_bus_that_is_away_ends_soon(conf: cfg.ConfigOpts, away: str) -> None:
    """Casts, calls and notifications; the library's own default is to try for ever."""
    transport = open_transport(conf, away)
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        ApplierClient(transport, "appliers").launch_action_plan(action_plan_uuid="x")
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        ApplierClient(transport, "appliers").cancel_action_plan(action_plan_uuid="x")
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        DecisionEngineClient(transport, "engines").get_strategy_info(strategy_name="x")
    Notifier.of(conf)
    conf.set_override("driver", ["messagingv2"], group="oslo_messaging_notifications")
    notifier = Notifier.of(conf)
    notifier.exception(ValueError("nobody hears this"))
    assert time.monotonic() - began < 4 * DELAY


def test_services_are_called_on_the_topic_that_they_are_given(
    conf: cfg.ConfigOpts,
) -> None:
    """Two clouds may share one bus; Watcher's option."""
    conf.set_override("transport_url", "fake://")
    conf.set_override("control_exchange", "topics")
    for group, topic in (("watcher_decision_engine", "a.engine"), ("watcher_applier", "a.applier")):
        conf.set_override("conductor_topic", topic, group=group)
    transport = open_transport(conf)
    Parts(conf).graph.synchronise(generate(hosts=2, instances=2, seed=1).cluster)
    with decision_engine(Parts(conf), health=False), applier(Parts(conf), health=False):
        ours = DecisionEngineClient(transport, "a.engine")
        assert ours.get_strategy_info(strategy_name="dummy")
        with pytest.raises(NotFound):
            ApplierClient(transport, "a.applier").rollback_action_plan(
                action_plan_uuid=str(uuid4())
            )
        for topic in ("b.engine", "watcher.decision.control", "a.applier"):
            with pytest.raises(ServiceUnavailable):
                DecisionEngineClient(transport, topic, timeout=0.5).get_strategy_info(
                    strategy_name="dummy"
                )


@pytest.mark.integration
def test_without_a_bus_clients_are_answered_and_work_is_found(conf: cfg.ConfigOpts) -> None:
    """Audits run, plans start and are cancelled, within the services' looks; services stop."""
    objects = Objects(Database(conf.database.connection))
    parts = Parts(conf)
    parts.graph.synchronise(generate(hosts=2, instances=2, seed=1).cluster)

    def waited(api: Api, method: str, path: str, body: Any = None) -> Any:
        began = time.monotonic()
        answer = api.ok(method, path, body)
        assert time.monotonic() - began < DELAY
        return answer

    def state(path: str) -> str:
        return str(api.ok("GET", path)["state"])

    with ExitStack() as stack:
        api = Api(stack.enter_context(running(conf)))
        for service in (decision_engine(Parts(conf), health=False), applier(parts, health=False)):
            stack.enter_context(service)
        audits = [
            waited(api, "POST", "/v1/audits", asked)
            for asked in (
                {"audit_type": "ONESHOT", **SHORT},
                {"audit_type": "ONESHOT", **LONG},
                {"audit_type": "EVENT", **SHORT},
            )
        ]
        waited(api, "POST", f"/v1/webhooks/{audits[2]['uuid']}", {})
        plans = []
        for audit in audits:
            until(lambda: state(f"/v1/audits/{audit['uuid']}") == "SUCCEEDED")  # noqa: B023
            found = api.ok("GET", f"/v1/action_plans?audit_uuid={audit['uuid']}")
            plans.append(f"/v1/action_plans/{found['action_plans'][0]['uuid']}")
        for path in plans:
            waited(api, "POST", f"{path}/start")
        until(lambda: state(plans[1]) == "ONGOING")
        cancel = [{"op": "replace", "path": "/state", "value": "CANCELLING"}]
        waited(api, "PATCH", plans[1], cancel)
        until(lambda: state(plans[1]) == "CANCELLED")
        until(lambda: state(plans[0]) == state(plans[2]) == "SUCCEEDED")
        # What needs an answer from another service says that there is none.
        assert "bus" in api.fails(503, "GET", "/v1/strategies/dummy/state")
        stopping = threading.Thread(target=stack.close)
        stopping.start()
        stopping.join(30)
        assert not stopping.is_alive(), "a service that waits for the bus can be stopped"
    objects.close()


def test_an_event_is_run_once_however_often_it_is_told(world: World) -> None:
    """By message, by look, and by two engines that look."""
    audit = world.audit("dummy", audit_type="EVENT")
    world.event(audit)
    engines = [world.engine(host) for host in ("one", "two")]
    for _ in range(2):
        for engine in engines:
            engine.trigger_audit(audit_uuid=audit.uuid)
            engine.look()
            assert engine.join(PATIENCE)
    assert len(world.plans(audit)) == 1
    after = world.objects.audits.get(audit.uuid)
    assert (after.state, after.next_run_time) == ("SUCCEEDED", None)
