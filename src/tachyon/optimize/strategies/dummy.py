"""The strategies of the goal `dummy`: fixed actions, to try the way from an audit to a cloud."""

from __future__ import annotations

import json
from typing import ClassVar

from tachyon.graph.simulation import Session
from tachyon.optimize.scoring import Scoring
from tachyon.optimize.strategies import options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context


def _number(what: str) -> options.Schema:
    return {
        "description": what,
        "type": "number",
        "minimum": 1.0,
        "maximum": 10.2,
        "default": 3.2,
    }


def _text(what: str) -> options.Schema:
    return {"description": what, "type": "string", "default": "hello"}


class Dummy(Strategy):
    """Two messages and a pause."""

    name = "dummy"
    display_name = "Dummy strategy"
    goal = "dummy"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "para1": _number("How long to sleep, in seconds."),
            "para2": _text("What to say."),
            **options.UNHEEDED,
        }
    )

    def execute(self, session: Session, context: Context) -> None:
        """Propose the actions."""
        context.propose("nop", None, {"message": "hello World"})
        context.propose("nop", None, {"message": self.parameters["para2"]})
        context.propose("sleep", None, {"duration": self.parameters["para1"]})


class DummyWithScorer(Strategy):
    """Asks scoring engines about a made-up workload."""

    name = "dummy_with_scorer"
    display_name = "Dummy Strategy using sample Scoring Engines"
    goal = "dummy"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "param1": _number("A number."),
            "param2": _text("What to say."),
            **options.UNHEEDED,
        }
    )

    def execute(self, session: Session, context: Context) -> None:
        """Propose messages with what the engines said, and a pause."""
        scoring = Scoring()
        engine, mean = scoring.engine("dummy_scorer"), scoring.engine("dummy_avg_scorer")
        features = [
            round(float(value), 2)
            for value in context.rng.uniform(0.0, 1.0, 9)
            * (100, *(1 << 30,) * 2, *(2000,) * 2, *(100 * 2**20,) * 4)
        ]
        result = json.loads(engine.calculate_score(json.dumps(features)))
        workloads = json.loads(engine.metainfo)["workloads"]
        average = json.loads(mean.calculate_score(json.dumps(features)))[0]
        context.propose("nop", None, {"message": f"{self.parameters['param2']}, scorers"})
        context.propose("nop", None, {"message": f"Detected workload: {workloads[int(result[0])]}"})
        context.propose("nop", None, {"message": f"Average of the features: {average}"})
        context.propose("sleep", None, {"duration": 5.0})


class DummyWithResize(Strategy):
    """Messages, a pause, two migrations and a resize of instances that hardly exist."""

    name = "dummy_with_resize"
    display_name = "Dummy strategy with resize"
    goal = "dummy"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "para1": _number("A number."),
            "para2": _text("What to say."),
            **options.UNHEEDED,
        }
    )
    instances: ClassVar[tuple[str, str]] = (
        "b199db0c-1408-4d52-b5a5-5ca14de0ff36",
        "8db1b3c1-7938-4c34-8c03-6de14b874f8f",
    )

    def execute(self, session: Session, context: Context) -> None:
        """Propose the actions."""
        for message in ("hello World", "Welcome"):
            context.propose("nop", None, {"message": message})
        context.propose("sleep", None, {"duration": 5.0})
        for uuid in self.instances:
            context.propose(
                "migrate",
                uuid,
                {
                    "migration_type": "live",
                    "source_node": "compute2",
                    "destination_node": "compute3",
                },
            )
        context.propose("resize", self.instances[1], {"flavor": "x2"})
