"""Labels at eps are proved for the exact data A + T eps and weights, of two points near their tie.

Two points joined by one edge fuse if and only if ||a_1 - a_2||_q <= 2 gamma w, 1/p + 1/q = 1.
"""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.rounding import fractions
from bilad.solvers import attack, cluster
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.clustering.evaluation.line import line_evaluator
from bilad.solvers.clustering.evaluation.plane import plane_evaluator

LINES = [
    (1, 1, "exact"),
    (1, 1, "ssnal"),
    (2, 1, "exact"),
    (2, np.inf, "exact"),
    (2, np.inf, "ssnal"),
]
PLANE = [
    (1, 2, "interior-point"),
    (2, 2, "interior-point"),
    (2, 2, "ssnal"),
    (2, 2, "clarabel"),
    (3, np.inf, "ssnal"),
    (3, 1, "ssnal"),
]
FAR = [0.0, 1.0, 1e3, 1e8]


def are_fused(model):
    """Compare in rational arithmetic."""
    columns, weights = model.exact_parts()
    u = [abs(first - second) for first, second in columns]
    reach = 2 * Fraction(model.gamma) * weights[0]
    if model.p == 2:
        return sum(x * x for x in u) <= reach * reach
    return (max(u) if model.p == 1 else sum(u)) <= reach


def problem_near_a_tie(data, d, p, uniform=True):
    """Two points far from the origin, whose distance eps brings to 2 r up to rounding errors."""
    far, r = data.draw(st.sampled_from(FAR)), data.draw(st.floats(0.1, 2.0))
    numbers = st.floats(-1.0, 1.0, width=32)
    first = far + np.array(data.draw(st.lists(numbers, min_size=d, max_size=d)))
    u = np.zeros(d)
    u[0] = 2 * r + data.draw(st.sampled_from([0.0, 1e-3, -1e-3]))
    if p == 2 and d > 1:
        u[:2] = u[0] * np.array([0.6, 0.8])
    back = data.draw(st.sampled_from([0.0, 1e8]))
    A = np.stack([first, first - back])
    factors = np.array(
        data.draw(st.lists(st.sampled_from([1.0, 0.1, 3.0]), min_size=d, max_size=d))
    )
    T = sp.csr_array((factors, (d + np.arange(d), np.arange(d))), shape=(2 * d, d))
    graph = FusionGraph.complete(2) if uniform else FusionGraph(2, [[0, 1]], [1.0])
    model = ConvexClustering(A, graph, r, p)
    return MaxDeviation(model, Perturbation.linear((2, d), T), 1e10), (u + back) / factors


@pytest.mark.parametrize(("d", "p", "method"), LINES + PLANE)
@given(data=st.data())
def test_proved_labels_are_those_of_the_exact_data(d, p, method, data):
    problem, eps = problem_near_a_tie(data, d, p, uniform=data.draw(st.booleans()))
    model = problem.perturbation.apply(problem.model, eps)
    for refine in (False, True):
        found = cluster(model, method, refine=refine)
        assert not found.proved or (found.n_clusters == 1) == are_fused(model)
    if (d, p, method) in LINES:
        assert found.proved


@pytest.mark.parametrize(("d", "p"), [(1, 1), (2, 1), (2, np.inf), (1, 2), (2, 2)])
@given(data=st.data())
def test_evaluators_prove_the_labels_of_the_exact_data(d, p, data):
    problem, eps = problem_near_a_tie(data, d, p)
    make = line_evaluator if p != 2 or d == 1 else plane_evaluator
    evaluate = make(problem.model, problem, cluster(problem.model))
    found = evaluate(eps)
    moved = problem.perturbation.apply(problem.model, eps)
    assert found in (None, 2 * (are_fused(moved) != are_fused(problem.model)))


@given(data=st.data())
def test_perturbed_weights(data):
    """The weight at eps is 1 - 3 eps_1 - eps_2 times the given one."""
    gap, eps = data.draw(st.floats(0.1, 0.5)), data.draw(st.floats(0.0, 0.25))
    near = 1 - 3 * eps - gap  # eps_2 that makes a tie, up to rounding errors
    graph = FusionGraph(2, [[0, 1]], [data.draw(st.sampled_from([1.0, 0.7]))])
    gamma = data.draw(st.sampled_from([1.0, 0.3]))
    model = ConvexClustering([[0.0], [2 * gamma * graph.weights[0] * gap]], graph, gamma)
    free = Perturbation.linear((2, 1), None, graph, [[3.0, 1.0]])
    moved = free.apply(model, [eps, near])
    for method in ("exact", "interior-point", "ssnal"):
        found = cluster(moved, method, refine=True)
        assert found.proved
        assert (found.n_clusters == 1) == are_fused(moved)
        found = cluster(moved, method)
        assert not found.proved or (found.n_clusters == 1) == are_fused(moved)


def test_a_weight_that_is_almost_removed_proves_nothing_at_a_tie():
    graph = FusionGraph(2, [[0, 1]], [1.0])
    free = Perturbation.linear((2, 1), None, graph, [[1.0]])
    model = ConvexClustering([[0.0], [0.0]], graph, 1.0)
    assert cluster(free.apply(model, 1.0), refine=True).proved
    for eps in (1 - 1e-13, 1 - 1e-11):
        moved = free.apply(model, eps)
        assert cluster(moved, refine=True).proved == (eps < 1 - 1e-12)
        assert cluster(moved, refine=True).n_clusters == 1


def test_weights_that_are_equal_only_after_rounding():
    """Points 0 and 1 fuse; point 2 is apart, because the cut around it is 2 - 2e-17 < 2."""
    graph = FusionGraph(3, [[0, 1], [0, 2], [1, 2]], [1.0, 1.0, 1.0])
    model = ConvexClustering([[-2.0], [0.0], [2.0]], graph, 1.0)
    moved = Perturbation.linear((3, 1), None, graph, [[0.0], [1.0], [1.0]]).apply(model, 1e-17)
    assert moved.graph.uniform_weight == 1.0
    for method in ("exact", "interior-point", "ssnal", "clarabel"):
        assert not cluster(moved, method).proved
        found = cluster(moved, method, refine=True)
        assert (found.labels.tolist(), found.proved) == ([0, 0, 1], True)


LARGEST = np.finfo(float).max
PAIR = FusionGraph(2, [[0, 1]], [0.0])
TINY = FusionGraph(2, [[0, 1]], [1e-10])
EXTREME = {
    "a factor that is split with an overflow": (
        [[1e8 + 0.67326552], [0.0]],
        Perturbation.linear((2, 1), [[1e301, -0.1], [0.0, 0.0]]),
        FusionGraph.complete(2),
        [0.0, 1e9 + 0.0269786],
    ),
    "an intermediate sum that overflows": (
        [[-3 * 2.0**970], [LARGEST - 3 * 2.0**970]],
        Perturbation.shift([[LARGEST], [0.0]]),
        PAIR,
        [1.0],
    ),
    "no weight, and an infinite error of its factor": (
        [[0.1], [0.1 + 0.1 * 1.5]],
        Perturbation.linear((2, 1), [[0.1, 0.0], [0.0, 0.0]], PAIR, [[1e308, -1e308]]),
        PAIR,
        [1.5, 1.5],
    ),
    "an error of a weight that underflows": (
        [[0.0], [2e-10]],
        Perturbation.linear((2, 1), None, TINY, [[1.0]]),
        TINY,
        [1e-316],
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", EXTREME.values(), ids=EXTREME)
@pytest.mark.parametrize("refine", [False, True])
def test_extreme_numbers(case, refine):
    data, perturbation, graph, eps = case
    moved = perturbation.apply(ConvexClustering(data, graph, 1.0), eps)
    assert np.isfinite(moved.rounding).all()
    for gamma in (1.0, abs(moved.data[0, 0] - moved.data[1, 0]) / 2):
        model = moved.with_gamma(gamma)
        found = cluster(model, refine=refine)
        assert not found.proved or (found.n_clusters == 1) == are_fused(model)


def test_the_evaluator_of_eps_that_moves_nothing():
    data = np.random.default_rng(0).normal(size=(6, 2))
    model = ConvexClustering(data, FusionGraph.knn(data, 2), 0.3)
    still = Perturbation.linear((6, 2), np.zeros((12, 2)))
    lower = LowerLevel(MaxDeviation(model, still, 1.0))
    assert lower.evaluate([0.1, 0.2]).deviation == 0


def test_the_residual_is_that_of_the_rounded_data():
    data = 1e9 + np.random.default_rng(0).normal(size=(8, 2))
    for p in (1, np.inf):
        model = ConvexClustering(data, FusionGraph.complete(8), 0.1, p)
        moved = Perturbation.additive((8, 2)).apply(model, 0.1 * np.arange(16))
        assert cluster(moved, "exact").kkt_residual < 1e-14


def test_what_is_made_of_a_perturbed_model_keeps_its_rounding():
    graph = FusionGraph(3, [[0, 1], [1, 2]], [0.7, 0.9])
    model = ConvexClustering([[0.1], [0.2], [0.7]], graph, 0.1)
    free = Perturbation.linear((3, 1), [[0.3], [0.1], [0.0]], graph, [[0.1], [0.3]])
    moved = free.apply(model, 0.123)
    exact, rounding = moved.exact_parts(), moved.rounding
    for gamma in (0.1, 10.0):
        other = moved.with_gamma(gamma)
        assert other.exact_parts() == exact
        assert (other.rounding >= rounding).all()
    of_weights = moved.replace(data=model.data).rounding
    assert moved.with_graph(graph).rounding + of_weights == pytest.approx(rounding, rel=1e-6)
    assert moved.without([2]).rounding.shape == (2, 1)
    assert (moved.without([2]).rounding <= rounding[:2]).all()
    assert moved.without([2]).exact_parts() is None
    assert moved.replace(data=model.data, weights=graph.weights).rounding is None
    assert free.apply(model, 0.0).rounding is None
    columns, weights = exact
    assert columns[0] != fractions(moved.data.ravel())
    assert columns[0][0] == Fraction(0.1) + Fraction(0.3) * Fraction(0.123)
    assert weights[0] == Fraction(0.7) * (1 - Fraction(0.1) * Fraction(0.123))


@pytest.mark.parametrize("method", ["kkt", "duality", "value-function", "random", "exact"])
def test_no_attack_where_eps_moves_both_points_alike(method):
    """The points are 2 gamma apart, so that they fuse; their rounded sums are farther apart."""
    model = ConvexClustering([[0.0], [0.2]], FusionGraph.complete(2), 0.1)
    together = Perturbation.shift([[1.0], [1.0]])
    moved = together.apply(model, 0.4)
    assert moved.data[1, 0] - moved.data[0, 0] > 0.2
    found = attack(MaxDeviation(model, together, 0.5), method, seed=0, max_solves=50)
    assert (found.deviation, found.proved) == (0, True)
