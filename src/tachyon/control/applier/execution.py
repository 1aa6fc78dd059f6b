"""The execution of one plan by the applier that has claimed it.

Every step is a compare-and-set in the database before it is done in the cloud: an action begins
when it was brought from PENDING to ONGOING while the plan was still ours. So however many
appliers believe that a plan is theirs, each of its actions begins once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tachyon.control.applier import workflow
from tachyon.control.applier.actions import Action, Interrupted, Patiences, Surroundings
from tachyon.control.applier.model import Model
from tachyon.control.applier.rollback import service_changes
from tachyon.control.notifications import Notifier
from tachyon.control.notifications.notifier import Phase
from tachyon.control.objects import Action as ActionRecord
from tachyon.control.objects import ActionPlan, Objects
from tachyon.errors import (
    ActionFailed,
    ActionSkipped,
    StateConflict,
    StoreUnavailable,
    TachyonError,
    TransitionNotAllowed,
)
from tachyon.openstack.connection import Connection
from tachyon.openstack.power import PowerControl

LOG = logging.getLogger(__name__)

#: Rules of a plan's graph: whether an action runs after its parents were done, or in their place.
ALWAYS, ANY = "ALWAYS", "ANY"
#: States of an action that will not change any more.
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"})
#: States of a plan that somebody executes, and errors that say that somebody else changed it.
_UNDER_WAY = ("ONGOING", "CANCELLING")
_LOST = (StateConflict, TransitionNotAllowed)
SOME_SKIPPED = "One or more actions were skipped."


class Means(Struct, frozen=True, kw_only=True):
    """What executions work with; the same for all plans of an applier.

    Attributes:
        host: the name of this applier.
        types: the types of actions by name.
        cloud: None: no action that needs a cloud works; `power` switches machines in it.
        model: None: actions are not judged by a graph.
        rules: by strategy, `ALWAYS` or `ANY`.
        reverts: whether what was done is taken back when an action fails.
        max_workers: actions of one plan that run at a time.
    """

    objects: Objects
    notifier: Notifier
    host: str
    types: Mapping[str, type[Action]]
    cloud: Connection | None = None
    power: PowerControl | None = None
    model: Model | None = None
    patience: Patiences = Patiences()
    rules: Mapping[str, str] = {}
    reverts: bool = False
    max_workers: int = 4


class Execution:
    """One plan under way. `cancel` and `abandon` may be called from any thread."""

    def __init__(self, means: Means, plan: ActionPlan) -> None:
        self.means = means
        self.plan = plan
        self._objects = means.objects
        self._rule = means.rules.get(plan.strategy.name, ALWAYS)
        #: Wakes what waits: the plan is to be cancelled, or is no longer ours.
        self._halt = threading.Event()
        self._abandoned = threading.Event()
        self._paused = threading.Event()
        self._cancel_told = threading.Lock()
        self._told = False

    def cancel(self) -> None:
        """End at once: interrupt what runs, and start nothing more."""
        self._halt.set()

    def abandon(self) -> None:
        """Leave everything as it is: somebody else goes on, or will."""
        self._abandoned.set()
        self._halt.set()

    def pause(self) -> None:
        """Start nothing more, and let what runs end; then the plan is left as it is."""
        self._paused.set()

    @property
    def halted(self) -> bool:
        """Whether the plan is cancelled or no longer ours."""
        return self._halt.is_set()

    def run(self) -> ActionPlan:
        """Execute what is left of the plan, and bring it into its final state.

        Returns:
            The plan as it is afterwards: final, or not touched any more after `abandon`.
        """
        if self.plan.state == "CANCELLING":
            self.cancel()
        else:
            self.means.notifier.action_plan(self.plan, "execution", "start")
        try:
            actions = self._actions()
            self._take_up(actions)
            self._settle_interrupted(actions)
            parents = _graph(actions)
            workflow.run(self.plan.uuid, parents, self._perform, self.means.max_workers)
            if not self._abandoned.is_set() and not self._unfinished():
                return self._finish()
        except StoreUnavailable:
            LOG.exception("the database is away; plan %s is left as it is", self.plan.uuid)
            raise
        except _LOST as error:
            # If it is ours all the same, the next look takes it up again.
            LOG.info("plan %s is not ours to go on with: %s", self.plan.uuid, error)
        except Exception as error:
            LOG.exception("plan %s was given up", self.plan.uuid)
            if not self._abandoned.is_set():
                return self._fail(error)
        return self._objects.action_plans.get(self.plan.uuid)

    def _locked(self, *states: str) -> ActionPlan:
        """Return the plan, which nobody takes over before the transaction ends.

        Raises:
            StateConflict: it is in another state, or no longer ours.
        """
        plan = self._objects.action_plans.lock(self.plan.uuid)
        if plan.state not in states or plan.hostname != self.means.host:
            raise StateConflict(f"plan {plan.uuid} is {plan.state} at {plan.hostname}")
        return plan

    def _actions(self) -> list[ActionRecord]:
        return self._objects.actions.find({"action_plan_id": self.plan.id})

    def _take_up(self, actions: list[ActionRecord]) -> None:
        """Let actions that another applier had begun begin anew; they join what is under way."""
        if self.halted:
            return
        for action in actions:
            if action.state == "ONGOING":
                self._objects.actions.transition(action.uuid, "PENDING", expected="ONGOING")

    def _settle_interrupted(self, actions: list[ActionRecord]) -> None:
        """Abort what another applier had begun of a plan that is to be cancelled."""
        if not self.halted:
            return
        for action in actions:
            if action.state in ("ONGOING", "CANCELLING"):
                self._abort(action.uuid)

    def _unfinished(self) -> bool:
        """Tell whether the execution was paused before everything was done."""
        if not self._paused.is_set() or self.halted:
            return False
        return any(action.state not in FINAL for action in self._actions())

    # One action

    def _perform(self, uuid: str) -> None:
        """Bring an action as far as it goes. Never raises: states say what happened."""
        try:
            action = self._objects.actions.get(uuid)
            stopped = self.halted or self._paused.is_set()
            if stopped or action.state != "PENDING" or self._left_out(action):
                return
            self._run(action)
        except _LOST as error:
            # Skipped by a user, cancelled, or taken over meanwhile: whoever did it goes on.
            LOG.info("action %s is not ours to do: %s", uuid, error)
        except StoreUnavailable:
            # What has become of the action cannot be told: somebody takes the plan up again.
            LOG.exception("the database is away; plan %s is left as it is", self.plan.uuid)
            self.abandon()
        except Exception:
            LOG.exception("action %s is left as it is", uuid)
            self.abandon()

    def _left_out(self, action: ActionRecord) -> bool:
        """Settle an action that its parents rule out."""
        parents = self._objects.actions.find({"uuid__in": action.parents}) if action.parents else []
        if self._rule == ANY:
            if any(p.state == "SUCCEEDED" for p in parents):
                why = "an alternative to it succeeded"
                self._skip(action, f"Action was skipped automatically: {why}")
                return True
            return False
        failed = [p for p in parents if p.state in ("FAILED", "CANCELLED")]
        if not failed:
            return False
        why = f"{failed[0].action_type} {failed[0].uuid} {failed[0].state.lower()}"
        text = f"Action was cancelled because {why}."
        self._objects.actions.transition(
            action.uuid, "CANCELLED", expected="PENDING", status_message=text
        )
        return True

    def _skip(self, action: ActionRecord, text: str) -> None:
        self._objects.actions.transition(
            action.uuid, "SKIPPED", expected="PENDING", status_message=text
        )

    def _run(self, action: ActionRecord) -> None:
        try:
            doing = self._load(action)
            doing.pre_condition()
            if self.means.model is not None and not action.outputs:
                self.means.model.judge(
                    action.action_type,
                    action.input_parameters,
                    self.means.patience.graph,
                    doing.surroundings.wait,
                )
        except Interrupted:
            # It stays PENDING: for whoever ends the plan, or takes it over.
            return
        except ActionSkipped as error:
            self._skip(action, f"Action was skipped automatically: {error.message}")
            return
        except TachyonError as error:
            self._fail_action(action.uuid, "pre_condition", error)
            return
        action = self._begin(action)
        self.means.notifier.action(action, "execution", "start")
        try:
            part = "execute"
            doing.execute()
            part = "post_condition"
            doing.post_condition()
        except Interrupted:
            if not self._abandoned.is_set():
                self._abort(action.uuid)
            return
        except Exception as error:
            if not isinstance(error, TachyonError):
                LOG.exception("action %s broke", action.uuid)
            self._fail_action(action.uuid, part, error)
            return
        self._end(action)

    def _begin(self, action: ActionRecord) -> ActionRecord:
        """Bring an action from PENDING to ONGOING, if the plan is still ours."""

        def begin() -> ActionRecord:
            self._locked("ONGOING")
            return self._objects.actions.transition(action.uuid, "ONGOING", expected="PENDING")

        return self._objects.atomically(begin)

    def _end(self, action: ActionRecord) -> None:
        if self.means.model is not None:
            self.means.model.done(action.action_type, action.input_parameters)
        ended = self._objects.actions.transition(action.uuid, "SUCCEEDED", expected="ONGOING")
        self.means.notifier.action(ended, "execution", "end")

    def _fail_action(self, uuid: str, part: str, error: BaseException) -> None:
        said = error.message if isinstance(error, TachyonError) else type(error).__name__

        def fail() -> ActionRecord:
            self._locked(*_UNDER_WAY)
            return self._objects.actions.transition(
                uuid,
                "FAILED",
                expected=("PENDING", "ONGOING"),
                status_message=f"Action failed in {part}: {said}",
            )

        failed = self._objects.atomically(fail)
        self.means.notifier.action(failed, "execution", "error", error)

    def _load(self, action: ActionRecord, *, interruptible: bool = True) -> Action:
        cls = self.means.types.get(action.action_type)
        if cls is None:
            raise ActionFailed(f"no action type {action.action_type} is installed")
        stop = self._halt if interruptible else self._abandoned

        def wait(seconds: float) -> None:
            if stop.wait(seconds):
                raise Interrupted

        def keep(outputs: dict[str, Any]) -> None:
            known = self._objects.actions.get(action.uuid).outputs
            self._objects.actions.update(action.uuid, {"outputs": {**known, **outputs}})

        surroundings = Surroundings(
            wait=wait,
            keep=keep,
            cloud=self.means.cloud,
            power=self.means.power,
            patience=self.means.patience,
        )
        return cls(action.input_parameters, surroundings, action.outputs)

    # Cancelling

    def _tell_cancelling(self) -> None:
        """Tell once that the plan is being cancelled."""
        with self._cancel_told:
            if not self._told:
                self._told = True
                plan = self._objects.action_plans.get(self.plan.uuid)
                self.means.notifier.action_plan(plan, "cancel", "start")

    def _abort(self, uuid: str) -> None:
        """End an action that has begun; raises nothing but `Interrupted` after `abandon`."""
        self._tell_cancelling()
        action = self._objects.actions.get(uuid)
        if action.state == "ONGOING":
            action = self._objects.actions.transition(uuid, "CANCELLING", expected="ONGOING")
        self.means.notifier.action(action, "cancel", "start")
        try:
            ended = self._load(action, interruptible=False).abort()
        except Interrupted:
            return
        except Exception as error:
            text = error.message if isinstance(error, TachyonError) else type(error).__name__
            failed = self._objects.actions.transition(
                uuid, "FAILED", expected="CANCELLING", status_message=f"Action failed: {text}"
            )
            self.means.notifier.action(failed, "cancel", "error", error)
            return
        state = "CANCELLED" if ended else "SUCCEEDED"
        if not ended and self.means.model is not None:
            self.means.model.done(action.action_type, action.input_parameters)
        settled = self._objects.actions.transition(uuid, state, expected="CANCELLING")
        self.means.notifier.action(settled, "cancel", "end")

    def _cancel_pending(self) -> None:
        def cancel() -> list[ActionRecord]:
            self._locked(*_UNDER_WAY)
            pending = {"action_plan_id": self.plan.id, "state": "PENDING"}
            settled = []
            for action in self._objects.actions.find(pending):
                try:
                    settled.append(
                        self._objects.actions.transition(
                            action.uuid, "CANCELLED", expected="PENDING"
                        )
                    )
                except _LOST:
                    continue  # skipped by a user meanwhile
            return settled

        for settled in self._objects.atomically(cancel):
            self.means.notifier.action(settled, "cancel", "end")

    # The end

    def _finish(self) -> ActionPlan:
        """Bring the plan into its final state; a cancel that comes in between counts."""
        plan = self._objects.action_plans.get(self.plan.uuid)
        if plan.state == "ONGOING" and not self.halted:
            if any(action.state not in FINAL for action in self._actions()):
                return plan  # whoever left one as it is had a reason: the next look goes on
            state, text = self._verdict()
            if state == "FAILED" and self.means.reverts:
                text = self._revert_all(text)
            try:
                plan = self._transition(state, "ONGOING", text)
            except StateConflict:
                return self._finish_cancelled()
            phase: Phase = "error" if state == "FAILED" else "end"
            self.means.notifier.action_plan(plan, "execution", phase)
            return plan
        return self._finish_cancelled()

    def _finish_cancelled(self) -> ActionPlan:
        self._objects.atomically(lambda: self._locked(*_UNDER_WAY))
        self._tell_cancelling()
        self._cancel_pending()
        states = {a.state for a in self._actions()}
        state, text = self._verdict()
        if "CANCELLED" in states and state != "FAILED":
            state, text = "CANCELLED", self.plan.status_message
        plan = self._transition(state, ("CANCELLING", "ONGOING"), text)
        self.means.notifier.action_plan(plan, "cancel", "error" if state == "FAILED" else "end")
        return plan

    def _transition(self, state: str, expected: Any, text: str | None) -> ActionPlan:
        return self._objects.action_plans.transition(
            self.plan.uuid,
            state,
            expected=expected,
            where={"hostname": self.means.host},
            status_message=text,
        )

    def _verdict(self) -> tuple[str, str | None]:
        """Return the state that follows from those of the actions, and what to say."""
        actions = self._actions()
        failed = [a for a in actions if a.state == "FAILED"]
        if self._rule == ANY:
            children = workflow.reversed_graph(_graph(actions))
            state = {a.uuid: a.state for a in actions}
            failed = [a for a in failed if not _replaced(a.uuid, children, state)]
        if failed:
            return "FAILED", f"{len(failed)} of {len(actions)} actions failed; the first: " + str(
                failed[0].status_message
            )
        if any(a.state == "SKIPPED" for a in actions):
            return "SUCCEEDED", SOME_SKIPPED
        return "SUCCEEDED", None

    def _fail(self, error: BaseException) -> ActionPlan:
        """End a plan whose execution broke; what runs no longer stays as it is."""
        text = f"{type(error).__name__}: {error}"

        def fail() -> tuple[bool, ActionPlan]:
            plan = self._locked(*_UNDER_WAY)
            for action in self._actions():
                if action.state not in FINAL:
                    self._objects.actions.transition(action.uuid, "CANCELLED", status_message=text)
            return plan.state == "CANCELLING", self._transition("FAILED", plan.state, text)

        cancelling, plan = self._objects.atomically(fail)
        self.means.notifier.action_plan(
            plan, "cancel" if cancelling else "execution", "error", error
        )
        return plan

    # Taking back

    def _revert_all(self, text: str | None) -> str | None:
        """Take back what was done, children before parents; returns what to say of the plan."""
        actions = self._actions()
        done = {a.uuid: a for a in actions if a.state == "SUCCEEDED"}
        for first, *later in service_changes(actions):
            for one in later:
                del done[one.uuid]
                said = f"Action was taken back with {first.uuid}, as the plan failed."
                self._objects.actions.update(one.uuid, {"status_message": said})
        problems: list[str] = []

        def revert(uuid: str) -> None:
            action = done.get(uuid)
            if action is None or self.halted:
                return
            try:
                self._load(action).revert()
            except Interrupted:
                return
            except Exception as error:
                LOG.warning("action %s was not taken back: %s", uuid, error)
                said = f"Action was not taken back: {error}"
                problems.append(uuid)
            else:
                said = "Action was taken back, as the plan failed."
                self._revert_model(action)
            self._objects.actions.update(uuid, {"status_message": said})

        # Nothing comes back to a host whose service is still disabled.
        closed = [a.uuid for a in done.values() if _closes(a)]
        for uuid in closed:
            revert(uuid)
            done.pop(uuid)
        order = workflow.reversed_graph(_graph(actions))
        workflow.run(f"{self.plan.uuid} back", order, revert, self.means.max_workers)
        ending = f"{len(problems)} could not be taken back" if problems else "all was taken back"
        return f"{text} ({ending})"

    def _revert_model(self, action: ActionRecord) -> None:
        inverse = self._load(action).inverse()
        if inverse is not None and self.means.model is not None:
            self.means.model.done(*inverse)


def _closes(action: ActionRecord) -> bool:
    """Tell whether an action has disabled a host's service."""
    disables = action.input_parameters.get("state") == "disabled"
    return action.action_type == "change_nova_service_state" and disables


def _graph(actions: list[ActionRecord]) -> dict[str, list[str]]:
    """Return the parents of each action within the plan."""
    known = {a.uuid for a in actions}
    return {a.uuid: [p for p in a.parents if p in known] for a in actions}


def _replaced(uuid: str, children: Mapping[str, list[str]], state: Mapping[str, str]) -> bool:
    """Tell whether an alternative to a failed action succeeded."""
    return any(
        state[c] == "SUCCEEDED" or (state[c] == "FAILED" and _replaced(c, children, state))
        for c in children[uuid]
    )
