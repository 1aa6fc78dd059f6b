"""Sessions of audits bear a name, are extended while in use, and end when they are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tachyon.errors import SessionNotFound
from tachyon.graph.client import GraphClient, connect
from tachyon.optimize.stock.sessions import AuditClient


@pytest.fixture
def client() -> Iterator[GraphClient]:
    with connect("sqlite://") as found:
        yield found


def test_sessions_in_use_are_extended_and_others_are_not(client: GraphClient) -> None:
    audits = AuditClient(client, "compute on engine-a", ttl=600.0)
    kept, left = audits.sessions.create(), audits.sessions.create()
    foreign = client.sessions.create(ttl=600.0)
    audits.sessions.delete(left.id)
    audits.sessions.extend()
    assert client.sessions.get(kept.id).expires_at > kept.expires_at
    assert client.sessions.get(foreign.id).expires_at == foreign.expires_at
    with pytest.raises(SessionNotFound):
        client.sessions.get(left.id)


def test_forks_are_kept_alive_like_what_they_come_from(client: GraphClient) -> None:
    audits = AuditClient(client, "compute on engine-a", ttl=600.0)
    fork = audits.sessions.fork(audits.sessions.create().id)
    audits.sessions.extend()
    found = client.sessions.get(fork.id)
    assert found.name == "compute on engine-a"
    assert found.expires_at > fork.expires_at


def test_a_session_that_somebody_ended_does_not_hold_up_the_others(client: GraphClient) -> None:
    audits = AuditClient(client, "compute on engine-a", ttl=600.0)
    gone, kept = audits.sessions.create(), audits.sessions.create()
    client.sessions.delete(gone.id)
    audits.sessions.extend()
    assert client.sessions.get(kept.id).expires_at > kept.expires_at
