"""`actuator`: the actions that the audit's parameters list, as they are.

The building block of event-driven audits: an alarm's webhook triggers an audit whose plan is fixed.
"""

from __future__ import annotations

from typing import ClassVar

from tachyon.graph.simulation import Session
from tachyon.optimize.strategies import options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context


class Actuator(Strategy):
    """Propose the actions given."""

    name = "actuator"
    display_name = "Actuator"
    goal = "unclassified"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "actions": {
                "description": "The actions of the plan.",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "action_type": {
                            "description": "What is done.",
                            "type": "string",
                            "minLength": 1,
                        },
                        "resource_id": {"description": "What it is done to.", "type": "string"},
                        "input_parameters": {
                            "description": "As the type of the action wants them.",
                            "type": "object",
                        },
                    },
                    "required": ["action_type", "input_parameters"],
                    "additionalProperties": False,
                },
            },
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain("Has no meaning here."),
        },
        required=("actions",),
    )

    def execute(self, session: Session, context: Context) -> None:
        """Propose each action."""
        limit = self.parameters["migration_limit"]
        migrations = 0
        for action in self.parameters["actions"]:
            if action["action_type"] in ("migrate", "volume_migrate"):
                migrations += 1
                if limit and migrations > limit:
                    continue
            context.propose(
                action["action_type"], action.get("resource_id"), action["input_parameters"]
            )
