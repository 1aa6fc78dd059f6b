"""The contract of actions: plug-ins of the entry point group `tachyon.actions`.

An action is executed in three parts, each of which may fail: the pre-condition looks whether it
can begin, `execute` does it and waits for the end, the post-condition looks at the result. An
applier may die between any two lines of `execute`, and another one then begins it anew; so
`execute` first looks how far things are, and joins what is under way instead of starting it twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from jsonschema import Draft7Validator
from msgspec import Struct

from tachyon.errors import ActionFailed, ParametersInvalid
from tachyon.openstack.connection import Connection
from tachyon.openstack.power import PowerControl

T = TypeVar("T")

UUID = {"type": "string", "pattern": "^([0-9a-fA-F]){8}(-([0-9a-fA-F]){4}){3}-([0-9a-fA-F]){12}$"}
TEXT = {"type": "string", "minLength": 1}
TEXT_OR_NULL = {"type": ["string", "null"]}


class Interrupted(Exception):
    """Raised by `wait`: the action is to end at once. Actions let it through."""


class Patience(Struct, frozen=True, kw_only=True):
    """How often the state of something is asked for, and how many seconds lie between."""

    times: int
    interval: float


class Patiences(Struct, frozen=True, kw_only=True):
    """How long the applier waits for each kind of work."""

    migration: Patience = Patience(times=180, interval=5.0)
    power: Patience = Patience(times=60, interval=10.0)
    stop: Patience = Patience(times=8, interval=10.0)
    volume: Patience = Patience(times=360, interval=10.0)
    graph: Patience = Patience(times=15, interval=1.0)


class Surroundings(Struct, frozen=True, kw_only=True):
    """What an action works with.

    Attributes:
        cloud: the connection to the cloud; None where there is none (only nop and sleep work).
        power: what switches machines there.
        wait: sleeps for some seconds; raises `Interrupted` when the action is to end.
        patience: how long is waited for what.
        keep: stores what a later part, or a revert, needs to know; merged into `outputs`.
    """

    wait: Callable[[float], None]
    keep: Callable[[dict[str, Any]], None]
    cloud: Connection | None = None
    power: PowerControl | None = None
    patience: Patiences = Patiences()


class Action(ABC):
    """Base of all actions.

    Attributes:
        name: that of the entry point, the `action_type` of plans.
        description: what such an action does, for people.
        schema: JSON Schema of the input parameters.
        parameters: the input parameters, checked.
        outputs: what `keep` has stored, in this run or in one that was cut off.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    schema: ClassVar[dict[str, Any]]

    def __init__(
        self,
        parameters: Mapping[str, Any],
        surroundings: Surroundings,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Check the parameters; raises `ParametersInvalid` with all that is wrong."""
        errors = sorted(Draft7Validator(self.schema).iter_errors(dict(parameters)), key=str)
        if errors:
            raise ParametersInvalid.at(
                [(".".join(map(str, e.absolute_path)), e.message) for e in errors]
            )
        self.parameters = dict(parameters)
        self.surroundings = surroundings
        self.outputs = dict(outputs or {})

    @property
    def resource(self) -> str:
        """The resource that the action is about."""
        return str(self.parameters["resource_id"])

    @property
    def cloud(self) -> Connection:
        """The connection to the cloud; raises `ActionFailed` where there is none."""
        if self.surroundings.cloud is None:
            raise ActionFailed("no cloud is configured")
        return self.surroundings.cloud

    def pre_condition(self) -> None:  # noqa: B027 - most simple actions have none
        """Look whether the action can begin.

        Raises:
            ActionSkipped: there is nothing to do.
            ActionFailed, CloudError: it cannot be done.
        """

    @abstractmethod
    def execute(self) -> None:
        """Do it, and wait until it is done; safe to begin anew at any point.

        Raises:
            ActionFailed, CloudError: it was not done.
            Interrupted: it was to end; `abort` comes next.
        """

    def post_condition(self) -> None:  # noqa: B027 - see above
        """Look whether it is as it should be; raises `ActionFailed`."""

    def revert(self) -> None:
        """Take back what was done, and wait for it.

        Raises:
            ActionFailed, CloudError: it could not be taken back.
        """
        raise ActionFailed(f"a {self.name} cannot be taken back")

    def abort(self) -> bool:
        """End what `execute` was interrupted in.

        Returns:
            True: nothing of it remains; False: it had been done all the same.

        Raises:
            ActionFailed, CloudError: neither.
        """
        return True

    def inverse(self) -> tuple[str, dict[str, Any]] | None:
        """Return the type and parameters of the action that takes this one back, None for none."""
        return None

    def keep(self, **outputs: Any) -> None:
        """Store what a later part or a revert needs to know."""
        self.outputs |= outputs
        self.surroundings.keep(outputs)

    def poll(self, patience: Patience, look: Callable[[], T | None], what: str) -> T:
        """Look again and again until there is an answer.

        Raises:
            ActionFailed: there was none in time.
        """
        for _ in range(patience.times):
            found = look()
            if found is not None:
                return found
            self.surroundings.wait(patience.interval)
        found = look()
        if found is not None:
            return found
        raise ActionFailed(
            f"{what} not within {patience.times * patience.interval:g} s", resource=self.resource
        )


def parameters_schema(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with some properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
