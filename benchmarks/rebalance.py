"""`python -m benchmarks.rebalance`: `rebalance` on the ROADEF/EURO 2012 instances.

Every placement is checked and priced by the tests' checker, which shares no code with the strategy:
the one that the search found, as the challenge judges it (all moves happen at once), and the one
that the plan reaches, move by move, whose actions the checker of all plans replays. The figures go
to the terminal, one line for each instance and time; docs/benchmarks-rebalance.md keeps those of a
whole run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import process_time

from benchmarks import legality
from tachyon.graph.importers.roadef2012 import read_roadef2012
from tachyon.graph.simulation import Session
from tachyon.graph.view import build, snapshot_of
from tachyon.graph.view.columns import I64
from tachyon.optimize.planners import Weight
from tachyon.optimize.reassignment.anytime import prepared
from tachyon.optimize.reassignment.challenge import challenge_parameters
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.rebalance import Rebalance
from tests.reassignment.challenge import Instance

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "roadef2012"

#: Best costs of the challenge, found in 300 s.
BEST = {
    "a1_1": 44_306_501,
    "a1_2": 777_531_842,
    "a1_3": 583_005_719,
    "a1_4": 262_086_758,
    "a1_5": 727_578_311,
    "a2_1": 329,
    "a2_2": 746_097_632,
    "a2_3": 1_210_644_572,
    "a2_4": 1_680_615_349,
    "a2_5": 318_358_949,
    "b_1": 3_339_186_879,
    "b_2": 1_015_553_800,
    "b_3": 156_835_787,
    "b_4": 4_677_823_040,
    "b_5": 923_092_380,
    "b_6": 9_525_857_752,
}


class _Kept(Rebalance):
    """Keeps what the search found."""

    best: tuple[I64, I64] | None = None

    def found(self, rows: I64, hosts: I64) -> None:
        self.best = rows, hosts


class _ByProcessor(_Kept):
    """Counts the processor seconds of a thread, as if no other program ran."""

    def clock(self) -> float:
        return process_time() / float(self.parameters["threads"])


def main() -> None:
    """Measure the instances and times that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebalance")
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0, 30.0, 300.0])
    parser.add_argument(
        "--cpu", action="store_true", help="count processor seconds, for a busy machine"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the instances")
    parser.add_argument("instances", nargs="*", default=list(BEST))
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"{arguments.data}: no instances of the challenge")
    # What is compiled once is not part of any time.
    prepared()
    print(
        "| instance | seconds | start | found | best known | gap | gap of the start | moves "
        "| plan |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in arguments.instances:
        for seconds in arguments.seconds:
            print(line(arguments, name, seconds), flush=True)


def line(arguments: argparse.Namespace, name: str, seconds: float) -> str:
    """Return the figures of one run as a line of the table."""
    data: Path = arguments.data
    model = data / f"model_{name}.txt.gz"
    content = read_roadef2012(model)
    view = build(snapshot_of(content.cluster))
    session = Session(view)
    given = challenge_parameters(content.extra["roadef2012"])
    kind = _ByProcessor if arguments.cpu else _Kept
    strategy = kind({**given, "time_limit": seconds, "threads": arguments.threads})
    began = strategy.clock()
    strategy.execute(session, Context())
    took = strategy.clock() - began
    machine = {p.uuid: at for at, p in enumerate(content.cluster.providers)}
    homes = view.consumers.home.copy()
    if strategy.best is not None:
        rows, hosts = strategy.best
        homes[rows] = hosts
    consumers = content.cluster.consumers
    solution = [machine[view.providers.uuid[homes[view.consumer_row(c.uuid)]]] for c in consumers]
    plan = [machine[session.host(c.uuid) or ""] for c in consumers]
    instance = Instance(model, data / f"assignment_{name}.txt.gz")
    problems = instance.problems(solution) + instance.problems(plan)
    if problems:
        sys.exit(f"{name}: {problems[0]}")
    if illegal := legality.of_plan(content, Weight().plan(session)):
        sys.exit(f"{name}: {illegal} actions of the plan break a rule")
    cost, start, best = instance.cost(solution), instance.cost(instance.start), BEST[name]
    moves = sum(a != b for a, b in zip(solution, instance.start, strict=True))
    return (
        f"| {name} | {seconds:g} ({took:.1f}) | {start:,} | {cost:,} | {best:,} "
        f"| {cost / best - 1:.2%} | {(cost - best) / start:.3%} | {moves:,} "
        f"| {'the same' if plan == solution else format(instance.cost(plan), ',')} |"
    )


if __name__ == "__main__":
    main()
