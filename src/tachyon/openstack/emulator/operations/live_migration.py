"""Live migration: the server moves while it runs; it can be aborted, or made to end."""

from __future__ import annotations

from tachyon.openstack.emulator.clock import Work
from tachyon.openstack.emulator.notifications.nova import compute, instance
from tachyon.openstack.emulator.operations.scheduling import held_on, select
from tachyon.openstack.emulator.operations.task import Task, WorkFailed
from tachyon.openstack.emulator.operations.volume import follow_server
from tachyon.openstack.emulator.state.compute import Host, Migration
from tachyon.openstack.emulator.state.placement import Held
from tachyon.openstack.emulator.state.placement import Refused as PlacementRefused

ABORT, COMPLETE = "abort", "complete"


def live_migrate(task: Task, migration: Migration, wanted: Host | None, *, force: bool) -> Work:
    """Move the server to the host that is wanted, or to one that the scheduler chooses.

    `force` goes past the scheduler, not past Placement (Nova API 2.30 to 2.67).
    """
    server = task.server
    source = task.cloud.compute.hosts[server.host or ""]
    task.set(task="migrating")
    yield task.step
    try:
        target, held = _destination(task, source, wanted, force=force)
        task.hold_for_migration(migration, held)
    except (WorkFailed, PlacementRefused) as error:
        task.mark(migration, "error")
        if task.cloud.placement.held_by(migration.uuid):
            task.take_back(migration)
        task.fail(str(error))
        return
    migration.destination = target.name
    task.mark(migration, "preparing")
    yield task.step
    task.tell.instance("live_migration_pre.start", server, compute(target.name))
    yield task.step
    task.tell.instance("live_migration_pre.end", server, compute(target.name))
    task.mark(migration, "running")
    word = yield task.cloud.durations.live_migration
    if word == ABORT:
        yield from _roll_back(task, migration, source, "cancelled")
        return
    # A host that died meanwhile takes nothing.
    if task.breaks("live-migration", target) or not target.up:
        yield from _roll_back(task, migration, source, "failed")
        return
    yield from _hand_over(task, migration, source, target)


def _destination(
    task: Task, source: Host, wanted: Host | None, *, force: bool
) -> tuple[Host, Held]:
    server = task.server
    if wanted is source:
        raise WorkFailed(f"Unable to migrate instance ({server.uuid}) to current host")
    if wanted is None or not force:
        return select(task, server.flavor, wanted=wanted, leaving=source)
    if not wanted.up:
        raise WorkFailed(f"Compute service of {wanted.name} is unavailable at this time.")
    held = held_on(task.cloud, server, server.flavor, wanted)
    if held is None:
        raise WorkFailed(f"Unable to claim resources on the destination {wanted.name}.")
    return wanted, held


def _roll_back(task: Task, migration: Migration, source: Host, status: str) -> Work:
    task.tell.instance("live_migration_rollback.start", task.server, compute(source.name))
    yield task.step
    task.take_back(migration)
    task.set(task=None)
    task.mark(migration, status)
    task.tell.instance("live_migration_rollback.end", task.server, compute(source.name))


def _hand_over(task: Task, migration: Migration, source: Host, target: Host) -> Work:
    server = task.server
    task.tell.instance("live_migration_post.start", server, compute(source.name))
    # The source's copy of the record never learns that the server has moved.
    stale = instance(server)
    yield task.step
    task.tell.instance("live_migration_post_dest.start", server, compute(target.name))
    yield task.step
    task.set(task=None, host=target)
    follow_server(task.cloud, task.requester, server)
    task.tell.instance("live_migration_post_dest.end", server, compute(target.name))
    yield task.step
    task.drop_source(migration)
    task.mark(migration, "completed")
    task.tell.instance("live_migration_post.end", server, compute(source.name), stale=stale)
