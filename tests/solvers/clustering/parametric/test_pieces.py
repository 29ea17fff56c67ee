"""Pieces and breakpoints of a parametric path, doubles inside them, and the margin of eps."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, Perturbation
from bilad.solvers.clustering.parametric.optimum import Piece, all_pieces, deviation_and_margin
from bilad.solvers.clustering.parametric.parametric_path import parametric_path


def site(start, end, sign=1):
    return Piece(sign, Fraction(start), Fraction(end), start == end, 2.0, np.zeros(2, int))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("start", "end", "distance", "double"),
    [
        (1, 2, Fraction(1, 8), 1.125),
        (1, 2, 5, 1.5),
        (0, 1, Fraction(1, 2**60), 2.0**-60),
        (Fraction(1, 3), 1, Fraction(1, 10**30), math.nextafter(1 / 3, 1.0)),
        (1, 1 + Fraction(2, 2**52), 1, 1 + 2.0**-52),
        (1, 1 + Fraction(1, 2**52), 1, None),
        (1 - Fraction(1, 2**60), 1 + Fraction(1, 2**70), 1, 1.0),
        (1 - Fraction(1, 2**70), 1 + Fraction(1, 2**60), 1, 1.0),
        (0, Fraction(1, 2**1080), 1, None),
        (Fraction(1, 2), Fraction(1, 2), 1, 0.5),
        (Fraction(1, 3), Fraction(1, 3), 1, None),
    ],
)
def test_the_double_in_a_site(start, end, distance, double, sign):
    found = site(start, end, sign).double(Fraction(distance))
    assert found == (None if double is None else sign * double)


@pytest.mark.parametrize("seed", range(6))
def test_doubles_lie_inside_at_the_room_that_there_is(seed, random_case):
    rng = np.random.default_rng(seed)
    case = random_case(rng, 6, int(rng.integers(1, 3)), ["graph", "complete"][seed % 2])
    path = parametric_path(case.model, case.perturbation, case.low, case.high)
    sites = all_pieces(path, path.values())
    assert len(sites) >= 4
    for distance in (Fraction(1, 10**12), Fraction(1, 10**6), Fraction(1)):
        for place in sites:
            eps = place.double(distance)
            assert eps is not None or place.offset(distance) == 0
            if eps is not None:
                assert (path.labels_at(eps) == place.labels).all()
                rounding = Fraction(np.spacing(abs(eps)))
                assert place.offset(distance) <= abs(Fraction(eps)) - place.start + rounding
                assert abs(Fraction(eps)) - place.start <= place.offset(distance) + rounding


@pytest.mark.parametrize("seed", range(6))
def test_the_plateau_is_the_largest_interval_with_one_deviation(seed, random_case):
    """Compare with all breakpoints and pieces; the deviation changes at the margin."""
    rng = np.random.default_rng(seed)
    case = random_case(rng, 6, int(rng.integers(1, 3)), ["graph", "complete"][seed % 2])
    path = parametric_path(case.model, case.perturbation, case.low, case.high)
    values = path.values()
    known = dict(zip(path.breakpoints, values[1].tolist(), strict=True))
    known |= {
        (low + high) / 2: value
        for (low, high), value in zip(pairwise(path.breakpoints), values[0].tolist(), strict=True)
    }
    for eps in [
        *path.inner_breakpoints,
        *rng.uniform(case.low, case.high, 20),
        case.low,
        case.high,
    ]:
        deviation, margin = deviation_and_margin(path, values, float(eps))
        inside = [value for place, value in known.items() if abs(place - Fraction(eps)) < margin]
        assert set(inside) <= {deviation}
        ends = [Fraction(eps) - Fraction(margin), Fraction(eps) + Fraction(margin)]
        reached = [
            not case.low < end < case.high
            or any(
                abs(end - place) <= Fraction(np.spacing(margin) + 1e-300)
                for place in path.breakpoints
            )
            for end in ends
        ]
        assert any(reached)


def test_two_steps_with_one_deviation_are_one_plateau():
    """Beyond +-1/2 the pair parts; the third point, which moves with neither, is never joined."""
    model = ConvexClustering([[0.0], [0.0], [9.0]], FusionGraph(3, [[0, 1]], [1.0]), 0.5)
    path = parametric_path(model, Perturbation.shift([[2.0], [0.0], [0.0]]), -4.0, 4.0)
    assert deviation_and_margin(path, path.values(), 1.0) == (2.0, 0.5)
    assert deviation_and_margin(path, path.values(), 0.5) == (0.0, 0.0)
    assert deviation_and_margin(path, path.values(), 0.25) == (0.0, 0.25)
    assert deviation_and_margin(path, path.values(), 3.75) == (2.0, 0.25)
