"""Evolution strategies: population sizes, utilities, and SNES on simple functions."""

import numpy as np
import pytest

from bilad.solvers.upper.derivative_free.evolution_strategies import (
    evolve,
    grown,
    settings,
    utilities,
)


def test_the_population_of_restarts():
    assert [grown(6, number) for number in (0, 1, 2, 5, 9)] == [6, 12, 24, 192, 192]


def test_the_default_population(groups):
    assert settings(groups.bl1(), 0.5, None) == (0.5, 4)
    assert settings(groups.bl1(), 2, 11) == (2.0, 11)


def test_utilities_decrease_with_merit_sum_to_zero_and_share_ties():
    weights = utilities(np.array([3.0, 1.0, 2.0, 4.0]))
    assert weights.sum() == pytest.approx(0)
    assert np.argsort(-weights[:3]).tolist() == [1, 2, 0]
    tied = utilities(np.array([5.0, 1.0, 5.0, 5.0]))
    assert tied[0] == tied[2] == tied[3] < 0 < tied[1]
    assert utilities(np.full(6, 2.0)) == pytest.approx(np.zeros(6), abs=1e-15)


class Sphere:
    """The squared distance to a point, or a constant, with a count of the calls."""

    def __init__(self, flat=False):
        self.flat = flat
        self.least, self.calls = np.inf, 0

    def __call__(self, z):
        self.calls += 1
        value = 0.0 if self.flat else float(np.sum((z - 0.3) ** 2))
        self.least = min(self.least, value)
        return value


@pytest.mark.parametrize("k", [1, 5, 30])
def test_snes_minimises_a_convex_function_and_stops(k):
    bowl = Sphere()
    evolve(bowl, np.full(k, -0.5), np.random.default_rng(0), 0.5, 12)
    assert bowl.least < 1e-4 * k
    assert bowl.calls < 12 * 1000


def test_snes_ends_after_three_generations_with_equal_merits():
    plain = Sphere(flat=True)
    evolve(plain, np.zeros(3), np.random.default_rng(0), 0.5, 8)
    assert plain.calls == 3 * 8
