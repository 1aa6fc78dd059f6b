"""The rules of `rules` as filters of destinations: each judges all hosts for one consumer at once.

A chain of filters is what `Session.destinations` and the strategies go by. The ones here are facts
of the graph and bear the names of Nova's filters; more come in as plug-ins (`tachyon.filters`).
What no filter can switch off is checked beside the chain: the host itself, inventories, units and
capacity.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, NamedTuple

from tachyon.graph.simulation import rules
from tachyon.graph.simulation.state import VirtualState
from tachyon.graph.view.columns import Bool
from tachyon.graph.view.view import View


class Refused(NamedTuple):
    """Hosts that a filter refuses.

    Attributes:
        code: a stable name of the reason.
        mask: P; True where refused.
        say: tells people why a provider row is refused.
    """

    code: str
    mask: Bool
    say: Callable[[int], str]


class HostFilter(ABC):
    """Judges for one consumer all hosts of the type of its host.

    Attributes:
        name: by which options enable the filter.
        steady: whether the verdict stays the same while consumers move. What a steady filter
            looks at of a consumer is named by `columns`, and strategies ask it once for all
            consumers that are alike in those; any other filter is asked anew for each choice.
    """

    name: ClassVar[str]
    steady: ClassVar[bool] = True

    def columns(self, view: View) -> tuple[str, ...]:
        """Return the coded columns (`flavor`, `pinned_az`, `project`) that a steady verdict needs.

        No columns at all stand for a verdict that is the same for every consumer.
        """
        return ()

    def concerns(self, state: VirtualState, row: int) -> bool:
        """Tell quickly whether a filter that is not steady has anything to say of a consumer."""
        return True

    @abstractmethod
    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield what is refused to a consumer, by reason.

        Args:
            state: of the session as it is now.
            row: of the consumer.
            host_type: of the providers in question, e.g. compute.
        """


class AllHostsFilter(HostFilter):
    """Refuses nothing."""

    name = "AllHostsFilter"

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield nothing."""
        yield from ()


class ComputeFilter(HostFilter):
    """Refuses hosts that are disabled, down or in maintenance, or of which nothing new is known."""

    name = "ComputeFilter"
    steady = False

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts that are out of service in the session, and those with old data."""
        yield Refused("out_of_service", ~state.in_service(), lambda at: _service(state, at))
        stale = rules.stale_mask(state.view)
        if stale.any():
            yield Refused("stale", stale, _words("its data is stale: it could not be read"))


class AvailabilityZoneFilter(HostFilter):
    """Keeps a consumer in the zone that it is pinned to."""

    name = "AvailabilityZoneFilter"

    def columns(self, view: View) -> tuple[str, ...]:
        """The zone decides."""
        return ("pinned_az",)

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts of other zones."""
        zone = state.pinned_az(row)
        if zone is not None:
            yield Refused(
                "zone",
                ~rules.zone_mask(state.view, zone),
                _words(f"not in availability zone {zone}"),
            )


class TraitsFilter(HostFilter):
    """Holds hosts to the traits that the flavor requires and forbids."""

    name = "TraitsFilter"

    def columns(self, view: View) -> tuple[str, ...]:
        """The flavor decides."""
        return ("flavor",)

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts that lack or have each trait."""
        view, flavor = state.view, state.flavor(row)
        for name, mask in rules.missing_traits(view, flavor, host_type).items():
            yield Refused("trait", mask, _words(f"lacks required trait {name}"))
        for name, mask in rules.forbidden_traits(view, flavor).items():
            yield Refused("trait", mask, _words(f"has forbidden trait {name}"))


class AggregateInstanceExtraSpecsFilter(HostFilter):
    """Holds hosts' aggregates to the scoped extra specs of the flavor."""

    name = "AggregateInstanceExtraSpecsFilter"

    def columns(self, view: View) -> tuple[str, ...]:
        """The flavor decides."""
        return ("flavor",)

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts whose aggregates do not satisfy each extra spec."""
        for name, mask in rules.refused_by_aggregates(state.view, state.flavor(row)).items():
            yield Refused("aggregate", mask, _words(f"no aggregate satisfies {name}"))


class AggregateMultiTenancyIsolation(HostFilter):
    """Keeps projects out of aggregates that name others in `filter_tenant_id`."""

    name = "AggregateMultiTenancyIsolation"

    def columns(self, view: View) -> tuple[str, ...]:
        """The project decides, where any aggregate is kept to projects."""
        return ("project",) if rules.tenancies(view) else ()

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts of aggregates that are kept to other projects."""
        mask = rules.refused_by_tenancy(state.view, state.project(row))
        if mask is not None:
            yield Refused("tenancy", mask, _words("its aggregate is kept to other projects"))


class ServerGroupFilter(HostFilter):
    """Keeps the hard policy of the consumer's server group (affinity, anti-affinity)."""

    name = "ServerGroupFilter"
    steady = False

    def concerns(self, state: VirtualState, row: int) -> bool:
        """Concerned are members of a group."""
        return state.group(row) is not None

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts that the other members rule out."""
        found = rules.refused_by_group(state, row)
        if found is not None:
            policy, mask = found
            yield Refused("server_group", mask, _words(f"server group's {policy} forbids it"))


class _HintFilter(HostFilter):
    steady = False
    hint: ClassVar[str]

    def concerns(self, state: VirtualState, row: int) -> bool:
        """Concerned are consumers with the scheduler hint."""
        return bool(rules.hinted(state, row, self.hint))


class DifferentHostFilter(_HintFilter):
    """Keeps a consumer off the hosts of those that its hint `different_host` names."""

    name = "DifferentHostFilter"
    hint = "different_host"

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts of the consumers named."""
        mask = rules.hosts_of(state, rules.hinted(state, row, self.hint))
        if mask is not None:
            yield Refused("different_host", mask, _words("hint different_host forbids it"))


class SameHostFilter(_HintFilter):
    """Keeps a consumer on the hosts of those that its hint `same_host` names."""

    name = "SameHostFilter"
    hint = "same_host"

    def refusals(self, state: VirtualState, row: int, host_type: str) -> Iterator[Refused]:
        """Yield the hosts without the consumers named; nothing when none of them is placed."""
        mask = rules.hosts_of(state, rules.hinted(state, row, self.hint))
        if mask is not None:
            yield Refused("same_host", ~mask, _words("hint same_host asks for another host"))


#: What holds where nobody chose otherwise, in the order in which reasons are told.
DEFAULT: tuple[HostFilter, ...] = (
    ComputeFilter(),
    AvailabilityZoneFilter(),
    TraitsFilter(),
    AggregateInstanceExtraSpecsFilter(),
    AggregateMultiTenancyIsolation(),
    ServerGroupFilter(),
    DifferentHostFilter(),
    SameHostFilter(),
)

Chain = Sequence[HostFilter]


def _words(text: str) -> Callable[[int], str]:
    """Return the same words for every host."""
    return lambda _: text


def _service(state: VirtualState, at: int) -> str:
    said = [
        text
        for text, wrong in (
            ("disabled", state.provider_field(at, "status") != "enabled"),
            ("down", state.provider_field(at, "state") != "up"),
            ("in maintenance", state.provider_field(at, "maintenance")),
        )
        if wrong
    ]
    reason = state.provider_field(at, "disabled_reason")
    return ", ".join(said) + (f" ({reason})" if reason else "")
