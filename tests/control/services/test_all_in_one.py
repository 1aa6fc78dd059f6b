"""The whole control plane in one process: an audit asked for over HTTP ends in a changed cloud."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tachyon import conf as options
from tachyon.cli.all_in_one import emulated
from tachyon.control.all_in_one import AllInOne, in_folder
from tachyon.graph.cluster_file import write_cluster_file
from tachyon.graph.generator import generate
from tachyon.openstack.collectors import queries
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import Emulator
from tachyon.openstack.emulator.durations import Durations

pytestmark = pytest.mark.integration

CONTENT = generate(hosts=6, instances=24, skew=0.8, seed=3)
FAST = Durations(live_migration=0.1, cold_migration=0.1, step=0.005)


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "OpenStack-API-Version": "infra-optim 1.8"}
    request = urllib.request.Request(f"{url}/v1{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def ended(url: str, path: str, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = call(url, "GET", path)
        if found["state"] in ("SUCCEEDED", "FAILED", "CANCELLED", "RECOMMENDED"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{path} has not ended: {found}")


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
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = call(url, "GET", path)
        if found["state"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
            return found
        time.sleep(0.05)
    raise AssertionError("the plan has not ended")


class Running(NamedTuple):
    url: str
    emulator: Emulator


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Running]:
    conf = options.load()
    in_folder(conf, tmp_path)
    conf.set_override("enable_authentication", False)
    conf.set_override("port", 0, group="api")
    conf.set_override("migration_interval", 0.05, group="watcher_applier")
    with emulated(conf, CONTENT, FAST) as cloud, AllInOne(conf) as services:
        yield Running(services.url, cloud)


def test_a_consolidation_empties_hosts_of_the_cloud_and_is_taken_back(services: Running) -> None:
    url = services.url
    with connect(cloud=services.emulator.name, clouds_file=services.emulator.clouds_yaml) as cloud:

        def placement() -> dict[str, str]:
            return {s["id"]: s["OS-EXT-SRV-ATTR:host"] for s in queries.servers(cloud)}

        deadline = time.monotonic() + 30
        while not call(url, "GET", "/data_model")["context"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
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
    plan = plan_of(url, goal="dummy", strategy="dummy", parameters={"para1": 10.0})
    path = f"/action_plans/{plan['uuid']}"
    call(url, "POST", f"{path}/start", {})
    deadline = time.monotonic() + 20
    states: list[str] = []
    while states[2:] != ["ONGOING"]:
        assert time.monotonic() < deadline
        actions = call(url, "GET", f"/actions?action_plan_uuid={plan['uuid']}")["actions"]
        states = [a["state"] for a in actions]
    patch = [{"op": "replace", "path": "/state", "value": "CANCELLING"}]
    began = time.monotonic()
    call(url, "PATCH", path, patch)
    assert ended(url, path)["state"] == "CANCELLED"
    assert time.monotonic() - began < 5


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
