"""Options of the connection to Cinder."""

from __future__ import annotations

from oslo_config import cfg

from tachyon.conf.adapter import adapter_options

GROUP = cfg.OptGroup("cinder", title="Cinder: pools and volumes")

OPTIONS = adapter_options("block-storage", watchers="cinder_client", preferred="3.70")
