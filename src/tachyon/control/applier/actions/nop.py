"""Do nothing but say something; or fail on request, to see what a plan makes of it."""

from __future__ import annotations

import logging

from tachyon.control.applier.actions.base import TEXT_OR_NULL, Action, parameters_schema
from tachyon.errors import ActionFailed, ActionSkipped

LOG = logging.getLogger(__name__)

_FLAG = {"type": "boolean", "default": False}


class Nop(Action):
    """Logs a message."""

    name = "nop"
    description = "Logging a NOP message"
    schema = parameters_schema(
        ["message"],
        message=TEXT_OR_NULL,
        skip_pre_condition=_FLAG,
        fail_pre_condition=_FLAG,
        fail_execute=_FLAG,
        fail_post_condition=_FLAG,
    )

    def pre_condition(self) -> None:
        """Skip or fail if asked to."""
        if self.parameters.get("skip_pre_condition"):
            raise ActionSkipped("Skipped in pre_condition")
        self._fail_if("fail_pre_condition")

    def execute(self) -> None:
        """Log the message."""
        LOG.info("nop: %s", self.parameters["message"])
        self._fail_if("fail_execute")

    def post_condition(self) -> None:
        """Fail if asked to."""
        self._fail_if("fail_post_condition")

    def revert(self) -> None:
        """Log the message again."""
        LOG.info("nop taken back: %s", self.parameters["message"])

    def _fail_if(self, flag: str) -> None:
        if self.parameters.get(flag):
            raise ActionFailed(f"Failed in {flag.removeprefix('fail_')}")
