"""The bare-metal model holds Ironic's nodes, on its own, on a session, on the graph."""

from __future__ import annotations

import copy

import pytest

from tachyon.graph.client import GraphClient, connect
from tachyon.graph.deltas import UpdateProvider
from tachyon.optimize.model import TachyonBaremetalModel
from tachyon.optimize.model import exceptions as x
from tachyon.optimize.model.elements import IronicNode

NODES = [
    IronicNode(
        uuid="n1",
        power_state="power on",
        maintenance=False,
        maintenance_reason="null",
        extra={"compute_node_id": 1},
    ),
    IronicNode(uuid="n2", human_id="two"),
    IronicNode(uuid="n3", maintenance=True, extra={}),
]


def filled(model: TachyonBaremetalModel) -> TachyonBaremetalModel:
    for node in NODES:
        model.add_node(node.copy())
    return model


def test_what_was_written_is_read_back() -> None:
    with connect("sqlite://") as client:
        filled(TachyonBaremetalModel(client)).flush()
        again = TachyonBaremetalModel(client)
        assert list(again.get_all_ironic_nodes().values()) == NODES
        assert client.provider("n1").extra["compute_node_id"] == 1
        assert client.provider("n1").power_state == "power on"
        again.remove_node(NODES[0])
        again.get_node_by_uuid("n2").power_state = "power off"
        again.flush()
        last = TachyonBaremetalModel(client)
        assert list(last.get_all_ironic_nodes()) == ["n2", "n3"]
        assert last.get_node_by_uuid("n2").power_state == "power off"


def test_copies_are_models_of_their_own() -> None:
    model = filled(TachyonBaremetalModel())
    other = copy.deepcopy(model)
    other.remove_node(NODES[1])
    other.get_node_by_uuid("n1").maintenance = True
    with pytest.raises(x.IronicNodeNotFound):
        other.get_node_by_uuid("n2")
    assert model.get_node_by_uuid("n2") == NODES[1]
    assert model.get_node_by_uuid("n1") == NODES[0]
    assert "n2" in model
    assert len(other) == 2
    assert list(model.predecessors("n1")) == []


def test_a_session_shows_what_its_deltas_did() -> None:
    with connect("sqlite://") as client:
        filled(TachyonBaremetalModel(client)).flush()
        found = joined(client)
        assert found.get_node_by_uuid("n1").power_state == "power off"
        assert found.get_node_by_uuid("n1").maintenance is False


def joined(client: GraphClient) -> TachyonBaremetalModel:
    update = UpdateProvider(provider_uuid="n1", power_state="power off")
    return TachyonBaremetalModel(client, client.sessions.create(deltas=[update]).id)


def test_xml_is_read_back() -> None:
    model = filled(TachyonBaremetalModel())
    again = TachyonBaremetalModel.from_xml(model.to_string())
    assert again.get_all_ironic_nodes() == model.get_all_ironic_nodes()
    assert TachyonBaremetalModel.is_isomorphic(model, again)
