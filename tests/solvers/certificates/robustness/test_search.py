"""The largest radius of a monotone condition."""

import numpy as np
import pytest

from bilad.solvers.certificates.robustness.search import largest_radius


@pytest.mark.parametrize("place", [1e-12, 0.3, 1.0, 1e9])
def test_finds_the_end_from_inside(place):
    found = largest_radius(lambda radius: radius <= place, 1.0)
    assert place * (1 - 1e-8) <= found <= place


def test_keeps_to_what_is_wanted():
    assert largest_radius(lambda radius: True, 1.0, 7.0) == 7.0
    assert largest_radius(lambda radius: radius <= 3.0, 1.0, 7.0) == pytest.approx(3.0)


def test_nothing_holds():
    assert largest_radius(lambda radius: False, 1.0) == 0.0
    assert largest_radius(lambda radius: radius == 0, 1.0) == pytest.approx(0.0, abs=1e-20)
    assert np.isfinite(largest_radius(lambda radius: True, 1.0))
