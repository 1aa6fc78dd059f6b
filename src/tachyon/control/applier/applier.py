"""Claims plans and executes them: what an applier does from one look at the database to the next.

All that has to be done is read from states in the database; calls over the bus only make an
applier look at once. So a lost message delays a plan by one interval, and a dead applier's plans
are found by the next one that looks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from tachyon.control.applier.execution import Execution, Means
from tachyon.control.applier.overlap import Touched, touched
from tachyon.control.applier.rollback import plan_of_rollback
from tachyon.control.objects import ActionPlan
from tachyon.control.services import Liveness
from tachyon.errors import RecordNotFound, StateConflict, StoreUnavailable, TransitionNotAllowed

LOG = logging.getLogger(__name__)

OnCrash = Literal["resume", "cancel"]
#: Seconds that an interrupted action may take to notice.
LET_GO = 10.0
_ACTIVE = ("ONGOING", "CANCELLING")
STOPPED = (
    "Action plan was cancelled because Applier {host} was stopped while the action plan was "
    "ongoing."
)


class ApplierOptions(Struct, frozen=True, kw_only=True):
    """How an applier works.

    Attributes:
        workers: plans that it executes at a time.
        on_crash: what becomes of the plans of an applier that died.
        rollback_max_age: seconds after its end for which a plan can be taken back.
        interval: seconds between two looks at the database.
        shutdown_timeout: seconds that running actions are given when the applier stops.
    """

    workers: int = 1
    on_crash: OnCrash = "resume"
    rollback_max_age: float = 3600.0
    interval: float = 1.0
    shutdown_timeout: float = 30.0


class Applier:
    """Executes plans; the endpoint of the appliers' calls. Safe to use from several threads."""

    def __init__(
        self, means: Means, liveness: Liveness, options: ApplierOptions | None = None
    ) -> None:
        self.means = means
        self.options = options or ApplierOptions()
        self._objects = means.objects
        self._liveness = liveness
        self._running: dict[str, tuple[Execution, Future[None]]] = {}
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="plan")
        self._stopping = threading.Event()
        self._wake = threading.Event()

    # Calls over the bus

    def launch_action_plan(self, *, action_plan_uuid: str) -> None:
        """Look for plans to execute at once."""
        LOG.debug("asked to execute plan %s", action_plan_uuid)
        self._wake.set()

    def cancel_action_plan(self, *, action_plan_uuid: str) -> None:
        """Interrupt a plan, if it runs here."""
        with self._lock:
            entry = self._running.get(action_plan_uuid)
        if entry is not None:
            self._look_after(entry[0])

    def rollback_action_plan(self, *, action_plan_uuid: str) -> str:
        """Make and start the plan that takes a finished plan back; return its uuid."""
        plan = plan_of_rollback(
            self._objects, self.means.types, action_plan_uuid, self.options.rollback_max_age
        )
        self._wake.set()
        return plan.uuid

    # The loop

    def run(self) -> None:
        """Look again and again until `stop`."""
        while not self._stopping.is_set():
            try:
                self.look()
            except StoreUnavailable as error:
                LOG.warning("%s", error)
            except Exception:
                LOG.exception("a look at the plans failed")
            self._wake.wait(self.options.interval)
            self._wake.clear()

    def look(self) -> None:
        """Do what the states in the database ask for: one step of the loop."""
        with self._lock:
            executions = [execution for execution, _ in self._running.values()]
        for execution in executions:
            self._look_after(execution)
        self._take_over()
        self._claim_pending()

    def _look_after(self, execution: Execution) -> None:
        """Pass on what somebody did to a plan that runs here."""
        try:
            plan = self._objects.action_plans.get(execution.plan.uuid)
        except RecordNotFound:
            execution.abandon()
            return
        if plan.hostname != self.means.host:
            execution.abandon()
        elif plan.state == "CANCELLING":
            execution.cancel()

    def _free(self) -> int:
        return self.options.workers - self.busy

    def _claim_pending(self) -> None:
        if self._free() <= 0 or self._stopping.is_set():
            return
        for plan in self._objects.action_plans.find({"state": "PENDING"}):
            if self._free() <= 0:
                return
            with self._one(plan):
                if plan.uuid not in self._running and not self._in_the_way(plan):
                    self._claim(plan)

    @contextmanager
    def _one(self, plan: ActionPlan) -> Iterator[None]:
        """Look at one plan: what is wrong with it keeps nobody from the others."""
        try:
            yield
        except StoreUnavailable:
            raise
        except Exception:
            LOG.exception("plan %s cannot be looked at", plan.uuid)

    def _claim(self, plan: ActionPlan) -> None:
        try:
            claimed = self._objects.action_plans.transition(
                plan.uuid,
                "ONGOING",
                expected="PENDING",
                where={"revision": plan.revision},
                hostname=self.means.host,
            )
        except (StateConflict, TransitionNotAllowed, RecordNotFound):
            return  # another one was faster, or it was cancelled
        if self._in_the_way(claimed):
            # Two plans were claimed at the same moment: the younger one waits.
            self._hand_back(claimed.uuid)
            return
        self._start(claimed)

    def _in_the_way(self, plan: ActionPlan) -> set[str]:
        """Return what older plans under way do to the same resources, unless it is forced."""
        if plan.audit.force:
            return set()
        mine = self._touched(plan)
        for other in self._objects.action_plans.find({"state__in": _ACTIVE}):
            younger = plan.state == "ONGOING" and other.id > plan.id
            if other.id != plan.id and not younger:
                common = mine.overlaps(self._touched(other))
                if common:
                    LOG.info("plan %s waits for %s: %s", plan.uuid, other.uuid, sorted(common)[:5])
                    return common
        return set()

    def _touched(self, plan: ActionPlan) -> Touched:
        return touched(self._objects.actions.find({"action_plan_id": plan.id}))

    def _take_over(self) -> None:
        """Go on with plans whose applier is gone, and with our own from before a restart."""
        if self._stopping.is_set():
            return
        plans = self._objects.action_plans.find({"state__in": _ACTIVE})
        if not plans:
            return
        alive = self._liveness.alive()
        for plan in plans:
            if plan.uuid in self._running or self._free() <= 0:
                continue
            if plan.hostname != self.means.host and plan.hostname in alive:
                continue
            with self._one(plan):
                # Its applier may have died between claiming it and seeing that it must wait.
                if plan.state == "CANCELLING" or not self._in_the_way(plan):
                    self._adopt(plan)

    def _adopt(self, plan: ActionPlan) -> None:
        changes: dict[str, str] = {"hostname": self.means.host}
        try:
            mine = self._objects.action_plans.update(
                plan.uuid, changes, where={"revision": plan.revision}
            )
            if mine.state == "ONGOING" and self.options.on_crash == "cancel":
                mine = self._objects.action_plans.transition(
                    plan.uuid,
                    "CANCELLING",
                    expected="ONGOING",
                    where={"hostname": self.means.host},
                    status_message=STOPPED.format(host=plan.hostname),
                )
        except (StateConflict, TransitionNotAllowed, RecordNotFound):
            return
        LOG.warning("plan %s of %s is taken up: %s", plan.uuid, plan.hostname, mine.state)
        self._start(mine)

    def _start(self, plan: ActionPlan) -> None:
        with self._lock:
            # `stop` takes the lock after it has told: what is started here it pauses.
            if not self._stopping.is_set():
                execution = Execution(self.means, plan)
                future = self._pool.submit(self._execute, execution)
                self._running[plan.uuid] = (execution, future)
                return
        self._hand_back(plan.uuid)

    def _execute(self, execution: Execution) -> None:
        uuid = execution.plan.uuid
        try:
            plan = execution.run()
            LOG.info("plan %s: %s", uuid, plan.state)
            if plan.state == "ONGOING" and self._stopping.is_set():
                self._hand_back(uuid)
        except Exception:
            LOG.exception("plan %s will be taken up again", uuid)
        finally:
            with self._lock:
                self._running.pop(uuid, None)
            self._wake.set()

    def _hand_back(self, uuid: str) -> None:
        """Let any applier go on with a plan."""
        try:
            self._objects.action_plans.transition(
                uuid,
                "PENDING",
                expected="ONGOING",
                where={"hostname": self.means.host},
                hostname=None,
            )
        except (StateConflict, TransitionNotAllowed, RecordNotFound):
            LOG.info("plan %s is no longer ours to hand back", uuid)

    @property
    def busy(self) -> int:
        """How many plans are under way here."""
        with self._lock:
            return len(self._running)

    def join(self, timeout: float) -> bool:
        """Wait for the plans under way; return whether all have ended."""
        with self._lock:
            futures = [future for _, future in self._running.values()]
        return not wait(futures, timeout=timeout).not_done

    def stop(self) -> None:
        """Claim nothing more; let running actions end, and hand back what is not finished."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            entries = list(self._running.values())
        for execution, _ in entries:
            execution.pause()
        if not self.join(self.options.shutdown_timeout):
            for execution, _ in entries:
                execution.abandon()
            self.join(LET_GO)
        self._pool.shutdown(wait=False)
