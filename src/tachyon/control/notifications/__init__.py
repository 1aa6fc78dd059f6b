"""Notifications out: versioned objects on oslo.messaging, as Watcher's consumers know them."""

from tachyon.control.notifications.notifier import Notifier

__all__ = ["Notifier"]
