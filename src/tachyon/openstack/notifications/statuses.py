"""The status that Nova's API shows for a server, from the states that its events tell."""

from __future__ import annotations

_STATUSES = {
    "active": "ACTIVE",
    "building": "BUILD",
    "deleted": "DELETED",
    "error": "ERROR",
    "paused": "PAUSED",
    "rescued": "RESCUE",
    "resized": "VERIFY_RESIZE",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
    "soft-delete": "SOFT_DELETED",
    "stopped": "SHUTOFF",
    "suspended": "SUSPENDED",
}
_RESIZING = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")
_REBUILDING = ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning")
#: Tasks that show in the status, by the states in which they do (Nova API guide, "Server status").
_TASKS: dict[tuple[str, str], str] = {
    **{("active", task): "RESIZE" for task in _RESIZING},
    **{("stopped", task): "RESIZE" for task in _RESIZING},
    **{
        (state, task): "REBUILD" for state in ("active", "stopped", "error") for task in _REBUILDING
    },
    **{("active", t): "REBOOT" for t in ("rebooting", "reboot_pending", "reboot_started")},
    **{
        ("active", t): "HARD_REBOOT"
        for t in ("rebooting_hard", "reboot_pending_hard", "reboot_started_hard")
    },
    ("active", "migrating"): "MIGRATING",
    ("paused", "migrating"): "MIGRATING",
    ("active", "updating_password"): "PASSWORD",
    ("resized", "resize_reverting"): "REVERT_RESIZE",
}


def status_of(state: str, task: str | None) -> str:
    """Return the status of a server in a state, at a task."""
    return _TASKS.get((state, task or ""), _STATUSES.get(state, "UNKNOWN"))
