"""Version documents and health."""

from __future__ import annotations

from tachyon.graph.service.bodies import Health, Link, VersionDocument, Versions
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.model import Model

_V1 = VersionDocument(
    "v1", "CURRENT", [Link("self", "/v1/"), Link("describedby", "/v1/openapi.json")]
)


def versions(_model: Model, _call: Call) -> Answer:
    """List the versions of the API."""
    return Answer(Versions([_V1]))


def version(_model: Model, _call: Call) -> Answer:
    """Describe version 1 of the API."""
    return Answer(_V1)


def health(model: Model, _call: Call) -> Answer:
    """Tell whether the store answers, and how fresh this process's view is."""
    from tachyon import __version__

    follower = model.follower
    seen, age = follower.generation, follower.age
    generation = model.store.generation()
    return Answer(
        Health(
            version=__version__,
            store="ok",
            generation=generation,
            view_generation=seen,
            age=None if seen == 0 and age == float("inf") else age,
            sessions=model.registry.statistics().by_status.get("active", 0),
        ),
        generation,
    )
