"""What the API says of itself is true: schemathesis calls it by its own document."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tachyon.control.api.openapi import document
from tachyon.control.api.routes import ROUTES
from tests.control.api.conftest import LATEST, Api
from tests.control.objects.examples import World

schema = schemathesis.openapi.from_dict(json.loads(document()))


def test_the_document_lists_every_operation(api: Api) -> None:
    """It is served, and has each route with its microversion and policy."""
    served = api.ok("GET", "/v1/openapi.json")
    found = {
        (method.upper(), path) for path, methods in served["paths"].items() for method in methods
    }
    assert found == {(route.method, route.path) for route in ROUTES}
    names = [o["operationId"] for methods in served["paths"].values() for o in methods.values()]
    assert len(set(names)) == len(names)


@pytest.mark.integration
@schema.parametrize()
@settings(
    max_examples=8,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    derandomize=True,
    database=None,
)
def test_no_request_breaks_the_service(case: Any, api: Api, here: World) -> None:
    """Right or wrong by the document, a request is answered as the document says."""
    headers = {"OpenStack-API-Version": LATEST}
    response = case.call(base_url=api.url, headers=headers)
    # Nobody is at the other end of the bus for some questions.
    assert response.status_code < 500 or response.status_code == 503, response.text
    if case.method == "OPTIONS":
        return  # answered everywhere, described nowhere
    declared = case.operation.definition.raw["responses"]
    assert str(response.status_code) in declared, (response.status_code, response.text)
