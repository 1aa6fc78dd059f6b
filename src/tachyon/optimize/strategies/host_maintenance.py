"""`host_maintenance`: clear one compute node, so that it can be taken out of service.

Specs cluster-maintenance-strategy and host-maintenance-strategy-disable-migration. The node's
service is disabled. All its instances go to one host: the backup node, or else an unused host that
Tachyon had disabled (`watcher_disabled`), which is enabled for it; where none has room for all of
them, they are spread evenly over the hosts in service, as Nova's scheduler does. Where one fits
nowhere, there is no plan.
Instances that are not to be touched, or that no migration can move (in error, suspended …), stay,
and are named.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tachyon.errors import NoDestination, ProviderNotFound
from tachyon.graph.deltas import UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64
from tachyon.optimize.migration import states
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import REASON_FOR_DISABLE, Eligibility
from tachyon.optimize.strategies.hosts import rows_by_name
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.services import enable

REASON_FOR_MAINTAINING = "watcher_maintaining"

#: Most instances that are named in a message.
_NAMED = 10


class HostMaintenance(Strategy):
    """Migrate or stop all instances of a compute node and disable it."""

    name = "host_maintenance"
    display_name = "Host Maintenance Strategy"
    goal = "cluster_maintaining"
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "maintenance_node": {
                "description": "The name of the compute node that needs maintenance.",
                "type": "string",
                "minLength": 1,
            },
            "backup_node": {
                "description": "The name of the compute node that is to take all instances.",
                "type": "string",
            },
            "disable_live_migration": {
                "description": "Migrate nothing live: active instances are migrated cold, or "
                "stopped where that is disabled, too.",
                "type": "boolean",
                "default": False,
            },
            "disable_cold_migration": {
                "description": "Migrate nothing cold: stopped instances stay.",
                "type": "boolean",
                "default": False,
            },
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least share of the node's instances that leave it or are stopped, from 0 to 1, "
                "for which there is a plan at all."
            ),
            **characters.PARAMETERS,
        },
        required=("maintenance_node",),
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """What characters ask about."""
        return characters.needs(self.parameters)

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves, and propose what no move expresses.

        Raises:
            ProviderNotFound: a node that a parameter names is not there, or out of scope.
            NoDestination: an instance fits nowhere, or the limits are in the way.
        """
        nodes = rows_by_name(session, ["compute"], context.scope)
        row = self._row(nodes, self.parameters["maintenance_node"])
        eligibility = self.eligibility(session, context)
        eligibility.targets[row] = False
        focus = np.zeros(session.view.provider_rows, np.bool_)
        focus[row] = True
        context.focus = focus
        placed = session.view.consumers.alive & (session.homes() == row)
        everyone = np.flatnonzero(placed & eligibility.instances).tolist()
        moving, stopping = self._sorted_out(session, context, eligibility, everyone)
        self._check(session, everyone, moving, stopping)
        if moving:
            backup = self.parameters.get("backup_node")
            preferred = None if not backup else self._row(nodes, backup)
            self._clear(session, eligibility, moving, preferred)
        self._propose(session, context, moving, stopping)
        field = session.state.provider_field
        # Who disabled it for another reason keeps it; no other strategy enables it again.
        if field(row, "status") == "enabled" or field(row, "disabled_reason") == REASON_FOR_DISABLE:
            session.record(
                UpdateProvider(
                    provider_uuid=session.view.providers.uuid[row],
                    status="disabled",
                    disabled_reason=REASON_FOR_MAINTAINING,
                )
            )

    @staticmethod
    def _row(nodes: dict[str, int], name: str) -> int:
        row = nodes.get(name)
        if row is None:
            raise ProviderNotFound(name)
        return row

    def _sorted_out(
        self, session: Session, context: Context, eligibility: Eligibility, everyone: list[int]
    ) -> tuple[list[int], list[int]]:
        """Return who is migrated and who is stopped; says of the others why they stay."""
        c, codes = session.view.consumers, session.view.codes
        no_live = self.parameters["disable_live_migration"]
        no_cold = self.parameters["disable_cold_migration"]
        moving, stopping, stay = [], [], []
        for row in everyone:
            state = codes.state.value(int(c.state[row])) or ""
            reasons = eligibility.why_not(row)
            live = state in states(cold=False)
            if reasons:
                stay.append(f"{c.uuid[row]} ({', '.join(reasons)})")
            elif (live and not no_live) or (state == "active" and not no_cold):
                moving.append(row)
            elif state == "active":
                stopping.append(row)
            elif live:
                stay.append(f"{c.uuid[row]} ({state}: can be migrated live only)")
            elif no_cold:
                stay.append(f"{c.uuid[row]} ({state}: cold migration is disabled)")
            else:
                moving.append(row)
        if stay:
            named = ", ".join(stay[:_NAMED]) + (", …" if len(stay) > _NAMED else "")
            context.warnings.append(f"{len(stay)} instances stay on the node: {named}")
        return moving, stopping

    def _check(
        self, session: Session, everyone: list[int], moving: list[int], stopping: list[int]
    ) -> None:
        limit, gain = self.parameters["migration_limit"], self.parameters["minimum_gain"]
        if limit and len(moving) > limit:
            raise self._impossible(
                session, moving, f"{len(moving)} instances to migrate, {limit} allowed"
            )
        handled = len(moving) + len(stopping)
        if everyone and handled / len(everyone) < gain:
            raise self._impossible(
                session,
                everyone,
                f"only {handled} of {len(everyone)} instances could leave or be stopped",
            )

    def _clear(
        self,
        session: Session,
        eligibility: Eligibility,
        moving: list[int],
        preferred: int | None,
    ) -> None:
        """Move instances to the backup node, else to an unused host, else to all others."""
        hosts = eligibility.targets | eligibility.reusable
        if preferred is not None:
            hosts[preferred] |= eligibility.reusable[preferred]
        packer = Packer(eligibility, {}, hosts=hosts)
        packer.open_only(eligibility.targets)
        size = (packer.demand[moving] / packer.norm).max(axis=1)
        order = [moving[k] for k in np.argsort(-size, kind="stable").tolist()]
        homes = session.homes()
        used = np.bincount(homes[homes >= 0], minlength=hosts.size) > 0
        unused = eligibility.reusable & ~used
        single = [preferred] if preferred is not None else []
        for host in (*single, *np.flatnonzero(unused).tolist()):
            if packer.position[host] >= 0 and self._all_to(session, packer, order, host):
                return
        if all(packer.place(row, packer.fullness()) >= 0 for row in order):
            return
        packer.back_to(0)
        # Close together, more of them find room than evenly spread.
        rest = [row for row in order if packer.place(row) < 0]
        if rest:
            packer.back_to(0)
            raise self._impossible(session, rest, f"{len(rest)} instances fit on no other host")

    @staticmethod
    def _all_to(session: Session, packer: Packer, order: list[int], host: int) -> bool:
        """Move all to one host, which is enabled if need be, or nobody."""
        eligibility = packer.eligibility
        at, count = int(packer.position[host]), session.delta_count
        closed = not eligibility.targets[host]
        if closed:
            packer.admit(host)
            enable(session, host)
        rank: F64 = np.full(packer.rows.size, np.inf)
        rank[at] = 0.0
        mark = packer.mark()
        if all(packer.place(row, rank) >= 0 for row in order):
            return True
        packer.back_to(mark)
        if closed:
            session.undo(session.delta_count - count)
            packer.shut(host)
        return False

    def _propose(
        self, session: Session, context: Context, moving: list[int], stopping: list[int]
    ) -> None:
        uuid = session.view.consumers.uuid
        for row in stopping:
            context.propose("stop", uuid[row])
        if self.parameters["disable_live_migration"]:
            # Nova stops an active instance for a cold migration, and starts it at the end.
            for row in moving:
                context.propose("migrate", uuid[row], {"migration_type": "cold"})

    def _impossible(self, session: Session, rows: list[int], text: str) -> NoDestination:
        uuids = [session.view.consumers.uuid[row] for row in rows]
        named = ", ".join(uuids[:_NAMED]) + (", …" if len(uuids) > _NAMED else "")
        return NoDestination(
            f"node {self.parameters['maintenance_node']} cannot be cleared: {text} ({named})",
            instances=uuids,
        )
