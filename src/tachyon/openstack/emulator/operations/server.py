"""What a server does by itself: boot, start, stop, pause, suspend, shelve, reboot, lock, end."""

from __future__ import annotations

from tachyon.openstack.emulator.clock import Work
from tachyon.openstack.emulator.notifications.nova import API, compute
from tachyon.openstack.emulator.operations.scheduling import select
from tachyon.openstack.emulator.operations.task import Task, WorkFailed
from tachyon.openstack.emulator.operations.volume import forget_server
from tachyon.openstack.emulator.state.compute import (
    NOSTATE,
    RUNNING,
    SHUTDOWN,
    Host,
    power_of,
)
from tachyon.openstack.emulator.state.image import Image
from tachyon.openstack.emulator.state.placement import Refused as PlacementRefused

#: Action → event, task meanwhile, state afterwards.
SIMPLE = {
    "os-stop": ("power_off", "powering-off", "stopped"),
    "os-start": ("power_on", "powering-on", "active"),
    "pause": ("pause", "pausing", "paused"),
    "unpause": ("unpause", "unpausing", "active"),
    "suspend": ("suspend", "suspending", "suspended"),
    "resume": ("resume", "resuming", "active"),
}


def change(task: Task, action: str) -> Work:
    """Carry out one of the `SIMPLE` actions."""
    event, doing, state = SIMPLE[action]
    publisher = compute(task.server.host)
    task.set(task=doing)
    yield task.step
    task.tell.instance(f"{event}.start", task.server, publisher)
    yield task.step
    if task.breaks(event):
        task.fail(f"{event} failed", state="error")
        return
    task.set(task=None, state=state, power=power_of(state))
    task.tell.instance(f"{event}.end", task.server, publisher)


def reboot(task: Task, *, hard: bool) -> Work:
    """Start the server again."""
    publisher = compute(task.server.host)
    task.set(task="rebooting_hard" if hard else "rebooting")
    yield task.step
    task.tell.instance("reboot.start", task.server, publisher)
    yield task.step
    task.set(task=None, state="active", power=RUNNING)
    task.tell.instance("reboot.end", task.server, publisher)


def lock(task: Task, *, locked: bool, reason: str | None) -> None:
    """Lock or unlock the server."""
    task.server.locked = locked
    task.server.locked_reason = reason if locked else None
    task.server.updated = task.cloud.now()
    task.tell.instance("lock" if locked else "unlock", task.server, API)


def snapshot(task: Task, image: Image) -> Work:
    """Make an image of the server."""
    publisher, more = compute(task.server.host), {"snapshot_image_id": image.id}
    task.set(task="image_snapshot")
    yield task.step
    task.tell.instance("snapshot.start", task.server, publisher, more=more)
    task.set(task="image_pending_upload")
    yield task.step
    task.set(task="image_uploading")
    yield task.step
    image.status = "active"
    task.set(task=None)
    task.tell.instance("snapshot.end", task.server, publisher, more=more)


def shelve(task: Task) -> Work:
    """Stop the server and take it off its host; it holds nothing any more."""
    server = task.server
    publisher = compute(server.host)
    task.set(task="shelving")
    yield task.step
    task.tell.instance("shelve.start", server, publisher)
    yield task.step
    task.set(task="shelving_offloading", state="shelved", power=SHUTDOWN)
    task.tell.instance("shelve.end", server, publisher)
    yield from offload(task)


def offload(task: Task) -> Work:
    """Take a shelved server off its host."""
    server = task.server
    publisher = compute(server.host)
    task.tell.instance("shelve_offload.start", server, publisher)
    yield task.step
    task.cloud.placement.delete(server.uuid)
    task.set(task=None, state="shelved_offloaded", power=SHUTDOWN, host=None)
    task.tell.instance("shelve_offload.end", server, publisher)


def unshelve(task: Task, wanted: Host | None) -> Work:
    """Bring a shelved server back on a host."""
    server = task.server
    task.set(task="unshelving")
    yield task.step
    try:
        target, held = select(task, server.flavor, wanted=wanted)
        task.cloud.placement.write([task.holder(server.uuid, held)])
    except (WorkFailed, PlacementRefused) as error:
        task.fail(str(error))
        return
    publisher = compute(target.name)
    task.tell.instance("unshelve.start", server, publisher)
    task.set(task="spawning", host=target)
    yield task.cloud.durations.boot
    server.launched = task.cloud.now()
    task.set(task=None, state="active", power=RUNNING)
    task.tell.instance("unshelve.end", server, publisher)


def boot(task: Task, wanted: Host | None) -> Work:
    """Build a new server."""
    server = task.server
    task.set(task="scheduling")
    yield task.step
    try:
        target, held = select(task, server.flavor, wanted=wanted)
        task.cloud.placement.write([task.holder(server.uuid, held)])
    except (WorkFailed, PlacementRefused) as error:
        task.fail(str(error), state="error")
        return
    publisher = compute(target.name)
    # The zone is known before the host is set.
    server.zone = target.zone
    task.set(task=None)
    task.tell.instance("create.start", server, publisher)
    yield task.step
    task.set(task="networking", host=target)
    task.set(task="block_device_mapping")
    task.set(task="spawning")
    yield task.cloud.durations.boot
    if task.breaks("boot", target):
        task.cloud.placement.delete(server.uuid)
        task.set(host=None)
        task.fail("Build of instance aborted: a fault was asked for.", state="error")
        return
    server.launched = task.cloud.now()
    task.set(task=None, state="active", power=RUNNING)
    task.tell.instance("create.end", server, publisher)


def delete(task: Task) -> Work:
    """End the server."""
    server, cloud = task.server, task.cloud
    publisher = compute(server.host)
    task.set(task="deleting")
    yield task.step
    task.tell.instance("delete.start", server, publisher)
    task.tell.instance("shutdown.start", server, publisher)
    task.tell.instance("shutdown.end", server, publisher)
    yield task.step
    task.tell.exists(server, publisher)
    cloud.placement.delete(server.uuid)
    for migration in cloud.compute.migrations_of.get(server.uuid, ()):
        cloud.placement.delete(migration.uuid)
    forget_server(cloud, task.requester, server)
    server.terminated = cloud.now()
    host, node = server.host, server.node
    task.set(task=None, state="deleted", power=NOSTATE)
    task.tell.instance("delete.end", server, publisher)
    cloud.compute.remove_server(server)
    # What is gone is still said to have been there.
    server.host, server.node = host, node
