"""What the service is told at start-up, as one immutable record."""

from __future__ import annotations

from msgspec import Struct
from oslo_config import cfg

from tachyon.graph.deltas import Persistence
from tachyon.graph.simulation.registry import Limits


class Options(Struct, frozen=True, kw_only=True):
    """Bounds and manners of a service; `tachyon.conf` declares each with unit and reason."""

    limits: Limits = Limits()
    persistence: Persistence = "memory"
    shared: bool = False
    candidates: int = 100_000
    max_body: int = 16 * 2**20
    max_bulk_body: int = 512 * 2**20
    page: int = 1000
    max_wait: float = 60.0
    waiters: int = 8
    keep_generations: int = 100_000

    @classmethod
    def of(cls, conf: cfg.ConfigOpts, *, shared: bool) -> Options:
        """Return what a configuration says; `shared`: other processes serve the same clients."""
        service, sessions = conf.service, conf.sessions
        return cls(
            limits=Limits(
                sessions=sessions.limit,
                deltas=sessions.deltas,
                cached=sessions.cached,
                default_ttl=sessions.ttl,
                max_ttl=sessions.max_ttl,
                retention=sessions.retention,
            ),
            persistence=sessions.persistence or ("store" if shared else "memory"),
            shared=shared,
            candidates=sessions.candidates,
            max_body=service.max_body,
            max_bulk_body=service.max_bulk_body,
            page=service.page,
            max_wait=service.max_wait,
            waiters=service.waiters,
            keep_generations=service.keep_generations,
        )
