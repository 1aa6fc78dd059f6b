"""Options of the connection to Placement."""

from __future__ import annotations

from oslo_config import cfg

from tachyon.conf.adapter import adapter_options

GROUP = cfg.OptGroup("placement", title="Placement: inventories, traits, allocations")

OPTIONS = adapter_options("placement", watchers="placement_client", preferred="1.39")
