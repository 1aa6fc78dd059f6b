"""`zone_migration`: clear a set of hosts and pools for work on the hardware.

Spec zone-migration-strategy. Volumes go first, then instances, each in the order of the audit's
priorities. Where the audit names no destination, one is chosen that is not to be cleared itself:
the least full host, so that load stays spread, unless somebody then finds no room.
`parallel_*` limit how many migrations run at a time; all that can go is planned, unless
`migration_limit` says how many.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tachyon.errors import Conflict, ProviderNotFound
from tachyon.graph.deltas import Move
from tachyon.graph.simulation import Session
from tachyon.graph.view.columns import F64, NO_TIME, Bool
from tachyon.optimize.strategies import characters, options
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context
from tachyon.optimize.strategies.eligibility import Eligibility
from tachyon.optimize.strategies.hosts import held, rows_by_name
from tachyon.optimize.strategies.measurements import MetricNeed
from tachyon.optimize.strategies.packing import Packer
from tachyon.optimize.strategies.volumes import (
    Retypes,
    Volume,
    backend_of,
    retype,
    serves,
    volume_types,
    volumes,
    why_fixed,
)

_COMPUTE = ("vcpu_num", "mem_size", "disk_size", "created_at")
_STORAGE = ("size", "created_at")
_CLASS = {"vcpu_num": "VCPU", "mem_size": "MEMORY_MB", "disk_size": "DISK_GB"}


def _text(description: str) -> options.Schema:
    return {"description": description, "type": "string", "minLength": 1}


def _names(description: str) -> options.Schema:
    return {"description": description, "type": "array", "items": {"type": "string"}}


def _attributes(description: str, known: tuple[str, ...]) -> options.Schema:
    one = {"type": "string", "enum": list(known)}
    return {
        "description": f"{description} The greatest first; created_at: the youngest first.",
        "anyOf": [one, {"type": "array", "items": one, "uniqueItems": True}],
    }


def _limit(description: str, default: int) -> options.Schema:
    return {
        "description": f"{description} 0: any number.",
        "type": "integer",
        "minimum": 0,
        "default": default,
    }


_POOL: options.Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "src_pool": _text("Name of the pool to be cleared (host@backend#pool)."),
        "dst_pool": _text("Name of the pool that volumes migrate to."),
        "src_type": _text("Only volumes of this type."),
        "dst_type": _text("The type that volumes are changed to."),
    },
    "required": ["src_pool"],
    "oneOf": [{"required": ["dst_pool"]}, {"required": ["dst_type"]}],
}


class ZoneMigration(Strategy):
    """Migrate all instances and volumes of some hosts and pools."""

    name = "zone_migration"
    display_name = "Zone migration"
    goal = "hardware_maintenance"
    models = ("compute", "storage")
    schema: ClassVar[options.Schema] = options.parameters(
        {
            "compute_nodes": {
                "description": "The hosts to be cleared.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "src_node": _text("Name of the host to be cleared."),
                        "dst_node": _text("Name of the host that its instances migrate to."),
                    },
                    "required": ["src_node"],
                },
                "default": [],
            },
            "storage_pools": {
                "description": "The pools to be cleared; each with dst_pool or dst_type.",
                "type": "array",
                "items": _POOL,
                "default": [],
            },
            "parallel_total": _limit("Migrations that run at a time.", 6),
            "parallel_per_node": _limit("Migrations at a time from or to one host.", 2),
            "parallel_per_pool": _limit("Migrations at a time from or to one pool.", 2),
            "priority": {
                "description": "What goes first; the first key counts most.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "project": _names("Ids or names of projects, the first one first."),
                    "compute_node": _names("Names of hosts, the first one first."),
                    "storage_pool": _names("Names of pools, the first one first."),
                    "compute": _attributes("Attributes of instances.", _COMPUTE),
                    "storage": _attributes("Attributes of volumes.", _STORAGE),
                },
                "default": {},
            },
            "with_attached_volume": {
                "description": "Whether an instance follows right behind its volume.",
                "type": "boolean",
                "default": False,
            },
            "migration_limit": options.migration_limit(),
            "minimum_gain": options.minimum_gain(
                "Least share of what should go, from 0 to 1, that has to find a place for a plan "
                "at all."
            ),
            **characters.PARAMETERS,
        }
    )

    def metrics(self) -> tuple[MetricNeed, ...]:
        """What characters ask about."""
        return characters.needs(self.parameters)

    def in_flight(self) -> dict[str, int]:
        """Return the limits of the parameters."""
        return {
            "total": self.parameters["parallel_total"],
            "per_host": self.parameters["parallel_per_node"],
            "per_pool": self.parameters["parallel_per_pool"],
        }

    def execute(self, session: Session, context: Context) -> None:
        """Record the moves, and propose the changes of types.

        Raises:
            ProviderNotFound: a destination is not there, or out of scope.
        """
        deltas, proposals = session.delta_count, len(context.proposals)
        warnings = len(context.warnings)
        run = _Run(self, session, context, even=True)
        run.migrate()
        if run.homeless:
            # Close together, more of them find room than evenly spread.
            session.undo(session.delta_count - deltas)
            del context.proposals[proposals:], context.warnings[warnings:]
            run = _Run(self, session, context, even=False)
            run.migrate()
        run.finish()


class _Run:
    """One try: who is to go where, and what was planned of it.

    Instances whose destination is to be chosen are spread over the hosts as evenly as can be, or
    packed.
    """

    def __init__(
        self, strategy: ZoneMigration, session: Session, context: Context, *, even: bool
    ) -> None:
        self._even = even
        self.session = session
        self.context = context
        self.parameters: dict[str, Any] = strategy.parameters
        self.eligibility: Eligibility = strategy.eligibility(session, context)
        self.homes = session.homes().astype(np.int64).copy()
        hosts = rows_by_name(session, ["compute"], context.scope)
        pools = rows_by_name(session, ["pool"], context.scope)
        #: Row of each source → row of its destination (None: to be chosen).
        self.nodes: dict[int, int | None] = {}
        for entry in self.parameters["compute_nodes"]:
            source = self._source(hosts, entry["src_node"])
            target = entry.get("dst_node")
            if source is not None:
                self.nodes[source] = None if target is None else _row(hosts, target)
        #: Row of each source → its entries.
        self.pools: dict[int, list[dict[str, Any]]] = {}
        for entry in self.parameters["storage_pools"]:
            source = self._source(pools, entry["src_pool"])
            if "dst_pool" in entry:
                _row(pools, entry["dst_pool"])
            if source is not None:
                self.pools.setdefault(source, []).append(entry)
        self.pool_rows = pools
        self.instances = self._instances()
        found = volumes(
            session,
            context,
            self.pools,
            check_optimize_metadata=strategy.options.check_optimize_metadata,
        )
        self.volumes = [v for v in found if self._entry(v)]
        self.types = volume_types(session)
        self.retypes = Retypes(session, self.types)
        wanted = np.zeros(session.view.consumer_rows, np.bool_)
        wanted[self.instances] = True
        wanted[[v.row for v in self.volumes]] = True
        context.wanted = wanted
        self.packer = self._packer()
        self.done: set[int] = set()
        self.planned = 0
        self.stay: list[str] = []
        self.homeless = 0

    def migrate(self) -> None:
        """Record the moves, and propose the changes of types: volumes first."""
        self._migrate_volumes()
        self._migrate_instances()

    def _source(self, rows: dict[str, int], name: str) -> int | None:
        row = rows.get(name)
        if row is None:
            self.context.warnings.append(f"{name} is not there, or out of the audit's scope")
        return row

    def _instances(self) -> list[int]:
        """Return the instances to go in the order of their priority, those that stay last."""
        mask = np.zeros(self.session.view.provider_rows, np.bool_)
        mask[list(self.nodes)] = True
        excluded = self.eligibility.reasons
        rows: Bool = self.eligibility.instances & mask[self.homes]
        for reason in ("locked", "excluded (watcher_exclude)", "excluded by the audit's scope"):
            if reason in excluded:
                rows &= ~excluded[reason]
        return self._by_priority(np.flatnonzero(rows).tolist(), volumes_too=False)

    def _packer(self) -> Packer:
        packer = Packer(self.eligibility, {}, vacate=True)
        # Nothing is brought to hosts that are to be cleared, unless the audit names them.
        named = {target for target in self.nodes.values() if target is not None}
        for row in self.nodes:
            if row not in named:
                packer.set_open(row, wanted=False)
        return packer

    def _entry(self, volume: Volume) -> dict[str, Any] | None:
        """Return what is to be done with a volume: by its type, else for any type."""
        entries = self.pools.get(volume.pool, ())
        for entry in entries:
            if entry.get("src_type") == volume.type_name and "src_type" in entry:
                return entry
        return next((entry for entry in entries if "src_type" not in entry), None)

    def _by_priority(self, rows: list[int], *, volumes_too: bool) -> list[int]:
        """Return consumer rows in the order of the priorities that concern them."""
        keys: list[F64] = []
        at = np.array(rows, np.int64)
        for name, given in self.parameters["priority"].items():
            if name == "project":
                keys.append(self._place_of_project(at, given))
            elif name == ("storage_pool" if volumes_too else "compute_node"):
                keys.append(self._place_of_host(at, given))
            elif name == ("storage" if volumes_too else "compute"):
                attributes = [given] if isinstance(given, str) else given
                keys += [-self._attribute(at, attribute) for attribute in attributes]
        order = np.lexsort((at, *reversed(keys)))
        return [rows[k] for k in order.tolist()]

    def _place_of_project(self, rows: np.typing.NDArray[np.int64], given: list[str]) -> F64:
        view = self.session.view
        place = {name: k for k, name in reversed(list(enumerate(given)))}
        codes = view.codes.project
        found = []
        for code in view.consumers.project[rows].tolist():
            key = codes.value(code)
            record = view.project(key)
            names = [key, None if record is None else record.name]
            found.append(min((place[n] for n in names if n in place), default=len(given)))
        return np.array(found, np.float64)

    def _place_of_host(self, rows: np.typing.NDArray[np.int64], given: list[str]) -> F64:
        place = {name: k for k, name in reversed(list(enumerate(given)))}
        names = [self.session.view.provider_at(home).name for home in self.homes[rows].tolist()]
        return np.array([place.get(name, len(given)) for name in names], np.float64)

    def _attribute(self, rows: np.typing.NDArray[np.int64], name: str) -> F64:
        view = self.session.view
        if name == "created_at":
            created = view.consumers.created_at[rows]
            return np.where(created == NO_TIME, -np.inf, created.astype(np.float64))
        return held(view, _CLASS.get(name, "DISK_GB"))[rows]

    def _full(self) -> bool:
        limit = self.parameters["migration_limit"]
        return bool(limit and self.planned >= limit)

    def _migrate_volumes(self) -> None:
        """Record or propose what happens to volumes; their instances may follow at once."""
        by_row = {volume.row: volume for volume in self.volumes}
        going = set(self.instances)
        for row in self._by_priority(list(by_row), volumes_too=True):
            if self._full():
                return
            volume = by_row[row]
            reason = why_fixed(self.session, volume) or self._migrate_volume(volume)
            if reason is not None:
                self.stay.append(f"volume {volume.record.uuid} ({reason})")
                continue
            self.planned += 1
            if self.parameters["with_attached_volume"]:
                for attachment in volume.record.attachments:
                    instance = self.session.state.find_consumer(attachment.consumer_uuid)
                    if instance is not None and instance in going and not self._full():
                        self._migrate_instance(instance)

    def _migrate_volume(self, volume: Volume) -> str | None:
        """Plan one volume; return why it cannot be, None when it is planned."""
        entry, view = self._entry(volume) or {}, self.session.view
        wanted = entry.get("dst_type")
        if wanted is not None and wanted != volume.type_name:
            if not self.retypes.plan(volume, wanted):
                return f"the pools that offer the type {wanted} may have no room for it"
            retype(self.context, volume, wanted)
            return None
        if "dst_pool" not in entry:
            return "it has the wanted type, and no pool is given"
        target = self.pool_rows[entry["dst_pool"]]
        if target == volume.pool:
            return "it is there already"
        record, backend = view.provider_at(target), backend_of(self.session, target)
        if not serves(volume, record, backend, self.types):
            return f"{record.name} does not offer its type {volume.type_name}"
        if not self.retypes.take(target, volume.size):
            return f"{record.name} has room for volumes of its type only"
        try:
            self.session.record(
                Move(
                    consumer_uuid=volume.record.uuid,
                    to_provider=view.providers.uuid[target],
                )
            )
        except Conflict as refusal:
            self.retypes.give(target, volume.size)
            return refusal.message
        return None

    def _migrate_instances(self) -> None:
        """Record the moves of instances that have not followed their volumes."""
        for done, row in enumerate(self.instances):
            if self._full():
                return
            self.context.step(done, len(self.instances), f"{self.planned} migrations")
            self._migrate_instance(row)

    def _migrate_instance(self, row: int) -> None:
        if row in self.done:
            return
        self.done.add(row)
        uuid = self.session.view.consumers.uuid[row]
        reasons = self.eligibility.why_not(row)
        if reasons:
            self.stay.append(f"instance {uuid} ({', '.join(reasons)})")
            return
        target = self.nodes[int(self.homes[row])]
        rank = self.packer.fullness() if self._even else None
        if target is not None:
            rank = np.full(self.packer.rows.size, np.inf)
            if self.packer.position[target] >= 0:
                rank[self.packer.position[target]] = 0.0
        if self.packer.place(row, rank) < 0:
            self.homeless += target is None
            self.stay.append(f"instance {uuid} (no destination has room for it)")
            return
        self.planned += 1

    def finish(self) -> None:
        """Tell who stays, and take everything back when too few can go."""
        named = ", ".join(self.stay[:10]) + (", …" if len(self.stay) > 10 else "")
        if self.stay:
            self.context.warnings.append(f"{len(self.stay)} stay where they are: {named}")
        everyone = len(self.instances) + len(self.volumes)
        gain = self.parameters["minimum_gain"]
        if everyone and self.planned / everyone < gain:
            self.session.undo(self.session.delta_count)
            self.context.proposals.clear()
            self.context.warnings.append(
                f"only {self.planned} of {everyone} could go; there is no plan"
            )


def _row(rows: dict[str, int], name: str) -> int:
    row = rows.get(name)
    if row is None:
        raise ProviderNotFound(name)
    return row
