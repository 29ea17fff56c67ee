from fractions import Fraction

import numpy as np
import pytest

from bilad.solvers.clustering.parametric.affine import simple_fraction_between, smallest_double


@pytest.mark.parametrize("seed", range(40))
def test_a_number_inside_and_near_the_middle(seed):
    rng = np.random.default_rng(seed)
    low = Fraction(float(rng.normal() * 10.0 ** rng.integers(-9, 9))) / 3
    width = Fraction(10.0 ** float(rng.uniform(-30, 9))) / 7
    number = simple_fraction_between(low, low + width)
    assert abs(number - low - width / 2) < width / 2
    assert number.denominator <= 8 / width + 1


THIRD = Fraction(1, 3)


@pytest.mark.parametrize(
    ("low", "high", "closed", "number"),
    [
        (Fraction(1), Fraction(2), True, 1.0),
        (Fraction(1), Fraction(2), False, float(np.nextafter(1.0, 2.0))),
        (THIRD, Fraction(1), False, float(np.nextafter(1 / 3, 1.0))),
        (THIRD, THIRD + Fraction(1, 10**30), True, None),
        (Fraction(0), Fraction(1), False, 5e-324),
    ],
)
def test_the_least_double(low, high, closed, number):
    assert smallest_double(low, high, closed) == number
