"""What the option groups of all services of a cloud have in common: how one of them is reached."""

from __future__ import annotations

from oslo_config import cfg


def adapter_options(
    service_type: str, *, watchers: str, preferred: str | None = None
) -> tuple[cfg.Opt, ...]:
    """Return the options of one service.

    Args:
        service_type: its type in Keystone's catalog.
        watchers: the group in which Watcher's operators name the region.
        preferred: the microversion that is asked for when the operator names none.
    """
    shared = (
        cfg.StrOpt(
            "service_type",
            default=service_type,
            help="Type of the service in Keystone's catalog.",
        ),
        cfg.StrOpt("service_name", help="Name of the service, where a type has several."),
        cfg.StrOpt(
            "region_name",
            deprecated_opts=[cfg.DeprecatedOpt("region_name", group=watchers)],
            help="Region of the endpoint. Unset: the catalog's first.",
        ),
        cfg.ListOpt(
            "valid_interfaces",
            default=["internal", "public"],
            help="Interfaces of the endpoint, in order of preference.",
        ),
        cfg.StrOpt(
            "endpoint_override",
            help="URL to use in place of the catalog's. Discovery still asks it for its versions.",
        ),
        cfg.FloatOpt(
            "timeout",
            default=60.0,
            min=0.1,
            help="Seconds that one request may take. A page of 1,000 servers takes Nova several.",
        ),
        cfg.IntOpt(
            "http_retries",
            default=3,
            min=0,
            help="How often a request is repeated after a failure that may pass (no connection, "
            "408, 429, 500, 502, 503, 504). Only requests that can be repeated without harm are.",
        ),
        cfg.FloatOpt(
            "http_retry_interval",
            default=2.0,
            min=0.0,
            help="Seconds before the first repetition; doubles from one to the next.",
        ),
    )
    if preferred is None:
        return shared
    microversion = cfg.StrOpt(
        "api_version",
        help=f"Microversion to ask for. Unset: {preferred}, or the newest that the cloud has if "
        "that is older but sufficient.",
    )
    return (*shared, microversion)
