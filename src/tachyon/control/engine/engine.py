"""Claims audits and runs their rounds: what a decision engine does from one look to the next.

An audit has one owner, the engine in its `hostname`. It changes hands by compare-and-set alone:
who finds an audit without a living owner takes it. What a run finds is stored in the same
transaction that concludes its round, and only by the owner; so of two engines that believe that a
round is theirs, one stores a plan, and a round whose engine died is run by the next one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

from msgspec import Struct

from tachyon.control.engine import running, schedule, superseding
from tachyon.control.engine.running import Brain, Found
from tachyon.control.engine.storing import as_answer, store
from tachyon.control.objects import ActionPlan, Audit
from tachyon.control.rpc import Applier
from tachyon.control.services import Liveness
from tachyon.errors import (
    Cancelled,
    InvalidInput,
    RecordNotFound,
    ServiceUnavailable,
    StateConflict,
    StoreUnavailable,
    TachyonError,
    TransitionNotAllowed,
)

LOG = logging.getLogger(__name__)

_LOST = (StateConflict, TransitionNotAllowed, RecordNotFound)
_LIVE = ("PENDING", "ONGOING")
#: EVENT audits that have run and were told of another event.
_TOLD_AGAIN = {"audit_type": "EVENT", "state": "SUCCEEDED", "next_run_time__neq": None}
#: Seconds between two looks of a run at whether its audit is still wanted.
_ASK_EVERY = 0.5


class EngineOptions(Struct, frozen=True, kw_only=True):
    """How an engine works.

    Attributes:
        workers: audits that it runs at a time.
        interval: seconds between two looks at the database.
        review_interval: seconds between two reviews of recommended plans.
        plan_expiry: hours after which a recommended plan is superseded; 0: never.
        end_failed_audits: whether a failed round ends a CONTINUOUS or EVENT audit.
        shutdown_timeout: seconds that runs are given when the engine stops.
    """

    workers: int = 2
    interval: float = 10.0
    review_interval: float = 60.0
    plan_expiry: float = 24.0
    end_failed_audits: bool = False
    shutdown_timeout: float = 30.0


class _Run:
    """A run under way; `stop` ends it at its next step."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self.stopped = threading.Event()
        self.future: Future[None] | None = None


class DecisionEngine:
    """Runs audits; the endpoint of the engines' calls. Safe to use from several threads.

    Args:
        brain: what runs work with.
        host: the name of this engine.
        liveness: of the engines.
        applier: told of plans that start by themselves; None: they are found by looking.
        options: how it works.
    """

    def __init__(
        self,
        brain: Brain,
        host: str,
        liveness: Liveness,
        applier: Applier | None = None,
        options: EngineOptions | None = None,
    ) -> None:
        self.brain = brain
        self.host = host
        self.options = options or EngineOptions()
        self._objects = brain.objects
        self._liveness = liveness
        self._applier = applier
        self._runs: dict[str, _Run] = {}
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="audit")
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._reviewed: float | None = None
        self._reviewed_generation = -1

    # Calls over the bus

    def trigger_audit(self, *, audit_uuid: str) -> None:
        """Look at once for audits to run: what is to be done is in the database."""
        LOG.debug("asked to run audit %s", audit_uuid)
        self._wake.set()

    def get_strategy_info(self, *, strategy_name: str) -> list[dict[str, Any]]:
        """Return what a strategy needs, and whether it is there."""
        return running.state_of(self.brain, strategy_name)

    def dry_run_audit(self, *, audit_uuid: str) -> dict[str, Any]:
        """Run an audit's strategy without storing a plan."""
        audit = self._objects.audits.get(audit_uuid)
        return as_answer(running.run(self.brain, audit, lambda: False, keep=False))

    # The loop

    def run(self) -> None:
        """Look again and again until `stop`."""
        while not self._stopping.is_set():
            try:
                self.look()
                self._review_now_and_then()
            except StoreUnavailable as error:
                LOG.warning("%s", error)
            except Exception:
                LOG.exception("a look at the audits failed")
            self._wake.wait(self._pause())
            self._wake.clear()

    def _pause(self) -> float:
        """Return how long nothing has to be done: until the next round, or the next look."""
        audits = self._objects.audits.find(
            {"audit_type": "CONTINUOUS", "state__in": _LIVE, "hostname": self.host}
        )
        now = self._objects.database.clock()
        due = [
            (audit.next_run_time - now).total_seconds()
            for audit in audits
            if audit.next_run_time is not None and audit.uuid not in self._runs
        ]
        return min([self.options.interval, *(max(0.05, seconds) for seconds in due)])

    def look(self) -> None:
        """Do what the states in the database ask for: one step of the loop."""
        self._stop_unwanted()
        now = self._objects.database.clock()
        alive = self._liveness.alive() | {self.host}
        live = self._objects.audits.find({"state__in": _LIVE})
        for audit in (*live, *self._objects.audits.find(_TOLD_AGAIN)):
            with self._lock:
                # `stop` takes the lock after it has told: what is begun here it waits for.
                if self._stopping.is_set():
                    return
                if audit.uuid not in self._runs:
                    self._look_at(audit, now, alive)

    def _look_at(self, audit: Audit, now: datetime, alive: set[str]) -> None:
        try:
            if audit.audit_type == "CONTINUOUS":
                self._look_at_continuous(audit, now, alive)
            else:
                self._look_at_single(audit, alive)
        except _LOST:
            LOG.debug("audit %s has changed meanwhile", audit.uuid)
        except InvalidInput as error:
            self._give_up(audit, error)
        except StoreUnavailable:
            raise
        except Exception:
            # What is wrong with one keeps nobody from the others.
            LOG.exception("audit %s cannot be looked at", audit.uuid)

    def _stop_unwanted(self) -> None:
        """End the runs of audits that were cancelled, suspended, removed or taken over."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            if not self._wanted(run.audit.uuid):
                run.stopped.set()

    def _wanted(self, uuid: str) -> bool:
        try:
            audit = self._objects.audits.get(uuid)
        except RecordNotFound:
            return False
        return audit.state == "ONGOING" and audit.hostname == self.host

    def _free(self) -> bool:
        with self._lock:
            return len(self._runs) < self.options.workers

    def _look_at_single(self, audit: Audit, alive: set[str]) -> None:
        if not self._free():
            return
        if audit.state != "ONGOING":
            if audit.audit_type == "ONESHOT" or audit.next_run_time is not None:
                self._begin(audit)
        elif audit.hostname == self.host or audit.hostname not in alive:
            LOG.warning("audit %s of %s is run anew", audit.uuid, audit.hostname)
            self._start(
                self._objects.audits.update(
                    audit.uuid, {"hostname": self.host}, where={"revision": audit.revision}
                )
            )

    def _begin(self, audit: Audit) -> None:
        self._start(
            self._objects.audits.transition(
                audit.uuid,
                "ONGOING",
                expected=audit.state,
                where={"revision": audit.revision},
                hostname=self.host,
                next_run_time=None,
                status_message=None,
            )
        )

    def _look_at_continuous(self, audit: Audit, now: datetime, alive: set[str]) -> None:
        mine = audit.hostname == self.host
        if not mine and audit.hostname in alive:
            return
        if schedule.is_over(audit, now):
            self._objects.audits.transition(
                audit.uuid,
                "SUCCEEDED",
                expected=_LIVE,
                where={"revision": audit.revision},
                next_run_time=None,
            )
            return
        if not schedule.has_begun(audit, now) or not self._free():
            return
        due = audit.next_run_time or schedule.first_round(audit, now)
        if mine and audit.next_run_time is not None and due > now:
            return
        # Whoever read an older state of the audit, be it ourselves a moment ago, loses here.
        audit = self._objects.audits.update(
            audit.uuid,
            {"hostname": self.host, "next_run_time": due},
            where={"revision": audit.revision},
        )
        if due > now:
            return
        if audit.state == "PENDING":
            audit = self._objects.audits.transition(
                audit.uuid, "ONGOING", expected="PENDING", where={"revision": audit.revision}
            )
        self._start(audit)

    def _give_up(self, audit: Audit, error: TachyonError) -> None:
        """End an audit that can never run."""
        try:
            self._objects.audits.transition(
                audit.uuid,
                "FAILED",
                where={"revision": audit.revision},
                status_message=error.message,
            )
        except _LOST:
            LOG.info("audit %s has changed meanwhile", audit.uuid)

    # One run

    def _start(self, audit: Audit) -> None:
        run = _Run(audit)
        with self._lock:
            self._runs[audit.uuid] = run
            run.future = self._pool.submit(self._run, run)

    def _run(self, run: _Run) -> None:
        audit = run.audit
        try:
            found = running.run(self.brain, audit, self._asker(run))
            plan = store(self._objects, audit, found, lambda: self._conclude(audit, found))
            LOG.info("audit %s: plan %s, %s", audit.uuid, plan.uuid, plan.state)
            if plan.state == "PENDING":
                self._launch(plan)
        except (Cancelled, *_LOST) as error:
            LOG.info("the run of audit %s is not wanted any more: %s", audit.uuid, error)
        except StoreUnavailable:
            LOG.exception("audit %s will be run anew", audit.uuid)
        except Exception as error:
            if not isinstance(error, TachyonError) or type(error) is TachyonError:
                LOG.exception("audit %s broke", audit.uuid)
            self._failed(audit, error)
        finally:
            # Before it counts as over: `stop` waits for what is under way.
            if self._stopping.is_set():
                self._hand_back(audit)
            with self._lock:
                self._runs.pop(audit.uuid, None)
            self._wake.set()

    def _asker(self, run: _Run) -> Callable[[], bool]:
        """Return what a strategy asks: whether it should end."""
        asked = time.monotonic()

        def cancelled() -> bool:
            nonlocal asked
            if not run.stopped.is_set() and time.monotonic() - asked > _ASK_EVERY:
                asked = time.monotonic()
                if not self._wanted(run.audit.uuid):
                    run.stopped.set()
            return run.stopped.is_set()

        return cancelled

    def _conclude(self, audit: Audit, found: Found | None, text: str | None = None) -> Audit:
        """Bring an audit into the state after a run; part of the transaction that stores it."""
        now = self._objects.audits.get(audit.uuid)
        if now.hostname != self.host or now.state != "ONGOING":
            raise StateConflict(f"audit {audit.uuid} is {now.state} at {now.hostname}")
        if found is not None:
            text = " ".join(found.warnings) or None
        if audit.audit_type != "CONTINUOUS":
            state = "SUCCEEDED" if found is not None else "PENDING"
            return self._objects.audits.transition(
                audit.uuid,
                state,
                expected="ONGOING",
                where={"revision": now.revision},
                status_message=text,
            )
        moment = self._objects.database.clock()
        assert audit.next_run_time is not None
        if now.next_run_time not in (None, audit.next_run_time):
            raise StateConflict(f"the round of audit {audit.uuid} has been run already")
        following = (
            # The interval has changed during the round: begin anew with it.
            schedule.next_round(now, moment, moment)
            if now.next_run_time is None
            else schedule.next_round(now, audit.next_run_time, moment)
        )
        if following is None:
            return self._objects.audits.transition(
                audit.uuid,
                "SUCCEEDED",
                expected="ONGOING",
                where={"revision": now.revision, "hostname": self.host},
                next_run_time=None,
                status_message=text,
            )
        return self._objects.audits.update(
            audit.uuid,
            {"next_run_time": following, "status_message": text},
            where={"revision": now.revision, "hostname": self.host, "state": "ONGOING"},
        )

    def _failed(self, audit: Audit, error: Exception) -> None:
        """Note a failed run; of an audit that goes on, only the round has failed."""
        said = error.message if isinstance(error, TachyonError) else f"{type(error).__name__}"
        try:
            if audit.audit_type == "ONESHOT" or self.options.end_failed_audits:
                self._objects.audits.transition(
                    audit.uuid,
                    "FAILED",
                    expected="ONGOING",
                    where={"hostname": self.host},
                    status_message=said,
                )
            else:
                round_text = f"The last round failed: {said}"
                self._objects.atomically(lambda: self._conclude(audit, None, round_text))
        except _LOST as lost:
            LOG.info("the failure of audit %s does not matter any more: %s", audit.uuid, lost)
        except TachyonError:
            LOG.exception("the failure of audit %s could not be noted", audit.uuid)

    def _launch(self, plan: ActionPlan) -> None:
        """Wake the appliers up for a plan that was started with its storing."""
        if self._applier is None:
            return
        try:
            self._applier.launch_action_plan(action_plan_uuid=plan.uuid)
        except ServiceUnavailable as error:
            LOG.warning("appliers will find plan %s by themselves: %s", plan.uuid, error)

    # Plans that nobody has started

    def _review_now_and_then(self) -> None:
        now = time.monotonic()
        if self._reviewed is None or now - self._reviewed >= self.options.review_interval:
            self._reviewed = now
            self.review()

    def review(self) -> None:
        """Supersede recommended plans that are too old, overtaken or out of step."""
        gone = superseding.supersede_old(self._objects, self.options.plan_expiry)
        gone += superseding.supersede_overtaken(self._objects)
        if self._objects.action_plans.find({"state": "RECOMMENDED"}, limit=1):
            view = self.brain.graph.view()
            if view.generation != self._reviewed_generation:
                gone += superseding.supersede_outdated(self._objects, view)
                self._reviewed_generation = view.generation
        for plan in gone:
            LOG.info("plan %s: %s", plan.uuid, plan.status_message)

    # The end

    @property
    def busy(self) -> int:
        """How many audits are run here."""
        with self._lock:
            return len(self._runs)

    def join(self, timeout: float) -> bool:
        """Wait for the runs under way; return whether all have ended."""
        with self._lock:
            futures = [run.future for run in self._runs.values() if run.future is not None]
        return not wait(futures, timeout=timeout).not_done

    def stop(self) -> None:
        """Begin nothing more; let runs end or break them off, and hand back what is not done."""
        self._stopping.set()
        self._wake.set()
        if not self.join(self.options.shutdown_timeout):
            with self._lock:
                runs = list(self._runs.values())
            for run in runs:
                run.stopped.set()
            self.join(self.options.shutdown_timeout)
        self._pool.shutdown(wait=False)

    def _hand_back(self, audit: Audit) -> None:
        """Let any engine go on with an audit that was not finished."""
        try:
            if audit.audit_type == "ONESHOT":
                self._objects.audits.transition(
                    audit.uuid,
                    "PENDING",
                    expected="ONGOING",
                    where={"hostname": self.host},
                    hostname=None,
                )
        except _LOST:
            LOG.debug("audit %s is done", audit.uuid)
        except TachyonError:
            LOG.exception("audit %s could not be handed back", audit.uuid)
