"""Models are what Watcher's are, on their own, on sessions and on a graph in this process."""

from __future__ import annotations

from hypothesis import settings

from tachyon.graph.client import connect
from tachyon.graph.mutations import Cluster
from tachyon.graph.view import build, snapshot_of
from tachyon.optimize.model import TachyonClusterModel, TachyonStorageModel
from tests.model.machines import ComputeMachine, StorageMachine

_SETTINGS = settings(max_examples=20, stateful_step_count=30, deadline=None, print_blob=True)


class ComputeOnItsOwn(ComputeMachine):
    make = staticmethod(TachyonClusterModel)


class ComputeOnASession(ComputeMachine):
    make = staticmethod(lambda: TachyonClusterModel.over(build(snapshot_of(Cluster()))))


class ComputeOnTheGraph(ComputeMachine):
    make = staticmethod(lambda: TachyonClusterModel(connect("sqlite://")))


class StorageOnItsOwn(StorageMachine):
    make = staticmethod(TachyonStorageModel)


class StorageOnTheGraph(StorageMachine):
    make = staticmethod(lambda: TachyonStorageModel(connect("sqlite://")))


def _case(machine: type) -> type:
    machine.TestCase.settings = _SETTINGS
    return machine.TestCase


TestComputeOnItsOwn = _case(ComputeOnItsOwn)
TestComputeOnASession = _case(ComputeOnASession)
TestComputeOnTheGraph = _case(ComputeOnTheGraph)
TestStorageOnItsOwn = _case(StorageOnItsOwn)
TestStorageOnTheGraph = _case(StorageOnTheGraph)
