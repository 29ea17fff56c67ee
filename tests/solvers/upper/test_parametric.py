"""The exact method along a ray: a global optimum inside an interval, whose bound is attained."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import problems

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS, between_clusters
from bilad.models.problem import LENGTH_TOL
from bilad.solvers import attack, cluster
from bilad.solvers.clustering.parametric.exact_labels import exact_labels
from bilad.solvers.clustering.parametric.optimum import least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.errors import UnsupportedError

SOME = settings(max_examples=25)
UNKNOWN = 1e-9  # a margin so small that the rounding of A + eps V may hide it


def on_a_ray(seed, kind=MaxDeviation, size=3.0, deviation="delta", **options):
    rng = np.random.default_rng(seed)
    n, d = 12, int(rng.integers(1, 3))
    A = 0.5 * rng.normal(size=(n, d)) + 3.0 * (np.arange(n) % 2)[:, None]
    graph = FusionGraph.complete(n)
    if seed % 2:
        graph = graph.with_weights(rng.uniform(0.5, 1.5, graph.m))
    model = ConvexClustering(A, graph, 0.15, 1)
    direction = rng.normal(size=A.shape) * (np.arange(n) < 5)[:, None]
    shift = Perturbation.shift(direction)
    return kind(model, shift, size, deviation=deviation, **options)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", [*PARTITION_DEVIATIONS, "between"])
def test_no_grid_is_better(seed, name):
    deviation = between_clusters([0, 2], [1, 3]) if name == "between" else name
    problem = on_a_ray(seed, deviation=deviation)
    found = attack(problem, "exact")
    grid = attack(problem, "direct", step=0.05, bound="none", closing="none")
    assert found.deviation >= grid.deviation
    if found.deviation > 0:
        assert found.status == "optimal"
        assert found.bound == pytest.approx(found.deviation, rel=1e-12)
        assert found.proved


@pytest.mark.parametrize("seed", range(4))
def test_the_least_perturbation_is_the_first_breakpoint(seed):
    largest = attack(on_a_ray(seed), "exact").deviation
    problem = on_a_ray(seed, MinPerturbation, max(largest, 2.0) / 2, limit=3.0)
    found, grid = (
        attack(problem, "exact"),
        attack(problem, "direct", step=0.01, bound="none", closing="none"),
    )
    assert found.status == "optimal"
    assert found.deviation >= problem.target
    assert found.bound <= found.norm <= grid.norm
    assert found.norm <= found.bound * (1 + LENGTH_TOL)
    shorter = [solve for solve in grid.history if solve.size < found.bound]
    assert not any(problem.is_attack(solve.size, solve.deviation) for solve in shorter)


def test_it_is_proved_that_no_attack_exists():
    assert attack(on_a_ray(0, size=1e-6), "exact").status == "no attack exists"
    far = on_a_ray(0, MinPerturbation, 100.0, limit=1e-3)
    found = attack(far, "exact")
    assert found.status == "no attack exists"
    assert found.bound == np.inf


def test_weights_along_a_ray():
    A = [[0.0], [0.5], [3.0], [3.2]]
    model = ConvexClustering(A, FusionGraph.complete(4), 0.4)
    problem = MaxDeviation(model, Perturbation.edges(model.graph, [0]), 1.0)
    found = attack(problem, "exact")
    assert found.status in ("optimal", "no attack exists")
    assert found.deviation >= attack(problem, "direct", step=0.01, closing="none").deviation


def test_problems_to_which_it_does_not_apply():
    plane = ConvexClustering(np.eye(4)[:, :2], FusionGraph.complete(4), 0.1)
    with pytest.raises(UnsupportedError, match="p = 1, d = 1"):
        attack(MaxDeviation(plane, Perturbation.shift(plane.data), 1.0), "exact")
    line = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 0.1)
    with pytest.raises(UnsupportedError, match="one parameter"):
        attack(MaxDeviation(line, Perturbation.additive((4, 1)), 1.0), "exact")


def deviation_at(problem, eps):
    """Return the deviation from two solutions in rational arithmetic."""
    before, after = (
        exact_labels(problem.perturbation.apply(problem.model, number)) for number in (0.0, eps)
    )
    return problem.deviation.value(before, after)


def stairs_of(problem):
    low, high = (float(bound[0]) for bound in problem.box)
    return parametric_path(problem.model, problem.perturbation, low, high)


@st.composite
def rays(draw):
    """Draw a model with ties, duplicates, coinciding breakpoints, a budget, and bounds of eps."""
    p, d = draw(st.sampled_from([(1, 1), (1, 2), (2, 1)]))
    graph = draw(st.sampled_from([problems.graphs, problems.complete_graphs]))
    model = draw(problems.models(p, 6, d=d, graph=graph, gammas=st.sampled_from([0.0, 0.1, 0.5])))
    V = draw(problems.data(model.n, d))
    assume(V.any())
    bounds = draw(st.sampled_from([{}, {"upper": 0.0}, {"lower": -0.25, "upper": 0.75}]))
    shift = Perturbation.linear(V.shape, V.reshape(-1, 1), **bounds)
    return model, shift, draw(st.sampled_from([0.5, 1.0, 3.0]))


@SOME
@given(data=st.data())
def test_the_deviation_stays_within_the_margin(data):
    problem = MaxDeviation(*data.draw(rays()))
    values = [part.max() for part in stairs_of(problem).values()]
    found = attack(problem, "exact", bound="none")
    assert found.bound == max(values)
    assert found.deviation == deviation_at(problem, found.eps)
    if found.norm == 0:
        assert found.margin is None
        return
    assert found.status == ("optimal" if found.deviation == found.bound else "unproved")
    assume(found.margin > UNKNOWN)
    for share in (-0.99, 0.99):
        assert deviation_at(problem, found.eps + share * found.margin) == found.deviation


@SOME
@given(data=st.data())
def test_eps_is_as_far_inside_an_optimal_interval_as_possible(data):
    problem = MaxDeviation(*data.draw(rays()))
    found, stairs = attack(problem, "exact", bound="none"), stairs_of(problem)
    most = LENGTH_TOL * problem.budget
    wide = [
        float(min((high - low) / 2, Fraction(most)))
        for (low, high), value in zip(pairwise(stairs.breakpoints), stairs.values()[0], strict=True)
        if value == found.bound > 0
    ]
    assume(max(wide, default=0.0) > UNKNOWN)
    eps = Fraction(float(found.eps[0]))
    low, high = stairs.piece_at(eps)
    assert found.status == "optimal"
    assert float(min(eps - low, high - eps)) == pytest.approx(max(wide), rel=1e-6)
    assert found.margin >= max(wide) * (1 - 1e-6)


@SOME
@given(data=st.data())
def test_the_shortest_exceeds_the_infimum_by_the_tolerance_at_most(data):
    model, shift, limit = data.draw(rays())
    stairs = stairs_of(MaxDeviation(model, shift, limit))
    positive = sorted({value for value in np.concatenate(stairs.values()) if value > 0})
    assume(positive)
    problem = MinPerturbation(model, shift, data.draw(st.sampled_from(positive)), limit=limit)
    found = attack(problem, "exact", bound="none")
    infimum = least_perturbation(stairs, problem.target).infimum
    assert infimum - Fraction(np.spacing(float(infimum))) * 2 <= found.bound <= infimum
    excess = Fraction(found.norm) - infimum
    tolerance = Fraction(LENGTH_TOL) * max(infimum, Fraction(LENGTH_TOL) * Fraction(limit))
    assert (found.status == "optimal") == (found.norm > 0 and excess <= tolerance)
    if found.norm == 0:
        return
    assert found.deviation == deviation_at(problem, found.eps) >= problem.target
    low, high = stairs.piece_at(float(found.eps[0]))
    assert (found.margin == 0) == (low == high)
    if found.status == "optimal" and low < high and min(abs(low), abs(high)) == infimum:
        assert excess <= (high - low) / 2


def test_a_long_interval_is_preferred_to_a_short_one_nearer_to_0():
    """The pair separates at 1/2 - 2^-30, just before the bound of eps, and at -3/4."""
    gap, threshold = 0.125 + 2.0**-31, 0.625 - 2.0**-31
    model = ConvexClustering([[0.0], [gap]], FusionGraph.complete(2), threshold / 2)
    shift = Perturbation.linear((2, 1), np.array([[0.0], [1.0]]), upper=0.5)
    found = attack(MaxDeviation(model, shift, 1.0), "exact")
    assert found.status == "optimal"
    assert found.eps[0] == pytest.approx(-0.75 - LENGTH_TOL, abs=1e-12)
    least = attack(MinPerturbation(model, shift, 2, limit=1.0), "exact")
    assert (least.status, least.eps[0] > 0) == ("optimal", True)
    assert 0 < least.margin <= 2.0**-31


@pytest.mark.parametrize("place", [0.25, -0.25])
def test_a_single_point_that_is_a_double(place):
    """Two points without an edge coincide at a single eps."""
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    shift = Perturbation.shift([[1 / place], [0.0]])
    for problem in (MaxDeviation(model, shift, 1.0), MinPerturbation(model, shift, 2, limit=1)):
        found = attack(problem, "exact")
        assert (found.eps[0], found.deviation) == (place, 2)
        assert (found.status, found.margin) == ("optimal", 0.0)


@pytest.mark.parametrize("step", [3.0, 7.0, -11.0])
def test_a_single_point_between_two_doubles(step):
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    shift = Perturbation.shift([[step], [0.0]])
    found = attack(MaxDeviation(model, shift, 1.0), "exact")
    assert (found.status, found.bound, found.margin) == ("unproved", 2, None)
    found = attack(MinPerturbation(model, shift, 2, limit=1), "exact")
    assert (found.status, found.margin) == ("unproved", None)
    assert found.bound == pytest.approx(1 / abs(step), rel=1e-15)


@pytest.mark.parametrize(("budget", "deviation"), [(0.5, 0), (1.0, 2)])
def test_the_best_inside_a_step_where_the_optimum_is_between_two_doubles(budget, deviation):
    """Two pairs of points coincide at eps = 1/3 only; beyond 1/2, another pair separates."""
    data = np.array([0.0, 1.0, 10.0, 11.0, 100.0, 100.0])[:, None]
    model = ConvexClustering(data, FusionGraph(6, [[4, 5]], [1.0]), 0.5)
    shift = Perturbation.shift(np.array([3.0, 0.0, 3.0, 0.0, 2.0, 0.0])[:, None])
    found = attack(MaxDeviation(model, shift, budget), "exact")
    assert (found.status, found.bound, found.deviation) == ("unproved", 4, deviation)
    if deviation:
        assert abs(found.eps[0]) == pytest.approx(0.5 + LENGTH_TOL, rel=1e-12)
        assert found.margin == pytest.approx(LENGTH_TOL, rel=1e-6)


@pytest.mark.parametrize("offset", [1e3, 1e9, 1e13])
def test_an_optimum_is_proved_although_the_data_at_eps_are_rounded(offset):
    """Two points coincide up to eps = 1/2; A + eps V is rounded relative to the offset."""
    model = ConvexClustering([[offset], [offset]], FusionGraph.complete(2), 0.25)
    problem = MinPerturbation(model, Perturbation.shift([[1.0], [0.0]]), 2, limit=8)
    found = attack(problem, "exact")
    assert found.deviation == 2
    assert found.bound == pytest.approx(0.5)
    assert found.norm <= 0.5 + max(LENGTH_TOL * 0.5, 20 * np.spacing(offset))
    assert found.status == "optimal"


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("seed", range(4))
def test_another_solver_finds_the_same_partition(kind, seed):
    """The accuracy of Clarabel, 1e-9, is less than the distance of eps from the breakpoint."""
    largest = on_a_ray(seed)
    problem = largest
    if kind is MinPerturbation:
        problem = on_a_ray(seed, kind, attack(largest, "exact").deviation / 2, limit=3.0)
    found = attack(problem, "exact")
    other = cluster(problem.perturbation.apply(problem.model, found.eps), "clarabel", tol=1e-9)
    assert found.status == "optimal"
    assert np.array_equal(found.labels, other.labels)


@pytest.mark.parametrize("budget", [2.0**-100, 2.0**-30, 2.0**100])
def test_huge_and_tiny_budgets(budget):
    model = ConvexClustering([[0.0], [0.0]], FusionGraph.complete(2), 0.25)
    found = attack(
        MaxDeviation(model, Perturbation.shift([[1.0 / budget], [0.0]]), budget), "exact"
    )
    assert found.status == "optimal"
    assert abs(found.eps[0]) / budget == pytest.approx(0.5 + LENGTH_TOL, rel=1e-12)
    assert found.margin / budget == pytest.approx(LENGTH_TOL, rel=1e-6)


def test_a_tie_along_the_whole_ray_that_rounding_breaks():
    """Two points at the critical distance move equally; rounding A + eps V separates them."""
    A = np.array([[4.0], [2], [0], [0], [0], [2], [1]])
    V = np.array([[0.0], [0], [-1], [0], [1], [1], [-1]])
    problem = MaxDeviation(
        ConvexClustering(A, FusionGraph.complete(7), 1.0), Perturbation.shift(V), 8.0
    )
    found = attack(problem, "exact")
    assert (found.status, found.deviation, found.bound) == ("optimal", 32, 32)
    assert found.margin == pytest.approx(8e-6, rel=1e-6)
