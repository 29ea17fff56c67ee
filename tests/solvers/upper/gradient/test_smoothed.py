"""The smooth deviation in NumPy: against a double loop, differences, and the Pyomo expression."""

import time

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.formulations.smooth_deviation import KERNELS, SmoothDeviation
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation, deviation
from bilad.models.deviation import between_clusters, chosen_pairs
from bilad.solvers.upper.gradient.smoothed import AllPairs, GivenPairs, smoothed_deviation

WIDTH = 0.7
instances = st.tuples(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 3))
kernels = st.sampled_from(sorted(KERNELS))


def draw_instance(instance):
    """Points on few sites, so that some coincide."""
    seed, n, d = instance
    rng = np.random.default_rng(seed)
    sites = rng.normal(size=(1 + n // 2, d))
    return sites[rng.integers(0, len(sites), n)], rng.integers(0, 3, n), rng


def all_pairs(n):
    return np.column_stack(np.triu_indices(n, k=1))


@given(instance=instances, kernel=kernels)
def test_the_aggregate_is_the_plain_sum(instance, kernel):
    X, labels, _ = draw_instance(instance)
    pairs = all_pairs(len(X))
    plain = GivenPairs(labels, pairs, np.full(len(pairs), 2.0), KERNELS[kernel])
    value, gradient = plain.at(X, WIDTH)
    same, same_gradient = AllPairs(labels, 2.0, KERNELS[kernel]).at(X, WIDTH)
    assert same == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert same_gradient == pytest.approx(gradient, rel=1e-10, abs=1e-12)


@given(instance=instances, kernel=kernels)
def test_the_value_is_the_formulations_own(instance, kernel):
    X, labels, _ = draw_instance(instance)
    pairs = all_pairs(len(X))
    together = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    smooth = SmoothDeviation(pairs, np.full(len(pairs), 2.0), together, KERNELS[kernel])
    squared = ((X[:, None] - X) ** 2).sum(axis=2)
    expected = pyo.value(smooth.share(range(len(pairs)), lambda i, j: squared[i, j], WIDTH))
    assert AllPairs(labels, 2.0, KERNELS[kernel]).at(X, WIDTH)[0] == pytest.approx(expected)


@given(instance=instances, kernel=kernels)
def test_the_gradient_is_what_central_differences_are(instance, kernel):
    """In every single entry of X, also of points that coincide."""
    X, labels, _ = draw_instance(instance)
    smooth = AllPairs(labels, 2.0, KERNELS[kernel])
    gradient, step = smooth.at(X, WIDTH)[1], 1e-6
    scale = np.abs(gradient).max() + 1
    for index in np.ndindex(X.shape):
        move = np.zeros_like(X)
        move[index] = step
        difference = smooth.at(X + move, WIDTH)[0] - smooth.at(X - move, WIDTH)[0]
        assert gradient[index] == pytest.approx(difference / (2 * step), abs=1e-7 * scale)


@given(instance=instances, kernel=kernels)
def test_it_tends_to_delta(instance, kernel):
    X, labels, rng = draw_instance(instance)
    other = rng.integers(0, 3, len(X))
    sites = np.arange(3.0)[:, None] * np.ones(X.shape[1])
    value, gradient = AllPairs(labels, 2.0, KERNELS[kernel]).at(sites[other], 1e-6)
    assert value == pytest.approx(deviation(labels, other), abs=1e-6)
    assert np.abs(gradient).max() < 1e-6


@pytest.mark.parametrize("name", KERNELS)
def test_the_slope_is_the_kernels(name):
    kernel, squared, step = KERNELS[name], np.array([0.0, 1e-3, 0.4, 3.0, 50.0]), 1e-6
    ends = kernel.together(squared + step, 0.5), kernel.together(squared - step, 0.5)
    expected = (ends[0] - ends[1]) / (2 * step)
    assert kernel.slope(squared, 0.5) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    total = kernel.together(squared, 0.5) + kernel.apart(squared, 0.5)
    assert total == pytest.approx(np.ones(5))


@pytest.mark.parametrize(
    ("given_deviation", "kind"),
    [
        ("delta", AllPairs),
        ("rand", AllPairs),
        (chosen_pairs([(0, 1), (3, 2)]), GivenPairs),
        (between_clusters([0, 1], [3, 4]), GivenPairs),
    ],
)
def test_the_deviation_of_a_problem(given_deviation, kind):
    A = np.arange(6.0)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(6), 0.1)
    problem = MaxDeviation(model, Perturbation.shift(A), 1.0, deviation=given_deviation)
    labels, other = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 2])
    smooth = smoothed_deviation(problem, labels, KERNELS["rational"])
    assert isinstance(smooth, kind)
    value = smooth.at(other[:, None].astype(float), 1e-5)[0]
    assert value == pytest.approx(problem.deviation.value(labels, other), abs=1e-6)


def test_few_distinct_rows_cost_little():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2000)
    smooth = AllPairs(labels, 2.0, KERNELS["rational"])
    sites = rng.normal(size=(5, 8))
    began = time.perf_counter()
    smooth.at(sites[rng.integers(0, 5, 2000)], WIDTH)
    assert time.perf_counter() - began < 0.5
