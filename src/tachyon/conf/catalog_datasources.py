"""Options of the datasources that are found in Keystone's catalog."""

from __future__ import annotations

from oslo_config import cfg

_INTERFACES = ("public", "internal", "admin", "publicURL", "internalURL", "adminURL")


def _options(name: str) -> tuple[cfg.Opt, ...]:
    return (
        cfg.StrOpt(
            name,
            default="public",
            choices=_INTERFACES,
            help="Interface of the endpoint in Keystone's catalog.",
        ),
        cfg.StrOpt("region_name", help="Region of the endpoint. Unset: the catalog's first."),
    )


def labels() -> tuple[cfg.Opt, ...]:
    """Return the options that say how series of Prometheus name hosts and instances."""
    return (
        cfg.StrOpt(
            "fqdn_label",
            default="fqdn",
            help="Label of node_exporter's series that holds a host's full name.",
        ),
        cfg.StrOpt(
            "instance_uuid_label",
            default="resource",
            help="Label of Ceilometer's series that holds an instance's uuid.",
        ),
    )


GNOCCHI_GROUP = cfg.OptGroup("gnocchi_client", title="The datasource gnocchi")
GNOCCHI_OPTIONS = (
    cfg.StrOpt("api_version", default="1", choices=("1",), help="Version of Gnocchi's API."),
    *_options("endpoint_type"),
)

AETOS_GROUP = cfg.OptGroup("aetos_client", title="The datasource aetos")
AETOS_OPTIONS = (*_options("interface"), *labels())

MONASCA_GROUP = cfg.OptGroup("monasca_client", title="The datasource monasca")
MONASCA_OPTIONS = (
    *_options("interface"),
    cfg.StrOpt(
        "instance_dimension",
        default="resource_id",
        help="Dimension that names an instance, by uuid or name.",
    ),
)

CEILOMETER_GROUP = cfg.OptGroup("ceilometer_client", title="The datasource ceilometer")
CEILOMETER_OPTIONS = _options("endpoint_type")
