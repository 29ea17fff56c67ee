"""The exact solver on the complete graph, against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import rational

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster


def on_a_line(values, gamma, weight=1.0, p=2):
    A = np.asarray(values, dtype=float)[:, None]
    return ConvexClustering(A, FusionGraph.complete(len(A), weight), gamma, p)


def flow(model, Z):
    """B'Z by a plain loop."""
    total = np.zeros(model.n)
    for (i, j), z in zip(model.graph.edges, Z[:, 0], strict=True):
        total[i] += z
        total[j] -= z
    return total[:, None]


def check_dual(model, solution):
    """A feasible Z with X = A - B'Z and no gap: a proof of optimality that needs no solver."""
    Z, scale = solution.Z, np.abs(model.data).max() + model.radii.sum()
    assert (np.abs(Z[:, 0]) <= model.radii).all()
    assert model.data - flow(model, Z) == pytest.approx(solution.X, abs=1e-12 * (1 + scale))
    assert model.absolute_gap(solution.X, Z) <= 1e-11 * (1 + scale**2)


line = st.lists(st.integers(-40, 40).map(lambda k: k / 4), min_size=2, max_size=12)
gammas = st.sampled_from([0.0, 0.03, 0.125, 0.25, 1 / 3, 0.5, 1.0, 20.0])


@given(values=line, gamma=gammas)
def test_against_rational_arithmetic(values, gamma):
    model = on_a_line(values, gamma)
    solution = cluster(model, "exact")
    truth = rational.solve_complete(values, model.radii[0])
    assert solution.X[:, 0] == pytest.approx([float(x) for x in truth], rel=1e-15, abs=1e-14)
    check_dual(model, solution)
    together = np.array([[x == y for y in truth] for x in truth])
    same = solution.labels[:, None] == solution.labels
    if solution.proved:
        assert np.array_equal(same, together)
    else:  # what is open is labelled together
        assert (same | ~together).all()


@given(values=line, gamma=gammas)
def test_the_two_rational_oracles_agree(values, gamma):
    model = on_a_line(values[:6], gamma)
    by_pooling = rational.solve_complete(values[:6], model.radii[0])
    assert by_pooling == rational.solve_graph(values[:6], model.graph.edges, model.radii)
    assert all(isinstance(x, Fraction) for x in by_pooling)


def test_a_million_points():
    n = 1_000_000
    values = np.random.default_rng(0).uniform(size=n)
    values[: n // 2] += 100
    model = on_a_line(values, 20 / n)
    solution = cluster(model)
    assert solution.method == "exact"
    assert solution.n_clusters == 2
    first = np.flatnonzero(values > 50)
    assert np.array_equal(solution.labels == solution.labels[first[0]], values > 50)
    # The mean stays, and each half moves by gamma times the size of the other.
    assert solution.X.mean() == pytest.approx(values.mean(), abs=1e-9)
    assert solution.X[first[0], 0] == pytest.approx(
        values[values > 50].mean() - 20 * (n - len(first)) / n
    )
    assert solution.gap < 1e-12


def test_weight_zero_is_gamma_zero():
    solution = cluster(on_a_line([1.0, 2.0, 1.0], 5.0, weight=0.0), "exact")
    assert solution.X[:, 0].tolist() == [1, 2, 1]
    assert solution.labels.tolist() == [0, 1, 0]


def test_gamma_huge_fuses_all_at_the_mean():
    values = np.random.default_rng(2).normal(size=40)
    model = on_a_line(values, 1e6)
    solution = cluster(model, "exact")
    np.testing.assert_allclose(solution.X, np.full((40, 1), values.mean()), rtol=0, atol=1e-8)
    assert solution.n_clusters == 1


@pytest.mark.parametrize("tol", [1e-8, 1e-12])
def test_optimal_means_that_gap_and_residual_meet_the_tolerance(tol):
    rng = np.random.default_rng(0)
    for n in rng.integers(2, 60, size=50):
        solution = cluster(on_a_line(rng.normal(size=n), 0.5 / n), "exact", tol=tol)
        assert solution.status == "optimal"
        assert solution.gap <= tol
        assert solution.kkt_residual <= tol
