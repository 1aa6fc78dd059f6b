"""Wait for some seconds."""

from __future__ import annotations

from tachyon.control.applier.actions.base import Action, parameters_schema


class Sleep(Action):
    """Waits; what others do meanwhile goes on."""

    name = "sleep"
    description = "Wait for a given interval in seconds."
    schema = parameters_schema(["duration"], duration={"type": "number", "minimum": 0})

    def execute(self) -> None:
        """Wait."""
        self.surroundings.wait(float(self.parameters["duration"]))

    def revert(self) -> None:
        """Do nothing: time does not come back."""
