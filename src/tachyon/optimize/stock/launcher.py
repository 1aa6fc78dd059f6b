"""`tachyon-watcher-decision-engine`: stock Watcher's decision engine on Tachyon's models."""

from __future__ import annotations

import importlib


def main() -> None:
    """Start the engine; arguments and configuration files are those of its own command."""
    # First of all: importing Watcher's commands chooses the threads that its services run on.
    commands = importlib.import_module("watcher.cmd.eventlet")
    from tachyon.optimize.stock import replacement

    replacement.install()
    importlib.import_module(f"{commands.__name__}.decisionengine").main()
