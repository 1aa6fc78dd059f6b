"""Microversions of the infra-optim API: what each one changed, and which one a request asks for.

1.0 to 1.7 are Watcher's and mean what they mean there. From 1.8 on they are ours.
"""

from __future__ import annotations

from typing import NamedTuple

from tachyon.graph.service.problems import NotAcceptable

SERVICE = "infra-optim"
HEADER = "OpenStack-API-Version"


class Version(NamedTuple):
    """A microversion; later ones are greater."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


#: What each microversion brought; a newer one needs a line here and a gate where it differs.
HISTORY: dict[Version, str] = {
    Version(1, 0): "The API of Watcher's Rocky release.",
    Version(1, 1): "Audits have start_time and end_time.",
    Version(1, 2): "Audits have force.",
    Version(1, 3): "GET /v1/data_model.",
    Version(1, 4): "POST /v1/webhooks/{audit} and audits of type EVENT.",
    Version(1, 5): "PATCH /v1/actions/{action}; status_message of audits, plans and actions.",
    Version(1, 6): "server_pinned_az and server_flavor_extra_specs in the data model.",
    Version(1, 7): "Audit templates have default_parameters.",
    Version(1, 8): "Session, metrics and rollback of action plans; dry run of audits; moments "
    "without a zone are UTC; data models of storage and baremetal; more filters of lists.",
}
MINIMUM, MAXIMUM = min(HISTORY), max(HISTORY)


def negotiate(header: str | None) -> Version:
    """Return the microversion that a header asks for; the oldest without one.

    Raises:
        NotAcceptable: it asks for one that there is not.
    """
    asked = _asked(header or "")
    if asked is None:
        return MINIMUM
    if asked == "latest":
        return MAXIMUM
    parts = asked.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return MINIMUM
    if len(parts) > 2 or any(len(part) > 9 for part in parts):
        raise _refused("Mutually exclusive versions requested.", asked)
    found = Version(int(parts[0]), int(parts[1]) if len(parts) == 2 else 0)
    if found.major != MINIMUM.major:
        raise _refused("Mutually exclusive versions requested.", asked)
    if not MINIMUM <= found <= MAXIMUM:
        raise _refused("Unsupported minor version requested.", asked)
    return found


def _asked(header: str) -> str | None:
    """Return what a header, which may name several services, says for this one."""
    for part in header.split(","):
        words = part.split()
        if len(words) == 2 and words[0].lower() == SERVICE:
            return words[1]
    return None


def _refused(reason: str, asked: str) -> NotAcceptable:
    return NotAcceptable(
        f"{reason} Version {asked[:40]} requested but not supported by this service. "
        f"The supported version range is: [{MINIMUM}, {MAXIMUM}].",
        minimum=str(MINIMUM),
        maximum=str(MAXIMUM),
    )
