"""Cold migration and resize: prepared, copied, finished, then confirmed or reverted."""

from __future__ import annotations

from tachyon.openstack.emulator.clock import Work
from tachyon.openstack.emulator.notifications.nova import compute, flavor
from tachyon.openstack.emulator.operations.scheduling import select
from tachyon.openstack.emulator.operations.task import Task, WorkFailed
from tachyon.openstack.emulator.operations.volume import follow_server
from tachyon.openstack.emulator.state.compute import (
    RUNNING,
    SHUTDOWN,
    Flavor,
    Host,
    Migration,
)
from tachyon.openstack.emulator.state.placement import Refused as PlacementRefused


def resize(task: Task, migration: Migration, new: Flavor, wanted: Host | None) -> Work:
    """Move the server to another host, with the flavor that it will have there."""
    server = task.server
    source = task.cloud.compute.hosts[server.host or ""]
    task.set(task="resize_prep")
    yield task.step
    try:
        target, held = select(task, new, wanted=wanted, leaving=source)
        task.hold_for_migration(migration, held)
    except (WorkFailed, PlacementRefused) as error:
        task.mark(migration, "error")
        if task.cloud.placement.held_by(migration.uuid):
            task.take_back(migration)
        task.fail(str(error))
        return
    migration.destination = target.name
    here, there = compute(source.name), compute(target.name)
    task.mark(migration, "pre-migrating")
    yield task.step
    task.tell.exists(server, there)
    more = {"new_flavor": flavor(new)}
    task.tell.instance("resize_prep.start", server, there, more=more)
    task.tell.instance("resize_prep.end", server, there, more=more)
    yield task.step
    task.set(task="resize_migrating")
    task.mark(migration, "migrating")
    task.tell.instance("resize.start", server, here)
    yield task.cloud.durations.cold_migration
    if task.breaks(migration.kind, target) or not target.up:
        task.take_back(migration)
        task.mark(migration, "error")
        task.fail(f"Resize error: the copy to {target.name} failed.", state="error")
        return
    task.mark(migration, "post-migrating")
    task.set(task="resize_migrated", host=target)
    task.tell.instance("resize.end", server, here)
    yield task.step
    server.old_flavor, server.old_vm_state = server.flavor, server.vm_state
    server.flavor = new
    task.set(task="resize_finish")
    task.tell.instance("resize_finish.start", server, there)
    follow_server(task.cloud, task.requester, server)
    yield task.step
    task.mark(migration, "finished")
    server.launched = task.cloud.now()
    task.set(task=None, state="resized")
    task.tell.instance("resize_finish.end", server, there)


def confirm(task: Task, migration: Migration) -> Work:
    """Keep the server where it is now, and give back what it held before."""
    server = task.server
    source = compute(migration.source)
    task.mark(migration, "confirming")
    yield task.step
    task.tell.instance("resize_confirm.start", server, source)
    yield task.step
    task.drop_source(migration)
    task.mark(migration, "confirmed")
    state = _former_state(task)
    server.old_flavor = server.old_vm_state = None
    task.set(task=None, state=state)
    task.tell.instance("resize_confirm.end", server, source)


def revert(task: Task, migration: Migration) -> Work:
    """Bring the server back to where and what it was."""
    server = task.server
    source = task.cloud.compute.hosts[migration.source]
    task.mark(migration, "reverting")
    task.set(task="resize_reverting")
    yield task.step
    task.tell.exists(server, compute(server.host))
    task.take_back(migration)
    task.tell.instance("resize_revert.start", server, compute(source.name))
    yield task.step
    if server.old_flavor is not None:
        server.flavor = server.old_flavor
    state = _former_state(task)
    server.old_flavor = server.old_vm_state = None
    task.set(host=source)
    follow_server(task.cloud, task.requester, server)
    yield task.step
    task.mark(migration, "reverted")
    task.set(task=None, state=state)
    task.tell.instance("resize_revert.end", server, compute(source.name))


def _former_state(task: Task) -> str:
    """Return the state to go back to; a server that was stopped stays so."""
    stopped = task.server.old_vm_state == "stopped"
    task.server.power_state = SHUTDOWN if stopped else RUNNING
    return "stopped" if stopped else "active"
