"""Options of the connection to Ironic."""

from __future__ import annotations

from oslo_config import cfg

from tachyon.conf.adapter import adapter_options

GROUP = cfg.OptGroup("ironic", title="Ironic: baremetal nodes")

OPTIONS = adapter_options("baremetal", watchers="ironic_client", preferred="1.78")
