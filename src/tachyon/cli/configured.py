"""What the commands of the control plane have in common: a configuration, and its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import ConfigurationError

Command = TypeVar("Command", bound=Callable[..., Any])


def config_file(command: Command) -> Command:
    """Give a command the option that names its configuration."""
    option = click.option(
        "--config-file",
        type=click.Path(exists=True, dir_okay=False),
        envvar="TACHYON_CONFIG",
        help="Configuration file; TACHYON_CONFIG names it, too.",
    )
    return option(command)


def load(config_file: str | None, **given: Any) -> cfg.ConfigOpts:
    """Return the options of a file, with those that were given on the command line.

    Args:
        config_file: its name; None: the defaults.
        given: values by `group__option` (`option` alone is one of [DEFAULT]); None: not given.

    Raises:
        ConfigurationError: the file cannot be read, or a value is not what its option takes.
    """
    try:
        conf = options.load(config_file)
        for name, value in given.items():
            if value is not None:
                group, _, option = name.rpartition("__")
                conf.set_override(option, value, group=group or None)
    except (cfg.Error, ValueError) as error:
        raise ConfigurationError(f"the configuration cannot be used: {error}") from error
    return conf


@contextmanager
def database(config_file: str | None) -> Iterator[Any]:
    """Open the database of a configuration for the time of the block."""
    from tachyon.control.objects import Database

    opened = Database.of(load(config_file))
    try:
        yield opened
    finally:
        opened.close()
