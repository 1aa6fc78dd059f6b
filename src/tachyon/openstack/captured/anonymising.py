"""Names and ids of a cluster replaced by pseudonyms, so that it can be handed to strangers.

A pseudonym depends on a secret and on what it stands for, and on nothing else: equal texts get
equal pseudonyms wherever they stand, so everything that refers to something still does, and with
the same secret two captures of a cloud can be compared. Numbers, states, resource classes, traits
and the names of extra specs stay; free texts go.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tachyon.graph.cluster_file import ClusterFile, MetricSeries
from tachyon.graph.entities import Attachment, Consumer, Flavor, ResourceProvider
from tachyon.graph.mutations import Cluster

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
#: Metadata that strategies read; what users write besides is theirs.
_READ = frozenset({"optimize", "HA_Enabled", "workload", "watcher_exclude"})
#: Members of `extra` that hold numbers and words of the services, not names.
_TECHNICAL = frozenset(
    {
        "hypervisor_type",
        "hypervisor_version",
        "total_volumes",
        "total_capacity_gb",
        "free_capacity_gb",
        "provisioned_capacity_gb",
        "allocated_capacity_gb",
        "virtual_free",
        "multiattach",
        "task_state",
        "stale",
        "claimed",
    }
)
#: Extra specs whose values name something: they have to match the metadata of aggregates, or
#: the names of backends.
_NAMING_SPECS = re.compile(
    r"aggregate_instance_extra_specs:.*|filter_tenant_id.*|volume_backend_name"
)


class Anonymiser:
    """Gives out the pseudonyms of one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._given: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return the pseudonym of a name or id, of the same shape."""
        found = self._given.get(text)
        if found is None:
            found = self._given[text] = self._made(text)
        return found

    def _made(self, text: str) -> str:
        if not text:
            return text
        # host@backend#pool and the like: its parts appear alone elsewhere.
        parts = re.split(r"([@#:])", text)
        if len(parts) > 1:
            return "".join(p if p in "@#:" else self.text(p) for p in parts)
        digest = hmac.new(self._secret, text.encode(), hashlib.sha256).digest()
        if _UUID.fullmatch(text):
            return str(uuid.UUID(bytes=digest[:16], version=4))
        if _HEX.fullmatch(text):
            return digest[:16].hex()
        return f"n{digest[:6].hex()}"

    def optional(self, text: str | None) -> str | None:
        """Return the pseudonym of what may be missing."""
        return None if text is None else self.text(text)

    def content(self, content: ClusterFile) -> ClusterFile:
        """Return a cluster file's content under pseudonyms."""
        return ClusterFile(
            cluster=self._cluster(content.cluster),
            metrics=[self._series(series) for series in content.metrics],
            generated_by=content.generated_by,
        )

    def _cluster(self, cluster: Cluster) -> Cluster:
        text = self.text
        return Cluster(
            providers=[self._provider(p) for p in cluster.providers],
            consumers=[self._consumer(c) for c in cluster.consumers],
            flavors=[self._flavor(f) for f in cluster.flavors],
            projects=[
                replace(p, external_id=text(p.external_id), name=text(p.name))
                for p in cluster.projects
            ],
            server_groups=[
                replace(g, uuid=text(g.uuid), name=text(g.name)) for g in cluster.server_groups
            ],
            host_aggregates=[
                replace(
                    a,
                    name=text(a.name),
                    uuid=self.optional(a.uuid),
                    availability_zone=self.optional(a.availability_zone),
                    metadata=self._mapping(a.metadata),
                )
                for a in cluster.host_aggregates
            ],
            availability_zones=[replace(z, name=text(z.name)) for z in cluster.availability_zones],
        )

    def _provider(self, provider: ResourceProvider) -> ResourceProvider:
        return replace(
            provider,
            uuid=self.text(provider.uuid),
            name=self.text(provider.name),
            parent_uuid=self.optional(provider.parent_uuid),
            disabled_reason=None,
            maintenance_reason=None,
            availability_zone=self.optional(provider.availability_zone),
            aggregates=tuple(self.text(name) for name in provider.aggregates),
            extra=self._extra(provider.extra),
        )

    def _consumer(self, consumer: Consumer) -> Consumer:
        return replace(
            consumer,
            uuid=self.text(consumer.uuid),
            name=self.text(consumer.name),
            project_id=self.optional(consumer.project_id),
            flavor_id=self.optional(consumer.flavor_id),
            server_group=self.optional(consumer.server_group),
            pinned_az=self.optional(consumer.pinned_az),
            attachments=tuple(
                Attachment(
                    consumer_uuid=self.text(a.consumer_uuid),
                    attachment_id=self.optional(a.attachment_id),
                )
                for a in consumer.attachments
            ),
            allocations={self.text(p): held for p, held in consumer.allocations.items()},
            metadata={k: v for k, v in consumer.metadata.items() if k in _READ},
            scheduler_hints=self.value(consumer.scheduler_hints),
            extra=self._extra(consumer.extra),
        )

    def _flavor(self, flavor: Flavor) -> Flavor:
        specs = {
            name: self.text(value) if _NAMING_SPECS.fullmatch(name) else value
            for name, value in flavor.extra_specs.items()
        }
        return replace(
            flavor, id=self.text(flavor.id), name=self.text(flavor.name), extra_specs=specs
        )

    def _mapping(self, mapping: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(value) for name, value in mapping.items()}

    def _extra(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value if name in _TECHNICAL else self.value(value)
            for name, value in extra.items()
        }

    def value(self, value: Any) -> Any:
        """Return a JSON value with pseudonyms for all texts in it; names of members stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        return value

    def _series(self, series: MetricSeries) -> MetricSeries:
        return replace(
            series,
            capacity={self.text(key): value for key, value in series.capacity.items()},
            values={self.text(key): values for key, values in series.values.items()},
        )
