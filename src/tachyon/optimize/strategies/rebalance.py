"""General rebalancing: the cheapest placement under all hard rules, found in a given time.

The objective is that of the machine reassignment problem (ROADEF/EURO challenge 2012): load beyond
safety capacities, unbalanced free resources, and the moves themselves each cost something. The
search ends when its time is over and keeps the best that it met.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, ClassVar

from msgspec.structs import replace

from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.graph.view.columns import I64
from tachyon.optimize.folding import fold
from tachyon.optimize.goals.workload_balancing import balanced_hosts
from tachyon.optimize.reassignment.anytime import Anytime, prepared
from tachyon.optimize.reassignment.statement import Statement
from tachyon.optimize.scored import Scored
from tachyon.optimize.strategies import characters, measured_load, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.measured_load import Measured
from tachyon.optimize.strategies.measurements import MetricNeed

_NUMBER = {"type": "number", "minimum": 0}
_NAME = {"type": "string", "minLength": 1}


class Rebalance(Strategy):
    """Minimise the weighted cost of load, imbalance and moves under all hard rules."""

    name = "rebalance"
    display_name = "Rebalance"
    goal = "workload_balancing"
    schema: ClassVar[dict[str, Any]] = options.parameters(
        {
            "time_limit": {
                "description": "Seconds that the search may take.",
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 5,
            },
            "threads": {
                "description": "Threads that search side by side; without numba it is one.",
                "type": "integer",
                "minimum": 1,
                "maximum": 64,
                "default": 2,
            },
            "load_weights": {
                "description": "Cost of each unit used beyond the safety capacity of a host, by "
                "resource class or metric. Empty: every metric that is measured, else VCPU and "
                "MEMORY_MB, such that a mean host's whole capacity costs 1000.",
                "type": "object",
                "additionalProperties": _NUMBER,
                "default": {},
            },
            "safety": {
                "description": "Share of a host's capacity beyond which its load costs something, "
                "for hosts that do not tell safety capacities of their own.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.8,
            },
            "balance": {
                "description": "On each host, each unit by which target times the free resource_1 "
                "exceeds the free resource_2 costs the weight.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["resource_1", "resource_2", "target", "weight"],
                    "properties": {
                        "resource_1": {"description": "A class or metric.", **_NAME},
                        "resource_2": {"description": "A class or metric.", **_NAME},
                        "target": {"description": "Units of the second per unit.", **_NUMBER},
                        "weight": {"description": "Cost of a unit.", **_NUMBER},
                    },
                },
                "default": [],
            },
            "weights": {
                "description": "Weights of the costs of moves.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "process_move": {
                        "description": "Of each moved instance's own cost: its memory in GB, or "
                        "what it tells as move_cost.",
                        **_NUMBER,
                        "default": 1,
                    },
                    "service_move": {
                        "description": "Of the most members that one server group has moved.",
                        **_NUMBER,
                        "default": 0,
                    },
                    "machine_move": {
                        "description": "Of machine_move_costs.",
                        **_NUMBER,
                        "default": 0,
                    },
                },
                "default": {"process_move": 1, "service_move": 0, "machine_move": 0},
            },
            "machine_move_costs": {
                "description": "Cost of moving any instance from one host (row) to another "
                "(column), hosts in the order in which they came into the graph.",
                "type": "array",
                "items": {"type": "array", "items": _NUMBER},
                "default": [],
            },
            "transient": {
                "description": "Resource classes that a moved instance goes on taking on its first "
                "host until all is done (local disks).",
                "type": "array",
                "items": _NAME,
                "default": [],
            },
            "services": {
                "description": "By server group: in how many availability zones its members stand "
                "at least, and which groups have a member in each host aggregate where it has one.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "spread_minimum": {
                            "description": "Zones.",
                            "type": "integer",
                            "minimum": 0,
                        },
                        "depends_on": {"description": "Groups.", "type": "array", "items": _NAME},
                    },
                },
                "default": {},
            },
            "cold_migration": options.cold_migration(default=False),
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain("Least cost that each migration has to save."),
            **measured_load.PARAMETERS,
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """The load of instances, and what characters ask about."""
        return (*measured_load.needs(self.parameters), *characters.needs(self.parameters))

    def clock(self) -> float:
        """Return the seconds that `time_limit` is measured by."""
        return monotonic()

    def found(self, rows: I64, hosts: I64) -> None:
        """Hear which hosts the search has found for instances, by the view's rows of both.

        How the moves can be ordered is looked for afterwards, and may leave some of them out.
        """

    def weights(self, view: View) -> dict[str, float]:
        """Return the load weights; raises `InvalidInput` for an unknown column."""
        return measured_load.weights(self.parameters["load_weights"], view)

    def execute(self, session: Session, context: Context) -> None:
        """Search until the time is over and record the way to the best placement found."""
        compiled = prepared()
        began = self.clock()
        limit = float(self.parameters["time_limit"])
        statement = self._stated(session, context)

        def left() -> float:
            context.step(int(min(self.clock() - began, limit)), int(limit), "searching")
            return max(0.0, 1.0 - (self.clock() - began) / limit)

        search = Anytime(
            session,
            statement,
            context.rng,
            left,
            limit,
            self.parameters["threads"],
            compiled,
            lambda best: self.found(statement.rows, statement.hosts[best]),
        )
        before = search.found
        reached = search.run()
        uuid = session.view.providers.uuid
        for row, target in reached.steps:
            name = session.state.consumer_uuid(row)
            session.record(Move(consumer_uuid=name, to_provider=uuid[target]))
        context.facts |= {
            "cost_before": before,
            "cost_after": reached.cost,
            "cost_found": search.found,
            "steps": search.steps,
            "search": "numpy" if compiled is None else "compiled",
        }

    def _stated(self, session: Session, context: Context) -> Statement:
        """Put the session as a problem, with the load that was measured, if any was."""
        eligibility = self.eligibility(session, context)
        measured = Measured.of(self, session, context, eligibility)
        if measured is None:
            return Statement(self, session, context)
        seen = measured.seen(session)
        statement = Statement(self, seen, context)
        problem, known = statement.problem, measured.hosts[statement.hosts]
        # Of whom the load is not known stays; so do those beside, and nobody comes there.
        statement.problem = replace(
            problem,
            movable=problem.movable & known[problem.start],
            allowed=problem.allowed & known,
        )
        hosts = balanced_hosts(session, context.scope) & measured.hosts
        weights = self.weights(seen.view)
        context.scored = Scored(view=fold(seen).view, hosts=hosts, weights=weights)
        return statement
