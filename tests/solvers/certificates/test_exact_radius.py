"""The exact radius: against all subsets, and by eps just inside and just outside."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import rational

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.separable import line_signs
from bilad.solvers import cluster
from bilad.solvers.certificates.exact_radius import _root_down, exact_radius, partition_at
from bilad.solvers.certificates.stable_blocks import certified_radius
from bilad.solvers.errors import UnsupportedError

INSIDE, OUTSIDE = 0.999999, 1.000001
NORMS = (1, 2, np.inf)


def random_line(rng, n, d=1, kind=None, ties=0.2, p=1):
    """A problem that `exact_radius` takes; multiplicative ones only in norms 1 and inf."""
    A = 2 * rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1))
    if rng.random() < ties:
        A = np.round(2 * A) / 2
    gamma = 10 ** rng.uniform(-1.5, 0.5) / n
    model = ConvexClustering(A, FusionGraph.complete(n, float(rng.choice([1.0, 0.3]))), gamma, p)
    some = rng.permutation(n)[: rng.integers(1, n + 1)]
    norm = NORMS[rng.integers(3)]
    kind = kind or ("additive", "masked", "multiplicative")[rng.integers(3)]
    if kind == "multiplicative" and A[some].any():
        norm = norm if norm != 2 else np.inf
        return MaxDeviation(model, Perturbation.multiplicative(A, points=some), 1.0, norm)
    points = some if kind == "masked" else None
    return MaxDeviation(model, Perturbation.additive((n, d), points=points), 1.0, norm)


def radius_by_all_subsets(problem):
    """Return the squared distance of the nearest merge or split, of all subsets; None if none."""
    model, distances = clustering_of(problem), []
    A = [[Fraction(value) for value in row] for row in model.data.tolist()]
    T = [[Fraction(t) for t in row] for row in problem.operator("data").toarray().tolist()]
    r = Fraction(model.gamma) * Fraction(model.graph.uniform_weight)
    for signs in line_signs(model).tolist():
        a = [sum(s * value for s, value in zip(signs, row, strict=True)) for row in A]
        moves = (T[i * model.d : (i + 1) * model.d] for i in range(model.n))
        rows = [
            [
                sum(s * t for s, t in zip(signs, column, strict=True))
                for column in zip(*own, strict=True)
            ]
            for own in moves
        ]
        x = rational.solve_complete(a, r)
        blocks = [[i for i in range(len(a)) if x[i] == value] for value in sorted(set(x))]
        for left, right in itertools.pairwise(blocks):
            gap, normal = (mean(v, right, left) for v in (a, rows))
            distances.append((gap - r * (len(left) + len(right)), normal))
        for block in blocks:
            for part in itertools.chain.from_iterable(
                itertools.combinations(block, size) for size in range(1, len(block))
            ):
                rest = [i for i in block if i not in part]
                gap, normal = (mean(v, part, rest) for v in (a, rows))
                distances.append((r * len(block) - gap, normal))
    lengths = [rational.dual_norm_squared(normal, problem.norm) for _, normal in distances]
    pairs = zip(distances, lengths, strict=True)
    return min((slack**2 / length for (slack, _), length in pairs if length), default=None)


def mean(values, some, others):
    """Return the mean of some values (or vectors) less that of others."""
    if isinstance(values[0], list):
        return [mean(column, some, others) for column in zip(*values, strict=True)]
    return sum(values[i] for i in some) / len(some) - sum(values[i] for i in others) / len(others)


def is_root_down(number, square):
    """Whether it is the largest double whose square is no larger."""
    above = Fraction(math.nextafter(number, math.inf))
    return Fraction(number) ** 2 <= square < above**2


def check_inside(problem, found, rng, tries):
    """Random eps just inside leave the partition as it is, in exact arithmetic."""
    before = partition_at(problem, np.zeros(problem.perturbation.dim))
    length = INSIDE * min(found.radius, 1e6)
    for _ in range(tries):
        eps = rng.normal(size=problem.perturbation.dim)
        eps = rng.choice([-1.0, 1.0], len(eps)) if rng.random() < 0.5 else eps
        eps *= length / problem.size(eps)
        np.testing.assert_array_equal(partition_at(problem, eps), before)
    np.testing.assert_array_equal(partition_at(problem, length * found.direction), before)


def check_outside(problem, found):
    """The attack flips the partition, in exact arithmetic and for the solver."""
    before = partition_at(problem, np.zeros(problem.perturbation.dim))
    assert found.exact
    assert (partition_at(problem, found.eps) != before).any()
    if found.radius > 1e-6:
        assert problem.size(found.eps) == pytest.approx(OUTSIDE * found.radius, rel=1e-12)
        clustering = cluster(problem.perturbation.apply(problem.model, found.eps))
        assert clustering.proved
        np.testing.assert_array_equal(clustering.labels, partition_at(problem, found.eps))


@given(seed=st.integers(0, 2**32 - 1), d=st.sampled_from([1, 1, 2]), p=st.sampled_from([1, np.inf]))
def test_is_the_least_over_all_subsets(seed, d, p):
    rng = np.random.default_rng(seed)
    problem = random_line(rng, int(rng.integers(2, 9)), d, p=p)
    found = exact_radius(problem)
    expected = radius_by_all_subsets(problem)
    if expected is None:
        assert found.radius == np.inf
    else:
        assert is_root_down(found.radius, expected)
        check_inside(problem, found, rng, 5)
        if d == 1:
            check_outside(problem, found)


@pytest.mark.parametrize("norm", NORMS)
def test_is_the_least_over_all_splits_of_one_cluster(norm):
    """Most points low, a few high, or the reverse; eps moves all, or some of each part."""
    large = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        a = np.where(rng.random(6) < rng.choice([0.2, 0.8]), 1.0, 0.0) + rng.integers(0, 3, 6) / 10
        model = ConvexClustering(a[:, None], FusionGraph.complete(6), 0.5)
        points = rng.permutation(6)[: rng.integers(3, 7)]
        free = Perturbation.additive((6, 1), points=points)
        problem = MaxDeviation(model, free, 1.0, norm)
        found = exact_radius(problem)
        assert found.kind == "split"
        assert is_root_down(found.radius, radius_by_all_subsets(problem))
        large += len(found.high) > 3
    assert large > 3


@pytest.mark.parametrize("shift", [-300, -53, 0, 1, 400])
def test_a_root_is_rounded_down(shift):
    """Of squares of doubles, of their neighbours, and of others: none is rounded to nearest."""
    rng = np.random.default_rng(0)
    unit = Fraction(2) ** shift
    assert _root_down(Fraction(0)) == 0.0
    for number in rng.integers(1, 2**53, 20).tolist():
        for square in (number**2, number**2 - Fraction(1, 7), number, Fraction(number, 3)):
            assert is_root_down(_root_down(square * unit**2), square * unit**2)
        assert _root_down(Fraction(number) ** 2 * unit**2) == float(number * unit)


def test_two_points_in_closed_form():
    """Apart by 3, they meet where they are 2 r apart; together, they part there."""
    graph = FusionGraph.complete(2)
    for r, slack, kind in ((1.0, 1.0, "merge"), (2.0, 1.0, "split")):
        model = ConvexClustering([[0.0], [3.0]], graph, r)
        for norm, expected in ((1, slack), (2, slack / np.sqrt(2)), (np.inf, slack / 2)):
            found = exact_radius(MaxDeviation(model, Perturbation.additive((2, 1)), 1.0, norm))
            assert found.radius == pytest.approx(expected, rel=1e-15)
            assert (found.kind, found.exact) == (kind, True)
            assert set(found.high) | set(found.low) == {0, 1}


def test_one_fixed_point_leaves_the_other_the_whole_way():
    model = ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 1.0)
    for norm in NORMS:
        perturbation = Perturbation.additive((2, 1), points=[1])
        found = exact_radius(MaxDeviation(model, perturbation, 1.0, norm))
        assert found.radius == 1.0
        assert found.direction == pytest.approx([-1.0])


def test_exactly_tied_data_have_no_radius():
    """2 r apart: together, and apart for the least push."""
    model = ConvexClustering([[0.0], [2.0]], FusionGraph.complete(2), 1.0)
    problem = MaxDeviation(model, Perturbation.additive((2, 1)), 1.0, 2)
    found = exact_radius(problem)
    assert found.radius == 0.0
    assert found.kind == "split"
    assert problem.size(found.eps) == pytest.approx(2e-9)
    check_outside(problem, found)


def test_a_feature_that_does_not_matter_is_not_called_exact():
    """Points 0 and 1 meet in feature 1, but feature 0 keeps them apart."""
    A = np.array([[0.0, 0.0], [100.0, 3.0]])
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0, 1)
    found = exact_radius(MaxDeviation(model, Perturbation.additive((2, 2)), 1.0, 1))
    assert found.radius == 1.0
    assert found.feature == 1
    assert not found.exact


def test_no_eps_reaches_anything():
    """Only zeros may be scaled where they may move: refused by the perturbation; else infinite."""
    A = np.array([[0.0, 5.0], [9.0, 5.0]])
    model = ConvexClustering(A[:, :1], FusionGraph.complete(2), 0.5)
    factors = Perturbation.multiplicative(A[:, :1], points=[0, 1])
    found = exact_radius(MaxDeviation(model, factors, 1.0, 1))
    assert found.radius == pytest.approx(8 / 9)
    fused = ConvexClustering(np.zeros((2, 1)) + 5.0, FusionGraph.complete(2), 0.5)
    assert np.isfinite(exact_radius(MaxDeviation(fused, Perturbation.additive((2, 1)), 1.0)).radius)


@pytest.mark.parametrize(
    ("graph", "p", "perturbation"),
    [
        (FusionGraph.complete(3), 2, Perturbation.additive((3, 2))),
        (FusionGraph(3, [[0, 1], [1, 2]], [1.0, 1.0]), 1, Perturbation.additive((3, 2))),
        (FusionGraph.complete(3), 1, Perturbation.shift(np.ones((3, 2)))),
        (FusionGraph.complete(3), 1, Perturbation.edges(FusionGraph.complete(3))),
    ],
)
def test_refuses_other_problems(graph, p, perturbation):
    model = ConvexClustering(np.arange(6.0).reshape(3, 2), graph, 1.0, p)
    with pytest.raises(UnsupportedError, match="certified_radius"):
        exact_radius(MaxDeviation(model, perturbation, 1.0))


def test_refuses_different_factors_in_norm_2():
    A = np.array([[1.0], [2.0], [2.5]])
    model = ConvexClustering(A, FusionGraph.complete(3), 5.0)
    with pytest.raises(UnsupportedError, match="different factors"):
        exact_radius(MaxDeviation(model, Perturbation.multiplicative(A), 1.0, 2))


def test_the_certified_radius_is_no_larger():
    ratios = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        problem = random_line(rng, int(rng.integers(4, 20)), ties=0.0)
        exact = exact_radius(problem).radius
        clustering = cluster(problem.model, tol=1e-10, refine=True)
        certified = certified_radius(problem, clustering)
        assert certified <= exact
        ratios.append(certified / exact)
    assert np.median(ratios) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["additive", "masked", "multiplicative"])
def test_thousands_of_eps_just_inside_and_200_masks(kind):
    for seed in range(200 if kind == "masked" else 50):
        rng = np.random.default_rng(seed)
        problem = random_line(rng, int(rng.integers(10, 60)), kind=kind, ties=0.1)
        found = exact_radius(problem)
        check_inside(problem, found, rng, 10 if kind == "masked" else 40)
        check_outside(problem, found)
