"""Configurations do not know of each other."""

from __future__ import annotations

from keystoneauth1 import loading
from oslo_config import cfg
from oslo_db.options import database_opts

from tachyon import conf as options

#: Described by the libraries that they belong to.
LIBRARIES = {
    opt.dest
    for opt in (
        *database_opts,
        *loading.get_session_conf_options(),
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options("password"),
    )
}


def test_a_value_set_in_one_configuration_stays_there() -> None:
    """Two services in one process may be set up differently."""
    first, second = options.load(), options.load()
    first.set_override("port", 1, group="service")
    assert (first.service.port, second.service.port) == (1, 8642)


def _shown() -> list[tuple[cfg.OptGroup, cfg.Opt]]:
    return [(group, opt) for group, opts in options.list_opts() for opt in opts]


def test_every_option_says_why() -> None:
    """Each one of ours has a help text that ends as a sentence."""
    assert [o.name for _, o in _shown() if o.dest not in LIBRARIES and o.help[-1] != "."] == []


def test_every_option_accepts_its_default() -> None:
    """What the sample file shows is what holds without a file."""
    conf = options.load()
    loading.register_auth_conf_options(conf, "keystone")
    conf.register_opts(loading.get_auth_plugin_conf_options("password"), "keystone")
    for group, option in _shown():
        values = conf if group.name == "DEFAULT" else conf[group.name]
        assert getattr(values, option.dest) == option.default
