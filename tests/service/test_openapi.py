"""What the service says of itself is true: schemathesis calls it by its own document."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from tachyon.graph.client import GraphClient
from tachyon.graph.service import openapi
from tachyon.graph.service.routes import ROUTES
from tests.conformance.cluster import host, instance
from tests.service.processes import ServiceProcess

EXAMPLES = 4

schema = schemathesis.openapi.from_dict(json.loads(openapi.document()))


@pytest.fixture
def served(http: GraphClient, service: ServiceProcess) -> str:
    """A service with a small graph and a session."""
    http.put_provider(host("p1"))
    http.put_consumer(instance("c1", "p1"))
    http.sessions.create()
    return service.url


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    derandomize=True,
    database=None,
)
def test_the_service_does_as_its_document_says(case: Any, served: str) -> None:
    """Whatever the document allows or forbids: never a 5xx, and answers as described."""
    if case.operation.path == "/v1/changes" and case.query:
        case.query.pop("wait", None)
    case.call_and_validate(
        base_url=served,
        checks=[
            checks.not_a_server_error,
            openapi_checks.status_code_conformance,
            openapi_checks.content_type_conformance,
            openapi_checks.response_schema_conformance,
        ],
    )


def test_every_route_is_described() -> None:
    """Paths, operations and schemas of the document are those of the table."""
    document = json.loads(openapi.document())
    found = {
        (method.upper(), path, operation["operationId"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert found == {(route.method, route.path, route.operation) for route in ROUTES}
    for component in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(component)
