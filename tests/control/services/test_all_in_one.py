"""The whole control plane in one process: an audit asked for over HTTP ends in a changed cloud."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from oslo_config import cfg

from tachyon import conf as options
from tachyon.cli.all_in_one import emulated
from tachyon.control.all_in_one import AllInOne, in_folder
from tachyon.graph.cluster_file import write_cluster_file
from tachyon.graph.generator import generate
from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import Emulator
from tachyon.openstack.emulator.durations import Durations
from tests.waiting import until

pytestmark = pytest.mark.integration

CONTENT = generate(hosts=6, instances=24, skew=0.8, seed=3)
#: An audit whose plan is not over before the test is.
LONG: dict[str, Any] = {
    "goal": "unclassified",
    "strategy": "actuator",
    "parameters": {
        "actions": [{"action_type": "sleep", "input_parameters": {"duration": 3600}}],
    },
}
FAST = Durations(live_migration=0.1, cold_migration=0.1, step=0.005)


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "OpenStack-API-Version": "infra-optim 1.8"}
    request = urllib.request.Request(f"{url}/v1{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        error.add_note(error.read().decode())
        raise
    return json.loads(text) if text else None


def ended(url: str, path: str) -> Any:
    final = ("SUCCEEDED", "FAILED", "CANCELLED")
    until(lambda: call(url, "GET", path)["state"] in final, pause=0.05)
    return call(url, "GET", path)


def until_filled(url: str, *models: str) -> None:
    """Wait for the first synchronisation of models."""
    for model in models:
        path = f"/data_model?data_model_type={model}"
        until(lambda path=path: call(url, "GET", path)["context"], pause=0.05)  # type: ignore[misc]


def plan_of(url: str, **audit: Any) -> Any:
    """Ask for an audit and return its plan, recommended."""
    made = call(url, "POST", "/audits", {"audit_type": "ONESHOT", **audit})
    done = ended(url, f"/audits/{made['uuid']}")
    assert (done["state"], done["status_message"]) == ("SUCCEEDED", None)
    (plan,) = call(url, "GET", f"/action_plans?audit_uuid={made['uuid']}")["action_plans"]
    return plan


def start(url: str, plan: Any) -> Any:
    path = f"/action_plans/{plan['uuid']}"
    call(url, "POST", f"{path}/start", {})
    return ended(url, path)


def ask_often(conf: cfg.ConfigOpts) -> None:
    """Let the applier see soon what has ended, and wait for a minute all the same."""
    for work in ("migration", "power", "stop", "volume", "graph"):
        conf.set_override(f"{work}_interval", 0.05, group="watcher_applier")
        conf.set_override(f"{work}_max_retries", 1200, group="watcher_applier")


class Running(NamedTuple):
    url: str
    emulator: Emulator
    graph: str


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Running]:
    conf = options.load()
    in_folder(conf, tmp_path)
    conf.set_override("enable_authentication", False)
    conf.set_override("port", 0, group="api")
    ask_often(conf)
    with emulated(conf, CONTENT, FAST) as cloud, AllInOne(conf) as services:
        yield Running(services.url, cloud, conf.graph.url)


def test_a_consolidation_empties_hosts_of_the_cloud_and_is_taken_back(services: Running) -> None:
    url = services.url
    with connect(cloud=services.emulator.name, clouds_file=services.emulator.clouds_yaml) as cloud:

        def placement() -> dict[str, str]:
            return {s["id"]: s["OS-EXT-SRV-ATTR:host"] for s in queries.servers(cloud)}

        until_filled(url, "compute")
        before = placement()
        plan = plan_of(url, goal="server_consolidation", strategy="consolidation")
        done = start(url, plan)
        assert (done["state"], done["status_message"]) == ("SUCCEEDED", None)
        after = placement()
        released = set(before.values()) - set(after.values())
        assert released
        disabled = {s["host"] for s in queries.compute_services(cloud) if s["status"] == "disabled"}
        assert released <= disabled
        moves = [
            a
            for a in call(url, "GET", f"/actions/detail?action_plan_uuid={plan['uuid']}")["actions"]
            if a["action_type"] == "migrate"
        ]
        moved = {a["input_parameters"]["resource_id"] for a in moves}
        assert moved == {uuid for uuid in before if before[uuid] != after[uuid]}

        back = call(url, "POST", f"/action_plans/{plan['uuid']}/rollback", {})
        assert ended(url, f"/action_plans/{back['uuid']}")["state"] == "SUCCEEDED"
        assert placement() == before


def test_cancelling_over_http_interrupts_at_once(services: Running) -> None:
    url = services.url
    plan = plan_of(url, **LONG)
    path = f"/action_plans/{plan['uuid']}"
    call(url, "POST", f"{path}/start", {})

    def states() -> list[str]:
        actions = call(url, "GET", f"/actions?action_plan_uuid={plan['uuid']}")["actions"]
        return [a["state"] for a in actions]

    until(lambda: states() == ["ONGOING"])
    patch = [{"op": "replace", "path": "/state", "value": "CANCELLING"}]
    call(url, "PATCH", path, patch)
    assert ended(url, path)["state"] == "CANCELLED"
    assert states() == ["CANCELLED"]


def test_the_command_serves_until_sigterm(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.json"
    write_cluster_file(cluster, CONTENT)
    command = ["all-in-one", "--port", "0", "--folder", str(tmp_path / "data")]
    command += ["--emulate", str(cluster)]
    code = f"import sys; from tachyon.cli.main import run; sys.exit(run({command!r}))"
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "it ended before it served"
            found = re.search(r"infra-optim API on (\S+)", line)
        plan = plan_of(found[1], goal="dummy", strategy="dummy", parameters={"para1": 1.0})
        assert plan["state"] == "RECOMMENDED"
        names = {s["name"] for s in call(found[1], "GET", "/services")["services"]}
        assert names >= {"watcher-decision-engine", "watcher-applier"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        # What an operator finds in the log: when, and what came of which audit.
        told = rf"^\d{{4}}-\d\d-\d\d [\d:.]+ \d+ INFO tachyon\.\S+ .*plan {plan['uuid']}"
        assert re.search(told, log.read_text(), re.MULTILINE)
    finally:
        process.kill()
        process.wait()
