"""Models are what Watcher's are, on a service's graph."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tachyon.graph.client import GraphClient
from tachyon.graph.mutations import Cluster
from tachyon.optimize.model import TachyonClusterModel, TachyonStorageModel
from tests.model.machines import ComputeMachine, Machine, StorageMachine

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("machine", "model"),
    [(ComputeMachine, TachyonClusterModel), (StorageMachine, TachyonStorageModel)],
)
def test_models_on_a_service_are_what_watchers_are(
    machine: type[Machine], model: type, http: GraphClient
) -> None:
    def make() -> object:
        http.synchronise(Cluster())
        return model(http)

    class OnAService(machine):  # type: ignore[misc, valid-type]
        pass

    OnAService.make = staticmethod(make)
    run_state_machine_as_test(
        OnAService, settings=settings(max_examples=20, stateful_step_count=25, deadline=None)
    )
