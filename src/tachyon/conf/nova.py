"""Options of the connection to Nova."""

from __future__ import annotations

from oslo_config import cfg

from tachyon.conf.adapter import adapter_options

GROUP = cfg.OptGroup("nova", title="Nova: servers, hypervisors, services")

OPTIONS = adapter_options("compute", watchers="nova_client", preferred="2.100")
