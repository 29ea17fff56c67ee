"""Theorems 1 and 2: the formulas compared with loops, the claims with lower-level solutions."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import problems

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, Perturbation, load_dataset
from bilad.models.learning.recovery import attack_is_possible, recovery_interval
from bilad.models.norms import conjugate
from bilad.solvers import cluster

INF = float("inf")


def by_loops(model, labels):
    """(C1), gamma_min and gamma_max by their definitions."""
    n, q = model.n, conjugate(model.p)
    W = np.zeros((n, n))
    for (i, j), w in zip(model.graph.edges, model.graph.weights, strict=True):
        W[i, j] = W[j, i] = w
    A, clusters = model.data, [np.flatnonzero(labels == k) for k in np.unique(labels)]
    ratios, holds = [0.0], True
    for a, I_a in enumerate(clusters):
        for i, j in itertools.combinations(I_a, 2):
            others = [I_b for b, I_b in enumerate(clusters) if b != a]
            mu = sum(abs((W[i, I_b] - W[j, I_b]).sum()) for I_b in others)
            room = len(I_a) * W[i, j] - mu
            holds &= bool(room > 0)
            ratios.append(np.linalg.norm(A[i] - A[j], q) / room if room > 0 else INF)
    upper = [INF]
    for I_a, I_b in itertools.combinations(clusters, 2):
        distance = np.linalg.norm(A[I_a].mean(axis=0) - A[I_b].mean(axis=0), q)
        pull = sum(np.delete(W[part], part, axis=1).sum() / len(part) for part in (I_a, I_b))
        upper.append(distance / pull if pull else (INF if distance else 0.0))
    return holds, max(ratios), min(upper)


@st.composite
def clustered(draw, p):
    """A model of well-separated clusters, and its labels; most inner weights are positive."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4).filter(lambda s: sum(s) > 1))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    n, d = len(labels), draw(st.integers(1, 3))
    centres = draw(problems.data(len(sizes), d, st.integers(-20, 20).map(float)))
    A = centres[labels] + draw(problems.data(n, d)) / 16
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    same = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    inner = draw(st.sampled_from([1.0, 2.5, 0.25]))
    outer = [draw(st.sampled_from([0.0, 0.0, 0.01, 0.125])) for _ in pairs]
    graph = FusionGraph(n, pairs, np.where(same, inner, outer))
    return ConvexClustering(A, graph, draw(st.floats(0, 4)), p), labels


@pytest.mark.parametrize("p", [1, 2, INF])
def test_the_formulas(p):
    recovered = []

    @given(clustered(p) | st.tuples(problems.models(p=p), st.none()), st.data())
    def check(drawn, data):
        model, labels = drawn
        if labels is None:  # any labels of any model
            numbers = st.lists(st.integers(-2, 3), min_size=model.n, max_size=model.n)
            labels = np.array(data.draw(numbers))
        found = recovery_interval(model, labels)
        holds, gamma_min, gamma_max = by_loops(model, labels)
        assert found.holds_c1 == holds
        assert found.gamma_min == pytest.approx(gamma_min if holds else INF, rel=1e-12)
        assert found.gamma_max == pytest.approx(gamma_max, rel=1e-12, abs=1e-15)
        recovered.append(found.holds_c2)

    check()
    assert any(recovered)
    assert not all(recovered)


@pytest.mark.parametrize("p", [1, 2, INF])
def test_what_the_theorem_guarantees_the_lower_level_returns(p):
    """gamma takes random values in the interval and values near its end points."""
    checked = []

    @settings(max_examples=20)
    @given(clustered(p), st.sampled_from([0.0, 0.001, 0.3, 0.7, 0.999]))
    def check(drawn, share):
        model, labels = drawn
        found = recovery_interval(model, labels)
        assume(found.holds_c2)
        most = min(found.gamma_max, 10 * found.gamma_min + 1)
        gamma = (1 - share) * found.gamma_min + share * most
        model = ConvexClustering(model.data, model.graph, gamma, p)
        assert recovery_interval(model, labels).recovers or share == 0
        solved = cluster(model, refine=True)
        assert problems.same_partition(solved.labels, labels) or (share == 0 and not solved.proved)
        checked.append(solved.proved)

    check()
    assert np.mean(checked) > 0.8


def iris_feature():
    return 10 * load_dataset("iris").data[:100, 3:4]


def test_iris_theorem_1_cannot_tell_for_any_gamma():
    labels = np.repeat([0, 1], 50)
    for gamma in (0.05, 0.1, 0.108, 0.16, 1.0):
        model = ConvexClustering(iris_feature(), FusionGraph.complete(100), gamma)
        found = recovery_interval(model, labels)
        assert found.holds_c1
        assert found.gamma_min == pytest.approx(0.16)
        assert found.gamma_max == pytest.approx(0.108)
        assert not found.holds_c2
        assert not found.recovers
    model = ConvexClustering(iris_feature(), FusionGraph.complete(100), 0.1)
    assert cluster(model).labels.tolist() == labels.tolist(), "and yet it is returned"


def two_groups(gamma):
    A = np.array([[0.0], [1.0], [10.0], [11.0]])
    return ConvexClustering(A, FusionGraph.complete(4), gamma), [7, 7, -1, -1]


def test_the_interval_is_closed_below_and_open_above():
    """Here gamma_min = 1 / 2 and gamma_max = 10 / (2 + 2)."""
    for gamma, recovers in [(0.49, False), (0.5, True), (2.49, True), (2.5, False)]:
        found = recovery_interval(*two_groups(gamma))
        assert (found.gamma_min, found.gamma_max) == (0.5, 2.5)
        assert found.recovers is recovers


def test_the_corollary():
    """The third point is 10 + eps: gamma_min = max(1, |1 - eps|) / 2 <= 1 for eps in [-1, 3]."""
    model, labels = two_groups(1.0)
    move = Perturbation.shift(np.array([[0.0], [0.0], [1.0], [0.0]]))
    for eps in (-0.99, 0.0, 2.99):
        assert not attack_is_possible(model, labels, move, eps)
    for eps in (-1.01, 3.01):
        assert attack_is_possible(model, labels, move, eps)


def test_a_change_is_possible_wherever_one_happens():
    changes = []

    @settings(max_examples=25)
    @given(clustered(2), st.data())
    def check(drawn, data):
        model, labels = drawn
        assume(recovery_interval(model, labels).recovers)
        move = Perturbation.shift(data.draw(problems.data(*model.data.shape).filter(np.any)))
        eps = data.draw(st.floats(-3, 3))
        solved = cluster(move.apply(model, eps))
        if solved.proved and not problems.same_partition(solved.labels, labels):
            assert attack_is_possible(model, labels, move, eps)
            changes.append(eps)

    check()
    assert changes


def test_a_zero_weight_inside_a_cluster_fails_c1():
    graph = FusionGraph(3, [[0, 1], [1, 2], [0, 2]], [1.0, 1.0, 0.0])
    found = recovery_interval(ConvexClustering(np.eye(3), graph, 1.0), [0, 0, 0])
    assert (found.holds_c1, found.gamma_min, found.gamma_max) == (False, INF, INF)
    assert not found.recovers


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_coinciding_centroids_leave_no_gamma(gamma):
    """The means of 0.1 over two and over three points must be equal exactly, without rounding."""
    model = ConvexClustering(np.full((5, 1), 0.1), FusionGraph.complete(5), gamma)
    found = recovery_interval(model, [0, 0, 1, 1, 1])
    assert found.holds_c1
    assert found.gamma_max == 0
    assert not found.recovers


def test_without_edges_every_gamma_keeps_distinct_points_apart():
    graph = FusionGraph(2, np.empty((0, 2), dtype=int), [])
    apart = recovery_interval(ConvexClustering([[0.0], [1.0]], graph, 3.0), [0, 1])
    assert (apart.gamma_min, apart.gamma_max, apart.recovers) == (0, INF, True)
    assert not recovery_interval(ConvexClustering([[1.0], [1.0]], graph, 3.0), [0, 1]).recovers
    assert not recovery_interval(ConvexClustering([[1.0], [1.0]], graph, 3.0), [0, 0]).recovers


def test_thousands_of_points():
    A = np.random.default_rng(0).normal(size=(3000, 2)) + 100 * np.arange(3000)[:, None] // 6
    model = ConvexClustering(A, FusionGraph.knn(A, k=5, phi=0.0), 10.0)
    found = recovery_interval(model, np.arange(3000) // 6)
    assert found.gamma_max > 0
    singles = recovery_interval(model, np.arange(3000))
    assert (singles.holds_c1, singles.gamma_min) == (True, 0)


@pytest.mark.parametrize("labels", [[0, 1], [0.0, 1.0, 0.0, 1.0], [[0, 1], [0, 1]]])
def test_wrong_labels(labels):
    with pytest.raises(ArgumentError, match="labels"):
        recovery_interval(two_groups(1.0)[0], labels)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("power", [-900, -540, 510, 900])
def test_the_interval_scales_with_the_data(p, power):
    A = np.array([[0.0, 0.5], [0.25, 0.0], [4.0, 4.0], [4.5, 3.75]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.3, p)
    scaled = ConvexClustering(np.ldexp(A, power), model.graph, 0.0, p)
    plain, far = (recovery_interval(one, [0, 0, 1, 1]) for one in (model, scaled))
    assert 0 < plain.gamma_min < plain.gamma_max
    assert far.gamma_min == np.ldexp(plain.gamma_min, power)
    assert far.gamma_max == np.ldexp(plain.gamma_max, power)
