"""Configurations do not know of each other."""

from __future__ import annotations

from tachyon import conf as options


def test_a_value_set_in_one_configuration_stays_there() -> None:
    """Two services in one process may be set up differently."""
    first, second = options.load(), options.load()
    first.set_override("port", 1, group="service")
    assert (first.service.port, second.service.port) == (1, 8642)


def test_every_option_says_why() -> None:
    """Each one has a help text that ends as a sentence, and a default that it accepts."""
    conf = options.load()
    for group, listed in options.list_opts():
        for option in listed:
            assert option.help.endswith(".")
            assert getattr(conf[group.name], option.name) == option.default
