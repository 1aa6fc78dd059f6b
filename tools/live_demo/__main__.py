"""`make demo`, the live part: an audit through the API with OpenStack's own client, and its plan
carried out in a cloud.

One process is the whole control plane (`tachyon all-in-one`), with an emulated cloud that is filled
from a generated cluster. What is shown between the lines beginning with `$` is what the client
prints; where instances are is asked of the cloud.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openstack.config
import openstack.connection
from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from tests.interop_control.environment import interpreter

COMMAND = Path(sys.executable).with_name("tachyon")
GOAL, STRATEGY = "server_consolidation", "consolidation"
#: Small enough to be carried out while one looks on.
CLUSTER = ("--hosts", "8", "--instances", "40", "--seed", "5", "--skew", "0.5")
#: Seconds until the services must be there, until an audit must have ended, and a plan.
START, AUDIT, PLAN = 60, 60, 300

Sizes = dict[str, tuple[int, str]]


class Client:
    """OpenStack's command line client, with the `optimize` commands of python-watcherclient."""

    def __init__(self, console: Console, url: str) -> None:
        self._console = console
        self._program = interpreter().with_name("openstack")
        self._url = url

    def show(self, *words: str) -> None:
        """Run a command and show it with what it prints."""
        said = f"$ openstack optimize {shlex.join(words)}"
        self._console.print(said, style="bold", highlight=False, markup=False, soft_wrap=True)
        self._console.print(self._run(*words).strip(), markup=False, highlight=False)

    def _run(self, *words: str) -> str:
        access = ("--os-auth-type", "none", "--os-endpoint", self._url)
        done = subprocess.run(
            [self._program, *access, "optimize", *words],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout


def main() -> None:
    """Run the live part."""
    console = Console(width=100)
    console.print(Rule("[bold]A plan carried out[/]"))
    with tempfile.TemporaryDirectory(prefix="tachyon-live-") as name:
        folder = Path(name)
        cluster = folder / "cluster.json.gz"
        subprocess.run([COMMAND, "generate", *CLUSTER, cluster], check=True, stdout=sys.stderr)
        with services(cluster, folder) as (url, clouds):
            demonstrate(console, Client(console, url), url, clouds)


def demonstrate(console: Console, client: Client, url: str, clouds: Path) -> None:
    """Audit, look at the plan, carry it out, and look at the cloud again."""
    cloud = connected(clouds)
    before = sizes(cloud)
    client.show(
        *("audit", "create", "--goal", GOAL, "--strategy", STRATEGY, "--name", "first"),
        *("-c", "Name", "-c", "State", "-c", "Strategy"),
    )
    audit = ended(f"{url}/v1/audits/first", AUDIT)["uuid"]
    plan = ask(f"{url}/v1/action_plans?audit_uuid={audit}")["action_plans"][0]["uuid"]
    client.show("actionplan", "show", plan, "-c", "State", "-c", "Global efficacy")
    show_metrics(console, ask(f"{url}/v1/action_plans/{plan}/metrics"))
    client.show("actionplan", "start", plan, "-c", "UUID", "-c", "State")
    with console.status("the applier is at work"):
        ended(f"{url}/v1/action_plans/{plan}", PLAN)
    client.show("actionplan", "show", plan, "-c", "State")
    actions = ask(f"{url}/v1/actions?action_plan_uuid={plan}&limit=1000")["actions"]
    done = Counter((action["action_type"], action["state"]) for action in actions)
    for (kind, state), count in sorted(done.items()):
        console.print(f"{count:>4} × {kind}: {state}", highlight=False)
    show_cloud(console, before, sizes(cloud))


@contextmanager
def services(cluster: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Run everything for the time of the block; gives the API's URL and the cloud's clouds.yaml."""
    log = (folder / "log").open("w", encoding="utf-8")
    process = subprocess.Popen(
        [COMMAND, "all-in-one", "--emulate", cluster, "--port", "0", "--folder", folder],
        stdout=subprocess.PIPE, stderr=log, text=True,
    )  # fmt: skip
    try:
        said = read_announcement(process)
        clouds = folder / "clouds.yaml"
        clouds.write_text(said.partition("\n")[2], encoding="utf-8")
        yield said.partition("\n")[0].rpartition(" ")[2], clouds
    except Exception:
        log.flush()
        print((folder / "log").read_text("utf-8"), file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait()
        log.close()


def read_announcement(process: subprocess.Popen[str]) -> str:
    """Return what the services print when they are ready: the URL, then a clouds.yaml."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.lstrip().startswith("region_name"):
            return said
    raise RuntimeError(f"the services did not start (exit code {process.wait(START)})")


def connected(clouds: Path) -> Any:
    """Return a connection to the cloud of a clouds.yaml."""
    config = openstack.config.OpenStackConfig(config_files=[str(clouds)])
    return openstack.connection.Connection(config=config.get_one("emulated"))


def ask(url: str) -> Any:
    """Return what the API answers, in the newest version: 1.8 tells the metrics of plans."""
    request = urllib.request.Request(url, headers={"OpenStack-API-Version": "infra-optim latest"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def ended(url: str, seconds: float) -> Any:
    """Return an audit or a plan once it has succeeded; raises for any other end."""
    until = time.monotonic() + seconds
    while (found := ask(url))["state"] != "SUCCEEDED":
        if found["state"] in {"FAILED", "CANCELLED"} or time.monotonic() > until:
            raise RuntimeError(f"{url} is {found['state']}: {found['status_message']}")
        time.sleep(0.5)
    return found


def show_metrics(console: Console, found: Any) -> None:
    """Show what a plan would make of the cluster, before anything moves."""
    table = Table("class", "mean %", "standard deviation %", "hosts in use", title="The plan")
    for name, after in found["after"].items():
        pair = found["before"][name], after
        table.add_row(
            name,
            " → ".join(f"{100 * side['mean']:.1f}" for side in pair),
            " → ".join(f"{100 * side['std_deviation']:.1f}" for side in pair),
            " → ".join(str(side["providers_used"]) for side in pair),
        )
    console.print(table)


def sizes(cloud: Any) -> Sizes:
    """Return the number of servers of each host as the cloud says it, and its service's status."""
    count = Counter(s.compute_host for s in cloud.compute.servers(all_projects=True))
    return {
        service.host: (count[service.host], service.status)
        for service in cloud.compute.services(binary="nova-compute")
    }


def show_cloud(console: Console, before: Sizes, after: Sizes) -> None:
    """Show how many servers each host has, and had."""
    table = Table("host", "servers", "service", title="The cloud, as Nova tells it")
    for host, (count, status) in sorted(after.items()):
        had, was = before[host]
        table.add_row(host, f"{had} → {count}", status if status == was else f"{was} → {status}")
    console.print(table)


if __name__ == "__main__":
    main()
