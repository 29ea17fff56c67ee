"""Smooth deviations in NumPy, compared with loops, finite differences and their limits."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ArgumentError, deviation
from bilad.models.deviation import between_clusters, chosen_pairs, deviation_function
from bilad.models.smooth_deviation import (
    KERNELS,
    SmoothDistance,
    SmoothPairs,
    length_unit,
    sign_changes,
    width_unit,
)

WIDTH = 0.7
instances = st.tuples(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 3))
kernels = st.sampled_from(sorted(KERNELS))


def draw_instance(instance):
    """Points on few sites, so that some of them coincide."""
    seed, n, d = instance
    rng = np.random.default_rng(seed)
    sites = rng.normal(size=(1 + n // 2, d))
    return sites[rng.integers(0, len(sites), n)], rng.integers(0, 3, n), rng


def smoothed_delta(labels, kernel):
    return deviation_function("delta").smoothed(labels, kernel)


def by_loops(X, labels, width, kernel):
    """The sum over ordered pairs of 1 - s_ij if i and j are together, s_ij otherwise."""
    total = 0.0
    for i in range(len(X)):
        for j in range(len(X)):
            if i != j:
                squared = ((X[i] - X[j]) ** 2).sum() / width**2
                s = 1 / (1 + squared) if kernel == "rational" else np.exp(-squared)
                total += 1 - s if labels[i] == labels[j] else s
    return total


@given(instance=instances, kernel=kernels, width=st.sampled_from([0.01, 0.3, 5.0]))
def test_the_value_is_the_double_loop(instance, kernel, width):
    X, labels, _ = draw_instance(instance)
    value, _ = smoothed_delta(labels, kernel).at(X, width)
    assert value == pytest.approx(by_loops(X, labels, width, kernel), rel=1e-12, abs=1e-12)


@given(instance=instances, kernel=kernels)
def test_the_aggregate_is_the_sum_over_parts_of_the_pairs(instance, kernel):
    """The sum over all pairs is computed by classes, and that over some pairs by pairs."""
    X, labels, _ = draw_instance(instance)
    smooth = smoothed_delta(labels, kernel)
    value, gradient = smooth.at(X, WIDTH)
    even = np.arange(len(smooth.pairs)) % 2 == 0
    parts = [smooth.restricted(kept).at(X, WIDTH) for kept in (even, ~even)]
    assert value == pytest.approx(sum(part[0] for part in parts), rel=1e-12, abs=1e-12)
    assert gradient == pytest.approx(sum(part[1] for part in parts), rel=1e-10, abs=1e-12)


@given(instance=instances, kernel=kernels, some=st.booleans())
def test_the_gradient_is_what_central_differences_are(instance, kernel, some):
    """The gradient is tested in every entry of X, also for points that coincide."""
    X, labels, rng = draw_instance(instance)
    smooth = smoothed_delta(labels, kernel)
    if some:
        smooth = smooth.restricted(rng.random(len(smooth.pairs)) < 0.5)
    check_gradient(smooth, X)


def check_gradient(smooth, state):
    gradient, step = smooth.at(state, WIDTH)[1], 1e-6
    assert gradient.shape == state.shape
    scale = np.abs(gradient).max(initial=0.0) + 1
    for index in np.ndindex(state.shape):
        move = np.zeros_like(state)
        move[index] = step
        difference = smooth.at(state + move, WIDTH)[0] - smooth.at(state - move, WIDTH)[0]
        assert gradient[index] == pytest.approx(difference / (2 * step), abs=1e-7 * scale)


@given(instance=instances, kernel=kernels)
def test_it_tends_to_delta(instance, kernel):
    X, labels, rng = draw_instance(instance)
    other = rng.integers(0, 3, len(X))
    sites = np.arange(3.0)[:, None] * np.ones(X.shape[1])
    value, gradient = smoothed_delta(labels, kernel).at(sites[other], 1e-6)
    assert value == pytest.approx(deviation(labels, other), abs=1e-6)
    assert np.abs(gradient).max() < 1e-6


@given(instance=instances, kernel=kernels)
def test_order_of_points_and_names_of_clusters_do_not_matter(instance, kernel):
    X, labels, rng = draw_instance(instance)
    value, _ = smoothed_delta(labels, kernel).at(X, WIDTH)
    order = rng.permutation(len(X))
    for points, names in ((X[order], labels[order]), (X, 2 - labels)):
        again, _ = smoothed_delta(names, kernel).at(points, WIDTH)
        assert again == pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_the_derivatives_are_the_kernels(name):
    kernel, squared, step = KERNELS[name], np.array([0.0, 1e-3, 0.4, 3.0, 50.0]), 1e-6
    for function, derivative in (
        (kernel.together, kernel.slope),
        (kernel.slope, kernel.curvature),
    ):
        ends = function(squared + step, 0.5), function(squared - step, 0.5)
        expected = (ends[0] - ends[1]) / (2 * step)
        assert derivative(squared, 0.5) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    total = kernel.together(squared, 0.5) + kernel.apart(squared, 0.5)
    assert total == pytest.approx(np.ones(5))


@pytest.mark.parametrize("name", KERNELS)
@given(length=st.floats(0.0, 1e3), width=st.floats(1e-3, 1e3))
def test_kernels_are_shares_of_one(name, length, width):
    kernel, squared, w2 = KERNELS[name], length**2, width**2
    together, apart = (f(squared, w2) for f in (kernel.together, kernel.apart))
    assert 0 <= together <= 1
    assert 0 <= apart <= 1
    assert together + apart == pytest.approx(1.0, rel=1e-15)
    assert kernel.together(0.0, w2) == 1
    assert kernel.apart(0.0, w2) == 0
    assert kernel.together(4 * squared, 4 * w2) == pytest.approx(together)
    assert kernel.together(2 * squared, w2) <= together


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_do_not_cancel_near_zero(name):
    """1 - k is small if points nearly coincide, and must keep its relative accuracy."""
    assert KERNELS[name].apart(1e-12, 1.0) == pytest.approx(1e-12, rel=1e-3)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "given_deviation",
    ["delta", "rand", chosen_pairs([(0, 1), (3, 2)]), between_clusters([0, 1], [3, 4])],
)
def test_it_tends_to_every_deviation_that_is_additive_over_pairs(given_deviation, kernel):
    function = deviation_function(given_deviation)
    labels, other = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 2])
    smooth = function.smoothed(labels, kernel)
    value, _ = smooth.at(other[:, None].astype(float), 1e-5)
    assert value == pytest.approx(function.value(labels, other), abs=1e-6)
    assert value > 0
    check_gradient(smooth, np.random.default_rng(0).normal(size=(6, 2)))


@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed", "changed-matched"])
def test_refuses_by_naming_what_is_smooth(name):
    function = deviation_function(name)
    reason = function.smoothing_refusal()
    for word in ("delta", "rand", "chosen_pairs", "between_clusters", repr(name)):
        assert word in reason
    assert "distance" not in reason  # it is of parameters, not of labels
    with pytest.raises(ArgumentError, match=f"deviation: got '{name}', expected one of delta"):
        function.smoothed(np.array([0, 0, 1]))
    assert deviation_function("rand").smoothing_refusal() is None


@pytest.mark.parametrize("wrong", ["square", "", None, 1])
def test_an_unknown_kernel_is_refused(wrong):
    for name in ("delta", "distance"):
        with pytest.raises(ArgumentError, match="kernel: got .*'rational', 'exponential'"):
            deviation_function(name).smoothed(np.array([0.0, 1.0]), wrong)


def test_few_distinct_rows_cost_little():
    """The memory is that of pairs of the fifty classes, and not of pairs of points."""
    rng = np.random.default_rng(0)
    labels, sites = rng.integers(0, 10, 2000), rng.normal(size=(5, 8))
    X, smooth = sites[rng.integers(0, 5, 2000)], smoothed_delta(labels, "rational")
    tracemalloc.start()
    try:
        smooth.at(X, WIDTH)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2e6


states = st.tuples(st.integers(0, 10**6), st.sampled_from([(3,), (1,), (2, 3)]))


@given(drawn=states)
def test_the_distance_of_parameters_is_rounded_at_zero(drawn):
    seed, shape = drawn
    before, after = np.random.default_rng(seed).normal(size=(2, *shape))
    distance = deviation_function("distance")
    smooth = distance.smoothed(before)
    assert isinstance(smooth, SmoothDistance)
    check_gradient(smooth, after)
    check_gradient(smooth, before)
    assert smooth.at(before, WIDTH)[0] == 0.0
    assert not smooth.at(before, WIDTH)[1].any()
    truth = distance.value(before, after)
    for width in (1.0, 0.1, 1e-8):
        value = smooth.at(after, width)[0]
        assert truth - width <= value <= truth
    assert value == pytest.approx(truth)


def test_pairs_that_are_left_out_count_no_more():
    labels = np.array([0, 0, 1])
    smooth = smoothed_delta(labels, "rational")
    some = smooth.restricted(np.array([True, False, True]))
    assert isinstance(some, SmoothPairs)
    assert some.pairs.tolist() == [[0, 1], [1, 2]]
    assert some.together.tolist() == [True, False]
    assert some.coefficients.tolist() == [2.0, 2.0]
    nothing = smooth.restricted(np.zeros(3, dtype=bool))
    value, gradient = nothing.at(np.arange(3.0)[:, None], WIDTH)
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("d", [1, 3])
def test_unit_is_the_root_mean_square_distance(d):
    X = np.random.default_rng(0).normal(size=(6, d)) + 30
    squared = [((x - y) ** 2).sum() for x in X for y in X]
    assert length_unit(X, np.zeros((6, d))) == pytest.approx(np.sqrt(np.mean(squared)))


@pytest.mark.parametrize("factor", [1e-6, 0.3, 1e7])
def test_unit_scales_with_the_data_and_does_not_see_a_translation(factor):
    rng = np.random.default_rng(1)
    A, X = rng.normal(size=(2, 8, 2))
    unit = length_unit(X, A)
    assert length_unit(factor * X, factor * A) == pytest.approx(factor * unit)
    assert length_unit(X + 5, A + 5) == pytest.approx(unit)
    fused = np.full_like(A, 2.0)
    of_data = length_unit(fused, A)
    assert length_unit(factor * fused, factor * A) == pytest.approx(factor * of_data)


def test_unit_when_points_or_data_coincide():
    A = np.array([[0.0], [4.0]])
    assert length_unit(np.full((2, 1), 2.0), A) == pytest.approx(np.sqrt(8))
    rounding = np.array([[2.0], [2.0 + 4e-16]])
    assert length_unit(rounding, A) == pytest.approx(np.sqrt(8))
    same = np.full((2, 1), 3.0)
    assert length_unit(same, same) == 1.0


def test_unit_of_parameters_is_that_of_the_data():
    """A single parameter vector does not have two rows."""
    A = np.array([[0.0, 1.0], [4.0, 1.0], [2.0, 7.0]])
    assert length_unit(np.array([3.0, -1.0]), A) == length_unit(A, A)


def test_the_unit_of_scores_is_their_root_mean_square_at_the_reference():
    design, reference = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([3.0, 2.0])
    smooth = sign_changes(design, reference)
    assert width_unit(smooth, reference, design) == smooth.unit == pytest.approx(12.5**0.5)
    assert sign_changes(design, np.zeros(2)).unit == 1.0
    points = SmoothPairs(np.array([0, 1]), np.array([[0, 1]]), np.ones(1), KERNELS["rational"])
    assert width_unit(points, design, design) == length_unit(design, design)


@given(seed=st.integers(0, 10**6))
def test_changed_signs_are_counted_smoothly(seed):
    """Including scores that are zero, whose sign is that of 1."""
    rng = np.random.default_rng(seed)
    design, before, after = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=3)
    design[0] = 0.0
    smooth = sign_changes(design, before)
    check_gradient(smooth, after)
    z, signs = design @ after, np.where(design @ before >= 0, 1.0, -1.0)
    terms = 0.5 * (1 - signs * z / np.hypot(z, WIDTH))
    assert smooth.at(after, WIDTH)[0] == pytest.approx(terms.sum(), rel=1e-12)
    assert [smooth.term(k, z[k], WIDTH, np) for k in range(6)] == pytest.approx(terms)
    if np.abs(z[1:]).min() > 1e-3:
        changed = np.count_nonzero(signs[1:] != np.sign(z[1:]))
        assert smooth.at(after, 1e-9)[0] == pytest.approx(changed + 0.5, abs=1e-6)
