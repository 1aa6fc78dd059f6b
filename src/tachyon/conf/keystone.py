"""Options of the identity with which the cloud is asked: a name in clouds.yaml, or credentials."""

from __future__ import annotations

from keystoneauth1 import loading
from oslo_config import cfg

from tachyon.conf.adapter import adapter_options

GROUP = cfg.OptGroup("keystone", title="Keystone: who we are, and where the catalog is")

#: The session has a time-out per service instead of one.
_SESSION = [option for option in loading.get_session_conf_options() if option.dest != "timeout"]
#: For the sample file: what authentication by password, the usual kind, takes. The options of the
#: kind that is chosen are registered when it is loaded (some of them are required).
PASSWORD = tuple(loading.get_auth_plugin_conf_options("password"))

OPTIONS = (
    cfg.StrOpt(
        "cloud",
        help="Name of a cloud in clouds.yaml. Unset: the credentials of this group are used.",
    ),
    cfg.StrOpt(
        "clouds_file",
        help="Path of clouds.yaml. Unset: where OpenStack's clients look for it.",
    ),
    cfg.IntOpt(
        "concurrency",
        default=8,
        min=1,
        max=64,
        help="Requests that one process sends to a cloud at the same time.",
    ),
    *adapter_options("identity", watchers="keystone_client"),
    *_SESSION,
    *loading.get_auth_common_conf_options(),
)
