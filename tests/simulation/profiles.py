"""How long the property tests of this folder look: TACHYON_HYPOTHESIS=thorough for long.

By default and in CI the examples are derived from the test itself, so that a run is repeatable;
a failure prints the blob by which it can be repeated anywhere.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

THOROUGH = os.environ.get("TACHYON_HYPOTHESIS") == "thorough"
#: By how much a thorough run multiplies the number of examples.
SHRINK = not os.environ.get("TACHYON_HYPOTHESIS_NO_SHRINK")
FACTOR = int(os.environ.get("TACHYON_HYPOTHESIS_FACTOR", "50")) if THOROUGH else 1


def property_test(examples: int) -> settings:
    """Settings of a test of a single property."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        derandomize=not THOROUGH,
        phases=[p for p in Phase if p is not Phase.shrink or SHRINK],
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
        ],
    )


def stateful(examples: int, steps: int) -> settings:
    """Settings of a state machine: so many runs of at most so many steps."""
    return settings(property_test(examples), stateful_step_count=steps)
