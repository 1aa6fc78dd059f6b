"""Evacuation: a server is built again elsewhere because its host is down."""

from __future__ import annotations

from dataclasses import replace

from tachyon.openstack.emulator.clock import Work
from tachyon.openstack.emulator.cloud import Cloud
from tachyon.openstack.emulator.notifications.nova import API, compute
from tachyon.openstack.emulator.operations.scheduling import select
from tachyon.openstack.emulator.operations.task import Task, WorkFailed
from tachyon.openstack.emulator.operations.volume import follow_server
from tachyon.openstack.emulator.state.compute import RUNNING, SHUTDOWN, Host, Migration
from tachyon.openstack.emulator.state.placement import Refused as PlacementRefused


def evacuate(task: Task, migration: Migration, wanted: Host | None, *, stopped: bool) -> Work:
    """Build the server again on another host; from API 2.95 on it is stopped there.

    Until the host that was left comes back it keeps its allocations.
    """
    server, placement = task.server, task.cloud.placement
    source = task.cloud.compute.hosts[server.host or ""]
    stopped = stopped or server.vm_state == "stopped"
    task.set(task="rebuilding")
    task.tell.instance("evacuate", server, API)
    yield task.step
    try:
        target, held = select(task, server.flavor, wanted=wanted, leaving=source)
        placement.write([task.holder(server.uuid, {**placement.held_by(server.uuid), **held})])
    except (WorkFailed, PlacementRefused) as error:
        task.mark(migration, "error")
        task.fail(str(error), state="error")
        return
    publisher = compute(target.name)
    migration.destination = target.name
    task.tell.instance("rebuild_scheduled", server, f"nova-conductor:{target.name}")
    task.mark(migration, "pre-migrating")
    yield task.step
    task.tell.exists(server, publisher)
    task.tell.instance("rebuild.start", server, publisher)
    task.set(task="rebuild_block_device_mapping")
    task.set(task="rebuild_spawning")
    yield task.cloud.durations.boot
    if task.breaks("evacuation", target):
        task.mark(migration, "failed")
        task.fail("Rebuild failed: a fault was asked for.", state="error")
        return
    server.launched = task.cloud.now()
    if stopped:
        task.set(task="powering-off", state="active", power=RUNNING)
        task.tell.instance("power_off.start", server, publisher)
        task.set(task=None, state="stopped", power=SHUTDOWN)
        task.tell.instance("power_off.end", server, publisher)
    else:
        task.set(task=None, state="active", power=RUNNING)
    # Told before the record says that the server has moved, as Nova does.
    task.tell.instance("rebuild.end", server, publisher)
    task.mark(migration, "done")
    task.set(host=target)
    follow_server(task.cloud, task.requester, server)


def host_returns(cloud: Cloud, host: Host) -> None:
    """Let a nova-compute start again: it gives back what evacuated servers held there."""
    host.alive = True
    tree = {host.uuid, *(p.uuid for p in cloud.placement.below(host.uuid))}
    for migration in cloud.compute.migrations.values():
        if (migration.kind, migration.source, migration.status) != (
            "evacuation",
            host.name,
            "done",
        ):
            continue
        migration.status = "completed"
        migration.updated = cloud.now()
        holder = cloud.placement.holders.get(migration.server.uuid)
        if holder is not None:
            kept = {uuid: r for uuid, r in holder.held.items() if uuid not in tree}
            cloud.placement.write([replace(holder, held=kept)])
