"""What an optimiser does to a cloud causes the same notifications as on a real control plane.

That it ends as there is checked by the exercise itself, after each step.
"""

from __future__ import annotations

import json
from collections import Counter

from tachyon.openstack.emulator import Notification
from tests.emulator.conftest import CAPTURED

#: Sent as often as a service saves or reports, which is its own business.
_UNCOUNTED = {"instance.update", "capacity.pool", "capacity.backend"}


def test_operations_cause_as_many_notifications_of_each_kind_as_on_a_real_control_plane(
    told: list[Notification],
) -> None:
    real = Counter(json.loads((CAPTURED / "notifications" / "_counts.json").read_text()))
    ours = Counter(n.event_type for n in told)
    kept = set(real) - _UNCOUNTED
    assert {kind: ours[kind] for kind in kept} == {kind: real[kind] for kind in kept}
    assert set(ours) == set(real)
