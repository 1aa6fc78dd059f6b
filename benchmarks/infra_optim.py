"""The infra-optim API at size: lists of 10,000 action plans, and the data model of a cluster.

An API process of its own on SQLite files, asked over HTTP. Time is the processor's, of that process
alone: what a machine that runs other things besides does to a stopwatch is left out.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from tachyon.control.objects import KINDS, Database, Objects
from tachyon.control.objects.migrations import upgrade
from tachyon.graph.client import connect
from tachyon.graph.generator import generate

PLANS, AUDITS, LIMIT = 10_000, 500, 1000
#: What lists are asked for; each is followed from page to page.
LISTS = (
    "/v1/action_plans?",
    "/v1/action_plans/detail?",
    *(
        f"/v1/action_plans{form}?sort_key={key}&sort_dir={direction}&"
        for form, key, direction in (
            ("", "state", "asc"),
            ("", "updated_at", "desc"),
            ("", "audit_uuid", "asc"),
            ("", "strategy_name", "desc"),
            ("/detail", "hostname", "asc"),
            ("/detail", "audit_uuid", "desc"),
            ("/detail", "global_efficacy", "asc"),
        )
    ),
    "/v1/action_plans?strategy=dummy&",
)
_STATES = ("RECOMMENDED", "SUCCEEDED", "FAILED", "CANCELLED", "SUPERSEDED")


class Figure(Struct, frozen=True):
    """What answers took, in milliseconds each; `most` is the slowest page's processor time."""

    asked: str
    answers: int
    processor: float
    most: float
    elapsed: float


def fill(url: str) -> None:
    """Make a database with PLANS plans of AUDITS audits, three indicators each."""
    database = Database(url, sqlite_synchronous=False)
    upgrade(database)
    objects = Objects(database)
    goal = objects.goals.create(name="dummy", display_name="Dummy goal")
    strategy = objects.strategies.create(name="dummy", display_name="Dummy", goal_id=goal.id)
    other = objects.strategies.create(name="other", display_name="Other", goal_id=goal.id)
    audits = objects.audits.create_many(
        [
            {
                "name": f"audit {number}",
                "audit_type": "CONTINUOUS",
                "goal_id": goal.id,
                "interval": "600",
                "auto_trigger": False,
                "force": False,
            }
            for number in range(AUDITS)
        ]
    )
    tables = {kind.name: kind.table for kind in KINDS}
    began = datetime(2026, 1, 1, tzinfo=UTC)
    efficacy = [{"name": "released", "description": "Hosts released", "unit": "%", "value": 12.5}]
    names = ("mean", "deviation", "least", "most", "median", "above", "below", "in_use")
    load = {name: dict.fromkeys(names, 12345.678) for name in ("VCPU", "MEMORY_MB", "DISK_GB")}
    plans: list[dict[str, Any]] = []
    indicators: list[dict[str, Any]] = []
    for number in range(PLANS):
        uuid = f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"
        common = {"created_at": began + timedelta(seconds=number), "deleted": 0}
        plans.append(
            {
                **common,
                "id": number + 1,
                "uuid": uuid,
                "updated_at": began + timedelta(seconds=number * 7919 % 86_400),
                "audit_id": audits[number * 31 % AUDITS].id,
                "strategy_id": (strategy, other)[number % 10 == 0].id,
                "state": _STATES[number % len(_STATES)],
                "global_efficacy": efficacy,
                "hostname": f"applier-{number % 7}",
                "metrics": {"before": load, "after": load},
            }
        )
        indicators += [
            {
                **common,
                "uuid": f"{number:08x}-000{which}-4000-8000-000000000000",
                "name": name,
                "description": "What the plan comes to",
                "unit": None,
                "data": float(number),
                "action_plan_id": number + 1,
            }
            for which, name in enumerate(("hosts", "released", "migrations"))
        ]
    with database.engine.begin() as connection:
        connection.execute(tables["action_plan"].insert(), plans)
        connection.execute(tables["efficacy_indicator"].insert(), indicators)
    objects.close()


class Served(Struct):
    """An API process and a kept-alive connection to it."""

    process: subprocess.Popen[str]
    connection: http.client.HTTPConnection

    def ask(self, path: str) -> Any:
        """Return the answer to a GET."""
        headers = {"OpenStack-API-Version": "infra-optim latest"}
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return body

    def processor(self) -> float:
        """Return the seconds of processor time that the process has taken."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text("ascii").split()[0]) for thread in threads) / 1e9


@contextmanager
def serving(control_url: str, graph_url: str) -> Iterator[Served]:
    """Serve a database and a graph for the time of the block."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tachyon.conf"
        config.write_text(
            f"[database]\nconnection = {control_url}\n[graph]\nurl = {graph_url}\n"
            "[DEFAULT]\ntransport_url = fake://\n",
            encoding="utf-8",
        )
        command = [
            *(str(Path(sys.executable).with_name("tachyon")), "api", "--no-authentication"),
            *("--port", "0", "--config-file", str(config)),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                found = re.search(r"http://\S+", process.stdout.readline())
                assert found is not None, "the API did not start"
                there = urlsplit(found.group())
                connection = http.client.HTTPConnection(there.hostname or "", there.port)
                yield Served(process, connection)
                connection.close()
            finally:
                process.terminate()


def lists(served: Served, repeats: int) -> Iterator[Figure]:
    """Follow each list from page to page; yields what a page took."""
    for path in LISTS:
        asked = f"{path}limit={LIMIT}"
        pages = list(_pages(served, asked))
        taken = [_taken(served, page, repeats) for page in pages]
        processor = [one[0] for one in taken]
        yield Figure(
            asked=asked.removeprefix("/v1"),
            answers=len(pages),
            processor=statistics.mean(processor),
            most=max(processor),
            elapsed=statistics.median(one[1] for one in taken),
        )


def _pages(served: Served, path: str) -> Iterator[str]:
    while path:
        yield path
        following = json.loads(served.ask(path)).get("next", "")
        path = following and "/" + following.split("/", 3)[3]


def _taken(served: Served, path: str, repeats: int) -> tuple[float, float]:
    """Return the processor's and the elapsed milliseconds of one answer.

    The least of several, as of two that do the same one has been kept from it by others.
    """
    served.ask(path)
    processor, elapsed = [], []
    for _ in itertools.repeat(None, repeats):
        before, began = served.processor(), time.perf_counter()
        served.ask(path)
        elapsed.append(time.perf_counter() - began)
        processor.append(served.processor() - before)
    return min(processor) * 1000, min(elapsed) * 1000


def data_model(served: Served, repeats: int) -> Figure:
    """Ask for the whole compute data model."""
    rows = json.loads(served.ask("/v1/data_model"))["context"]
    processor, elapsed = _taken(served, "/v1/data_model", repeats)
    return Figure(
        asked="/data_model",
        answers=len(rows),
        processor=processor,
        most=processor,
        elapsed=elapsed,
    )


def measure(hosts: int, instances: int, repeats: int) -> tuple[list[Figure], Figure]:
    """Return what pages of lists take, and what the data model of a cluster takes."""
    with tempfile.TemporaryDirectory() as folder:
        control, graph = (f"sqlite:///{folder}/{name}.db" for name in ("control", "graph"))
        fill(control)
        with connect(graph) as client:
            client.synchronise(generate(hosts, instances, seed=1).cluster)
        with serving(control, graph) as served:
            return list(lists(served, repeats)), data_model(served, repeats)


def report(found: list[Figure], model: Figure) -> str:
    """Return the page of the documentation."""
    lines = [
        "# The infra-optim API at size",
        "",
        "`make bench` writes this page. One API process on SQLite files is asked over HTTP on one",
        "connection, each page ten times, of which the quickest counts. Processor time is that",
        "process' own; elapsed time is from the request to the last byte.",
        "",
        f"Lists of {PLANS:,} action plans of {AUDITS} audits, three efficacy indicators each,",
        f"{LIMIT:,} a page (the most that `[api] max_limit` allows by default). Wanted: at most",
        "50 ms a page.",
        "",
        "| list | pages | processor time a page, mean | slowest page | elapsed, median page |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{one.asked}` | {one.answers} | {one.processor:.0f} ms | {one.most:.0f} ms "
        f"| {one.elapsed:.0f} ms |"
        for one in found
    ]
    lines += [
        "",
        "The data model of 1,000 hosts with 20,000 instances. Wanted: at most 1 s.",
        "",
        "| answer | rows | processor time | elapsed |",
        "|---|---|---|---|",
        f"| `{model.asked}` | {model.answers:,} | {model.processor:.0f} ms "
        f"| {model.elapsed:.0f} ms |",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and report; BENCH_SMALL=1 takes a small cluster and writes nothing."""
    quick = os.environ.get("BENCH_SMALL") == "1"
    text = report(*(measure(20, 200, 1) if quick else measure(1000, 20_000, 10)))
    print(text)
    if not quick:
        Path("docs/benchmarks-infra-optim.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
