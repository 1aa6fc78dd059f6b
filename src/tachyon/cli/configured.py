"""What the commands of the control plane have in common: a configuration, and its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import ConfigurationError

#: Libraries that tell of each step they take.
_QUIET = ("alembic=WARN",)
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


def load(config_file: str | None, *, logs: bool = False, **given: Any) -> cfg.ConfigOpts:
    """Return the options of a file, with those that were given on the command line.

    Args:
        config_file: its name; None: the defaults.
        logs: take the options of oslo.log as well.
        given: values by `group__option` (`option` alone is one of [DEFAULT]); None: not given.

    Raises:
        ConfigurationError: the file cannot be read, or a value is not what its option takes.
    """
    try:
        conf = options.load(config_file, logs=logs)
        for name, value in given.items():
            if value is not None:
                group, _, option = name.rpartition("__")
                conf.set_override(option, value, group=group or None)
    except (cfg.Error, ValueError) as error:
        raise ConfigurationError(f"the configuration cannot be used: {error}") from error
    return conf


def load_service(config_file: str | None, **given: Any) -> cfg.ConfigOpts:
    """Return what `load` does for a service, and let it log as the options of oslo.log say.

    By default to stderr, from INFO up; from DEBUG up after `tachyon --verbose`.
    """
    from oslo_log import log

    conf = load(config_file, logs=True, **given)
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *_QUIET])
    conf.set_default("use_stderr", True)
    context = click.get_current_context(silent=True)
    if context is not None and (context.obj or {}).get("verbose"):
        conf.set_override("debug", True)
    log.setup(conf, "tachyon")
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
