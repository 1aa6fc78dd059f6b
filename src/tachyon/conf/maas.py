"""Options of the connection to MAAS, which controls the power of hosts in Ironic's place."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("maas_client", title="MAAS: power of hosts, in place of Ironic")

OPTIONS = (
    cfg.StrOpt(
        "url",
        help="URL of MAAS, such as http://maas.example:5240/MAAS. Unset: Ironic controls power.",
    ),
    cfg.StrOpt(
        "api_key",
        secret=True,
        help="API key of a MAAS user, of the form CONSUMER:TOKEN:SECRET.",
    ),
    cfg.FloatOpt("timeout", default=60.0, min=0.1, help="Seconds that one request may take."),
    cfg.IntOpt(
        "http_retries",
        default=3,
        min=0,
        help="How often a request that can be repeated without harm is repeated.",
    ),
    cfg.FloatOpt(
        "http_retry_interval",
        default=2.0,
        min=0.0,
        help="Seconds before the first repetition; doubles from one to the next.",
    ),
)
