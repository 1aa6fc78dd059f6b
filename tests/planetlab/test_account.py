"""The simulation of the PlanetLab day counts what one can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.planetlab_account import Account, Result
from benchmarks.planetlab_data import Day, Fleet

#: Two hosts of 2 × 1000 MIPS that draw 100 W idle and 200 W at full use, in a straight line.
HOSTS = Fleet(
    core=np.array([1000.0, 1000.0]),
    capacity=np.array([2000.0, 2000.0]),
    power=np.tile(np.linspace(100.0, 200.0, 11), (2, 1)),
)


def counted(
    demand: list[list[float]],
    memory: list[float],
    moments: list[tuple[list[int], list[int]]],
    hosts: Fleet = HOSTS,
) -> Result:
    account = Account(
        Day(
            mips=np.full(len(memory), 1000.0),
            memory=np.array(memory),
            demand=np.array(demand, np.float64),
        ),
        hosts,
    )
    for at, (before, after) in enumerate(moments):
        account.interval(at, np.array(before), np.array(after))
    return account.result()


def test_power_is_linear_between_the_points_of_each_host() -> None:
    power = np.array([[86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117.0]] * 2)
    hosts = Fleet(core=HOSTS.core, capacity=HOSTS.capacity, power=power)
    assert hosts.watts(np.array([0.0, 2000.0])).tolist() == [86.0, 117.0]
    assert hosts.watts(np.array([300.0, 2500.0])) == pytest.approx([91.0, 117.0])


def test_energy_is_that_of_hosts_that_are_on() -> None:
    # One host at half its use for 300 s: 150 W.
    one = counted([[1000.0, 1000.0]], [100.0], [([0], [0])])
    assert one.energy == pytest.approx(150 * 300 / 3.6e6)
    assert (one.hosts, one.migrations, one.overload, one.slatah, one.pdm) == (1, 0, 0, 0, 0)
    # From 0 to 1000 MIPS in the course of the interval: 125 W in the mean.
    rising = counted([[0.0, 1000.0]], [100.0], [([0], [0])])
    assert rising.energy == pytest.approx(125 * 300 / 3.6e6)


def test_a_migration_keeps_both_hosts_on_and_costs_a_tenth_while_it_lasts() -> None:
    # 625 MB are copied in 10 s. A second machine of 1000 MIPS stays on the first host.
    result = counted([[1000.0, 1000.0]] * 2, [625.0, 100.0], [([0, 0], [1, 0])])
    assert result.migrations == result.switched_on == 1
    # 10 s: 200 W and 100 W; 290 s: 150 W and 150 W.
    assert result.energy == pytest.approx((10 * 300 + 290 * 300) / 3.6e6)
    assert result.uncharged == result.energy  # the first interval of the day
    assert result.hosts == 2
    # 10 s × 100 MIPS of 300 s × 2000 MIPS.
    assert result.pdm == pytest.approx(10 * 100 / (300 * 2000))
    # The second host takes a machine in for 10 of 600 host seconds; nobody is overloaded.
    assert result.overload == 0
    assert result.slatah == pytest.approx(10 / 600)
    assert result.slav == pytest.approx(result.slatah * result.pdm)
    assert result.esv == pytest.approx(result.energy * result.slav)


def test_what_cloudsim_does_not_charge_are_first_intervals_only() -> None:
    demand = [[1000.0] * 3]
    result = counted(demand, [625.0], [([0], [0]), ([0], [1])])
    # First interval: 150 W. Second: 10 s on both, then on the second alone, which was off.
    assert result.energy == pytest.approx((150 * 300 + 10 * (150 + 100) + 290 * 150) / 3.6e6)
    assert result.uncharged == pytest.approx((150 * 300 + 10 * 100 + 290 * 150) / 3.6e6)


def test_a_host_is_overloaded_when_more_is_asked_for_than_it_has() -> None:
    demand = [[1000.0, 1000.0, 1000.0]] * 2 + [[0.0, 900.0, 900.0]]
    result = counted(demand, [100.0] * 3, [([0, 0, 0], [0, 0, 0])] * 2)
    # In the first interval exactly all is asked for, in the second more.
    assert result.overload == result.slatah == 0.5
    # Use ends at all that there is, whatever is asked for: 200 W throughout.
    assert result.energy == pytest.approx(200 * 600 / 3.6e6)


def test_an_overloaded_host_gives_less_to_a_machine_that_leaves_it() -> None:
    demand = [[1000.0, 1000.0]] * 4
    result = counted(demand, [625.0, 100.0, 100.0, 100.0], [([0] * 4, [1, 0, 0, 0])])
    # It gets half of 1000 MIPS, less a tenth of that, for 10 s.
    assert result.pdm == pytest.approx(10 * 550 / (300 * 4000))
    # 3000 of 2000 MIPS are still asked for after it has gone.
    assert result.overload == pytest.approx(300 / 600)
    assert result.slatah == pytest.approx((300 + 10) / 600)


def test_a_core_that_is_too_slow_counts_as_cloudsim_counts_it() -> None:
    result = counted([[1500.0, 1500.0]], [100.0], [([0], [0])])
    assert (result.overload, result.slatah) == (0, 1)
    assert result.energy == pytest.approx(150 * 300 / 3.6e6)
