"""The sites of the Iris ray, recomputed with other tools where floating point suffices."""

from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score, rand_score

from bilad.scripts.reproduce.figures.ray import (
    BREAK,
    PIECE,
    Ray,
    delta,
    outline,
    ray_of,
    shown_steps,
    single_breaks,
    sites_of,
)
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath

IRIS = SETTINGS["iris"]


def first_appearance(labels):
    """Number clusters by first appearance."""
    order = list(dict.fromkeys(labels.tolist()))
    return np.array([order.index(label) for label in labels])


@pytest.mark.parametrize("method", ["exact", "ssnal"])
def test_every_long_piece_is_what_the_lower_level_says_in_its_middle(method):
    model, shift = IRIS.model(), IRIS.shift()
    before = first_appearance(cluster(model, method).labels)
    pieces = [s for s in ray_of(IRIS).sites if s.kind == PIECE and s.high - s.low > 1e-6]
    assert len(pieces) >= 15
    for site in pieces[:: 1 if method == "exact" else 5]:
        found = cluster(shift.apply(model, (site.low + site.high) / 2), method)
        assert found.proved
        after = first_appearance(found.labels)
        pairs = combinations(range(100), 2)
        count = sum((before[i] == before[j]) != (after[i] == after[j]) for i, j in pairs)
        assert site.delta == 2 * count
        assert site.n_changed == np.count_nonzero(before != after)
        assert site.rand_index == pytest.approx(rand_score(before, after), abs=1e-12)
        assert site.rand_deviation == pytest.approx(1 - site.rand_index, abs=1e-15)
        assert site.nmi == pytest.approx(normalized_mutual_info_score(before, after), abs=1e-9)
        assert site.clusters == len(set(after.tolist()))
        assert site.same == (count == 0)


def test_sites_cover_the_budget_and_breaks_and_pieces_alternate():
    sites = ray_of(IRIS).sites
    assert [site.kind for site in sites] == [BREAK, PIECE] * (len(sites) // 2) + [BREAK]
    assert (sites[0].low, sites[-1].high) == (-8, 8)
    assert all(a.exact_high == b.exact_low for a, b in pairwise(sites))
    assert all(Fraction(s.exact_low) < Fraction(s.exact_high) for s in sites if s.kind == PIECE)


def test_the_interval_of_iris_is_that_of_its_first_steps():
    low, high = ray_of(IRIS).interval
    assert (low, high) == pytest.approx((-0.4, 3.6), abs=1e-12)
    before = cluster(IRIS.model()).labels
    for eps, same in ((low + 1e-6, 1), (high - 1e-6, 1), (low - 1e-6, 0), (high + 1e-6, 0)):
        after = cluster(IRIS.shift().apply(IRIS.model(), eps)).labels
        assert (before == after).all() == same


@pytest.fixture
def hand_made():
    """Return a path of four points: separated at eps = 1 only; points 1 and 2 swap for eps < -1."""
    together, torn = np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2])
    crossed = np.array([0, 1, 0, 1])
    stairs = ParametricPath(
        low=-2.0,
        high=2.0,
        breakpoints=tuple(map(Fraction, (-2, -1, 1, 2))),
        between=np.array([crossed, together, together]),
        at_breakpoints=np.array([crossed, torn, torn, together]),
    )
    return Ray(IRIS, stairs, tuple(sites_of(stairs)))


def test_steps_are_met_outwards_on_either_side(hand_made):
    assert hand_made.interval == (-1, 1)
    assert [site.delta for site in hand_made.outwards(-1)] == [0, 2, 8, 8]
    assert [site.delta for site in hand_made.outwards(1)] == [0, 2, 0, 0]
    right = [(step.eps, step.before, step.after) for step in hand_made.steps(delta, 1)]
    assert right == [(1, 0, 2), (1, 2, 0)]
    assert [step.eps for step in hand_made.falls(delta)] == [1]
    assert [(step.before, step.after) for step in hand_made.rises(delta)] == [
        (0, 2),
        (2, 8),
        (0, 2),
    ]
    assert shown_steps(hand_made.falls(delta)) == "2 to 0 at eps = 1"
    assert shown_steps(hand_made.rises(delta), most=1) == "0 to 2 at eps = -1 and 2 more"


def test_pictures_show_pieces_and_single_breaks(hand_made):
    eps, values = outline(hand_made, delta)
    assert eps.tolist() == [-2, -1, -1, 1, 1, 2]
    assert values.tolist() == [8, 8, 0, 0, 0, 0]
    assert single_breaks(hand_made, delta) == [(-1, 2), (1, 2)]
