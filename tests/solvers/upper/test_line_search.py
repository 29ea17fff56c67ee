"""The line search on an artificial piecewise constant function, without a lower level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.problem import LENGTH_TOL
from bilad.solvers.bilevel.oracle import Evaluation
from bilad.solvers.upper.line_search import line_search

RADIUS = 10.0


class Stairs:
    """An oracle: U is 10 from `first_step` on along DOWN, from `other_step` along RIGHT, else 4."""

    def __init__(self, kind, first_step, other_step=np.inf, undecided=(), bound=np.inf):
        model = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 0.1)
        free = Perturbation.additive((4, 1), points=[0, 1])
        shape = Perturbation.linear((4, 1), free.operators["data"], lower=-bound)
        options = {"budget": RADIUS} if kind is MaxDeviation else {"target": 10, "limit": RADIUS}
        self.problem = kind(model, shape, **options)
        self.steps, self.undecided = (first_step, other_step), undecided
        self.best, self.seen = None, []

    def evaluate(self, eps):
        size = self.problem.size(eps)
        down, right = eps[0] == 0 and eps[1] < 0, eps[1] == 0 and eps[0] > 0
        over = (down and size >= self.steps[0]) or (right and size >= self.steps[1])
        value = 10 if over else 4
        proved = not any(low <= size <= high for low, high in self.undecided)
        new = Evaluation(np.array(eps), size, value, proved, len(self.seen) + 1, 0.0)
        self.seen.append(new)
        if self.counts(new):
            rank = self.problem.rank
            if self.best is None or rank(size, value) > rank(self.best.size, self.best.deviation):
                self.best = new
        return new

    def counts(self, seen):
        return seen.proved and self.problem.is_attack(seen.size, seen.deviation)


DOWN, RIGHT = np.array([0.0, -1.0]), np.array([1.0, 0.0])


@given(step=st.floats(1e-3, 9.99), candidate=st.floats(1e-3, 10.0))
def test_bl2_brackets_the_breakpoint_from_either_side(step, candidate):
    stairs = Stairs(MinPerturbation, step)
    line_search(stairs, [candidate * DOWN])
    assert step <= stairs.best.size <= step * (1 + LENGTH_TOL)
    assert len(stairs.seen) < 60


@pytest.mark.parametrize("step", [1e-13, 5e-324])
def test_bl2_stops_at_the_tolerance_of_an_infimum_of_zero(step):
    """If the infimum is 0, the width of the bracket is compared with the radius."""
    stairs = Stairs(MinPerturbation, step)
    line_search(stairs, [RADIUS * DOWN])
    assert stairs.problem.attains(0.0, stairs.best.size, stairs.best.deviation)
    assert len(stairs.seen) < 60


def test_bl2_ends_without_a_breakpoint():
    stairs = Stairs(MinPerturbation, 20.0)
    line_search(stairs, [3 * DOWN, 2 * RIGHT])
    assert stairs.best is None
    assert max(e.size for e in stairs.seen) == RADIUS
    assert len(stairs.seen) < 40


def test_bl2_does_not_take_an_undecided_point_for_an_attack():
    stairs = Stairs(MinPerturbation, 4.0, undecided=[(3.9, 4.2)])
    line_search(stairs, [5 * DOWN])
    assert stairs.best.proved
    assert 4.2 < stairs.best.size <= 4.2 * (1 + LENGTH_TOL)


def test_bl2_also_improves_the_best_known_attack():
    stairs = Stairs(MinPerturbation, 4.0)
    stairs.evaluate(6 * DOWN)
    line_search(stairs, [])
    assert stairs.best.size == pytest.approx(4.0, rel=LENGTH_TOL)


def test_bl2_does_not_bisect_a_bracket_above_the_best():
    stairs = Stairs(MinPerturbation, 4.0, other_step=8.0)
    line_search(stairs, [5 * DOWN, 7 * RIGHT])
    to_the_right = [e.size for e in stairs.seen if e.eps[0] > 0]
    assert to_the_right == sorted(to_the_right)
    assert len(to_the_right) < 10
    assert stairs.best.size == pytest.approx(4.0, rel=LENGTH_TOL)


@pytest.mark.parametrize("step", [5.05, 7.0, 9.9])
def test_bl1_tries_both_ways_up_to_the_budget(step):
    stairs = Stairs(MaxDeviation, step)
    line_search(stairs, [5 * DOWN])
    assert stairs.best.deviation == 10
    assert max(e.size for e in stairs.seen) == pytest.approx(RADIUS)
    assert all(e.size <= RADIUS for e in stairs.seen)
    assert min(e.size for e in stairs.seen) < 0.75 * 5
    assert len(stairs.seen) < 24


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
def test_zero_has_no_direction(kind):
    stairs = Stairs(kind, 5.0)
    line_search(stairs, [np.zeros(2)])
    assert stairs.seen == []


def test_no_ray_goes_beyond_a_bound():
    stairs = Stairs(MaxDeviation, 7.0, bound=6.0)
    line_search(stairs, [5 * DOWN])
    assert max(e.size for e in stairs.seen) == 6.0
    assert min(e.size for e in stairs.seen) < 0.75 * 5
    assert stairs.best.deviation == 4
    stairs = Stairs(MinPerturbation, 7.0, other_step=8.0, bound=6.0)
    line_search(stairs, [5 * DOWN, 5 * RIGHT])
    assert max(e.size for e in stairs.seen if e.eps[1] < 0) == 6.0
    assert stairs.best.size == pytest.approx(8.0, rel=LENGTH_TOL)


def test_at_a_bound_shorter_eps_are_still_tried():
    stairs = Stairs(MaxDeviation, 7.0, bound=6.0)
    line_search(stairs, [6 * DOWN])
    assert len({e.size for e in stairs.seen}) > 3
    assert max(e.size for e in stairs.seen) == 6.0
