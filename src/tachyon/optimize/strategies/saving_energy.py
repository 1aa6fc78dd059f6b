"""`saving_energy`: switch off bare metal nodes of unused compute hosts, or on where few are left.

Spec energy-saving-strategy. Unused hosts that are on are standbys for a boom of new instances. How
many there should be is the larger of a number and a share of the hosts in use; what is too many is
switched off, what is missing is switched on, by chance. Nodes are those of Ironic or MAAS in the
graph (type `baremetal`), tied to a compute host by its id in `extra` (`compute_node_id`), or by
the name. Hosts that an operator disabled, and nodes in maintenance, are left alone.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from msgspec import Struct

from tachyon.graph.deltas import UpdateProvider
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import Bool
from tachyon.optimize.folding import hosts_in_use
from tachyon.optimize.goals.saving_energy import is_on
from tachyon.optimize.strategies import options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.hosts import rows_by_name

#: Where the node of a compute host may be named in the node's `extra`.
_TIES = ("compute_node_id", "hypervisor_hostname", "hostname", "fqdn")


class _Pair(Struct, frozen=True):
    """A bare metal node and the compute host that runs on it, by their rows."""

    node: int
    host: int


class SavingEnergy(Strategy):
    """Keep a number of standbys powered on."""

    name = "saving_energy"
    display_name = "Saving Energy Strategy"
    goal = "saving_energy"
    models = ("compute", "baremetal")
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "free_used_percent": options.threshold(
                "Standbys wanted, in per cent of the hosts in use.", 10.0
            ),
            "min_free_hosts_num": {
                "description": "Standbys wanted at least.",
                "type": "number",
                "minimum": 0,
                "default": 1,
            },
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least number of nodes to switch for which there is a plan at all."
            ),
        }
    )

    def execute(self, session: Session, context: Context) -> None:
        """Record the changes of power states."""
        pairs = self._pairs(session, context)
        focus = np.zeros(session.view.provider_rows, np.bool_)
        focus[[pair.node for pair in pairs]] = True
        context.focus = focus
        used = hosts_in_use(session)
        in_use = [p for p in pairs if used[p.host]]
        free = [p for p in pairs if not used[p.host]]
        idle = [p for p in free if self._on(session, p) is True and self._up(session, p)]
        off = [p for p in free if self._on(session, p) is False]
        wanted = int(
            max(
                len(in_use) * self.parameters["free_used_percent"] / 100.0,
                self.parameters["min_free_hosts_num"],
            )
        )
        surplus = len(idle) - wanted
        chosen, state = (idle, "power off") if surplus > 0 else (off, "power on")
        count = min(abs(surplus), len(chosen))
        if count < self.parameters["minimum_gain"]:
            return
        for k in sorted(context.rng.choice(len(chosen), count, replace=False)) if count else ():
            session.record(
                UpdateProvider(
                    provider_uuid=session.view.providers.uuid[chosen[k].node], power_state=state
                )
            )

    def _pairs(self, session: Session, context: Context) -> list[_Pair]:
        """Return the nodes of compute hosts in scope that may be switched."""
        view = session.view
        hosts = session.mask(types=["compute"])
        if context.scope is not None:
            hosts &= context.scope
        names = rows_by_name(session, ["compute"], context.scope)
        found = []
        for node in np.flatnonzero(session.mask(types=["baremetal"])).tolist():
            record = view.provider_at(node)
            host = self._host(session, record, hosts, names)
            if host is not None and not record.maintenance and self._ours(session, host):
                found.append(_Pair(node, host))
        return found

    @staticmethod
    def _host(
        session: Session, node: ResourceProvider, hosts: Bool, names: dict[str, int]
    ) -> int | None:
        """Return the compute host of a node: by uuid, by hypervisor id, or by name."""
        view = session.view
        for key in (*(node.extra.get(tie) for tie in _TIES), node.name):
            if key is None:
                continue
            row = view.providers.index.get(str(key), -1)
            if not 0 <= row < hosts.size or not hosts[row]:
                row = names.get(str(key), -1)
            if row >= 0:
                return row
        return None

    @staticmethod
    def _ours(session: Session, host: int) -> bool:
        """Tell whether a host is in service, or disabled by Tachyon and by nobody else."""
        field = session.state.provider_field
        if field(host, "maintenance"):
            return False
        reason = field(host, "disabled_reason") or ""
        return field(host, "status") == "enabled" or reason == "watcher_disabled"

    @staticmethod
    def _on(session: Session, pair: _Pair) -> bool | None:
        return is_on(session.state.provider_field(pair.node, "power_state"))

    @staticmethod
    def _up(session: Session, pair: _Pair) -> bool:
        return bool(session.state.provider_field(pair.host, "state") == "up")
