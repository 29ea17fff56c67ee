"""Who has left his cluster has paid for it."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from support import rational

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation, deviation
from bilad.solvers import cluster
from bilad.solvers.certificates import line_bounds
from bilad.solvers.certificates.bounds import fixed_pairs, optimum_bound
from bilad.solvers.certificates.line_bounds import (
    SeparationCosts,
    cores_apart,
    moves_one_each,
    never_meet,
)
from bilad.solvers.clustering.cluster import solve_lower


def even_line(rng):
    """Points in two or three groups, some of them free."""
    n = int(rng.integers(4, 13))
    A = rng.normal(size=(n, 1)) + 4.0 * rng.integers(0, 3, size=(n, 1))
    model = ConvexClustering(A, FusionGraph.complete(n, 1 / n), rng.uniform(0.5, 3.0))
    points = rng.permutation(n)[: int(rng.integers(1, 1 + n // 2))]
    return MaxDeviation(model, Perturbation.additive(A.shape, points), rng.uniform(0.2, 4.0))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=12)
def test_who_leaves_pays(seed):
    rng = np.random.default_rng(seed)
    problem = even_line(rng)
    clustering = cluster(problem.model)
    fixed = fixed_pairs(problem, clustering, problem.radius)
    separation = fixed.separation
    free = np.flatnonzero(abs(problem.operator("data")).sum(axis=1))
    order = problem.operator("data")[free].indices
    for _ in range(8):
        eps = rng.normal(size=problem.perturbation.dim)
        eps *= problem.radius / np.linalg.norm(eps)
        found = cluster(problem.perturbation.apply(problem.model, eps))
        same = found.labels[:, None] == found.labels
        assert not (fixed.together & ~same).any()
        assert not (fixed.apart & same).any()
        stays = np.ones(len(same), dtype=bool)
        stays[free] = np.abs(eps[order]) < separation.costs[free]
        both = stays[:, None] & stays
        assert not (separation.together & both & ~same).any()
        assert not (separation.apart & both & same).any()


def test_the_price_of_a_point_between_others():
    """Four points at 0 and one at 1, r = 1: up past 4 + 1, so by 4 more; or down past -5."""
    A = np.array([[0.0], [0.0], [0.0], [0.0], [1.0]])
    model = ConvexClustering(A, FusionGraph.complete(5, 1.0), 1.0)
    for signed, price in ((False, 4.0), (True, 2.0)):
        T = (2.0 if signed else 1.0) * np.eye(5)[:, [4]]
        problem = MaxDeviation(model, Perturbation.linear((5, 1), T), 4.5)
        separation = fixed_pairs(problem, cluster(model), 4.5).separation
        assert 0.999999 * price < separation.costs[4] <= price
        assert np.isinf(separation.costs[:4]).all()
        assert separation.together.all()


@pytest.mark.parametrize("way", ["both", "up", "down"])
def test_the_price_is_rounded_down(way):
    """At the price the point is still in its cluster, in exact arithmetic, and beyond it is not."""
    whole, none = np.ones((5, 5), dtype=bool), np.zeros((5, 5), dtype=bool)
    bounds = {"up": (0.0, np.inf), "down": (-np.inf, 0.0), "both": (-np.inf, np.inf)}[way]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, factor = rng.integers(-2, 3, 5) / 10, float(rng.choice([-3, 0.7, 1]))
        model = ConvexClustering(a[:, None], FusionGraph.complete(5, 0.3), 1.1)
        T = factor * np.eye(5)[:, [4]]
        free = Perturbation.linear((5, 1), T, lower=bounds[0], upper=bounds[1])
        problem = MaxDeviation(model, free, 9.0)
        costs = SeparationCosts.of(problem, np.zeros(5, dtype=np.int64), whole, none).costs
        assert np.isinf(costs[:4]).all()

        def leaves(eps, a=a, r=model.radii[0], factor=factor):
            moved = Fraction(a[4]) + Fraction(factor) * Fraction(eps)
            x = rational.solve_complete([*map(Fraction, a[:4]), moved], r)
            assert len(set(x[:4])) == 1
            return x[4] != x[0]

        signs = [sign for sign, bound in zip((-1.0, 1.0), bounds, strict=True) if bound]
        assert not any(leaves(sign * costs[4]) for sign in signs)
        assert any(leaves(sign * costs[4] * (1 + 1e-12)) for sign in signs)


def test_a_price_beyond_the_bounds_of_eps_is_not_paid():
    """Four points at 0 and one at 1, r = 1: up by 4, down by 6."""
    model = ConvexClustering([[0.0]] * 4 + [[1.0]], FusionGraph.complete(5), 1.0)
    whole, none = np.ones((5, 5), dtype=bool), np.zeros((5, 5), dtype=bool)
    for lower, upper, price in ((-7.0, 3.5, 6.0), (-5.5, 4.0, 4.0), (-5.5, 3.5, np.inf)):
        free = Perturbation.linear((5, 1), np.eye(5)[:, [4]], lower=lower, upper=upper)
        problem = MaxDeviation(model, free, 9.0)
        costs = SeparationCosts.of(problem, np.zeros(5, dtype=np.int64), whole, none).costs
        assert costs[4] == pytest.approx(price, rel=1e-12)


@pytest.mark.parametrize(("norm", "reach"), [(1, 12.0), (2, 6.0), (np.inf, 3.0)])
def test_cores_meet_where_they_must(norm, reach):
    """Means 0 and 12, 12 points, r = 5 / 6: they meet once the means come nearer by 2."""
    A = np.repeat([0.0, 12.0], 6)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(12, 5 / 6), 1.0)
    free = Perturbation.additive(A.shape, [0, 1, 6, 7])
    clusters, whole = np.repeat([0, 1], 6), np.ones((12, 12), dtype=bool)
    for radius, never in ((0.999 * reach, True), (1.001 * reach, False)):
        problem = MaxDeviation(model, free, radius, norm)
        assert cores_apart(problem, clusters, whole, radius)[5, 11] == never
        assert not cores_apart(problem, clusters, whole, radius)[0].any()


@pytest.mark.parametrize(
    ("pairs", "weights"),
    [([[0, 1], [0, 2], [1, 2]], [1.0, 1.0, 2.0]), ([[0, 1], [1, 2]], [1.0, 1.0])],
)
def test_only_equal_weights_on_the_complete_graph_have_a_price(pairs, weights):
    model = ConvexClustering([[0.0], [0.0], [0.5]], FusionGraph(3, pairs, weights), 1.0)
    whole, none = np.ones((3, 3), dtype=bool), np.zeros((3, 3), dtype=bool)
    problem = MaxDeviation(model, Perturbation.additive((3, 1), [2]), 9.0)
    separation = SeparationCosts.of(
        problem, np.zeros(3, dtype=np.int64), np.eye(3, dtype=bool), none
    )
    assert np.isinf(separation.costs).all()
    assert not cores_apart(problem, np.array([0, 1, 1]), whole, 0.1).any()
    np.testing.assert_array_equal(separation.together, np.eye(3, dtype=bool))


def test_others_may_come_between_two_cores():
    """Pairs at 0 and D, r = 1, and a fifth point that comes from 100: it joins them up to D = 6."""
    clusters, whole = np.array([0, 0, 1, 1, 2]), np.ones((5, 5), dtype=bool)
    for distance, never in ((5.0, False), (5.5, False), (6.0, False), (6.0 + 1e-10, True)):
        a = [0.0, 0.0, distance, distance, 100.0]
        model = ConvexClustering(np.array(a)[:, None], FusionGraph.complete(5), 1.0)
        assert len(set(rational.solve_complete(a, 1))) == 3
        middle = Fraction(distance) / 2
        assert (len(set(rational.solve_complete([*a[:4], middle], 1))) == 1) == (not never)
        problem = MaxDeviation(model, Perturbation.additive((5, 1), [4]), 100.0)
        apart = cores_apart(problem, clusters, whole, 100.0)
        assert apart[0, 2] == apart[2, 0] == never
        assert not apart[:, 4].any()
        assert not apart[0, 1]


def squared_reach(problem, low, high, free):
    """The square of the least norm of an eps with which two cores and some free points may meet."""
    a, r = problem.model.data[:, 0].tolist(), Fraction(problem.model.radii[0])
    rest = len(a) - len(low) - len(high)
    squares = []
    for size in range(1, len(free) + 1):
        for some in itertools.combinations(free, size):
            left, right = ([i for i in side if i in some or i not in free] for side in (low, high))
            below, above = (sum(Fraction(a[i]) for i in side) / len(side) for side in (left, right))
            gap = above - below - r * (len(left) + len(right) + 2 * rest)
            normal = [Fraction(1, len(left if i in left else right)) for i in some]
            squares.append(gap**2 / rational.dual_norm_squared(normal, problem.norm))
            assert gap > 0
    return min(squares)


@pytest.mark.parametrize(("norm", "tight"), [(1, 0.66), (2, 1 - 1e-10), (np.inf, 1 - 1e-10)])
def test_cores_that_may_meet_are_not_said_to_stay_apart(norm, tight):
    """On both sides of the exact threshold, within a few roundings of it; norm 1 is less tight."""
    clusters, whole = np.r_[np.repeat([0, 1], 6), 2], np.ones((13, 13), dtype=bool)
    low, high, moving = range(6), range(6, 12), [0, 1, 6, 7]
    for seed in range(25):
        rng = np.random.default_rng(seed)
        a = np.r_[rng.integers(0, 5, 6), 50 + rng.integers(0, 5, 6), 300] / 10
        model = ConvexClustering(a[:, None], FusionGraph.complete(13, 0.1), 2.3)
        free = Perturbation.additive((13, 1), moving)
        problem = MaxDeviation(model, free, 1.0, norm)
        square = squared_reach(problem, low, high, moving)
        reach = float(square) ** 0.5
        for radius in reach * (1 + 2.0**-52 * np.arange(-8, 9)):
            apart = cores_apart(problem, clusters, whole, radius)
            assert not apart[2, 8] or Fraction(radius) ** 2 < square
        assert cores_apart(problem, clusters, whole, reach * tight)[2, 8]


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_one_eps_may_pay_in_several_features(norm):
    """Both groups hold in the first feature, whatever eps, and both part in the second."""
    A = np.array([[0.0, 0.0], [0.0, 0.1], [9.0, 9.0], [9.0, 9.1]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.1, 1)
    shift = Perturbation.shift([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.5]])
    clustering, after = cluster(model), cluster(shift.apply(model, [5.0]))
    assert deviation(clustering.labels, after.labels) == 4
    problem = MaxDeviation(model, shift, 5.0, norm)
    assert optimum_bound(problem, clustering) == 4.0


def grid_problem(rng):
    """Points in two features, p = 1; each eps moves one number, or several."""
    n = int(rng.integers(3, 8))
    A = rng.normal(size=(n, 2)) * 0.3 + 3.0 * rng.integers(0, 2, size=(n, 2))
    model = ConvexClustering(A, FusionGraph.complete(n, 1 / n), rng.uniform(0.3, 2.0), 1)
    T = Perturbation.additive(A.shape, rng.permutation(n)[: 1 + n // 3]).operators["data"].toarray()
    if rng.random() < 0.5:
        T = T @ rng.integers(-1, 2, size=(T.shape[1], int(rng.integers(1, 4))))
    radius, norm = 10 ** rng.uniform(-1, 0.5), rng.choice([1, 2, np.inf])
    return MaxDeviation(model, Perturbation.linear(A.shape, sp.csr_array(T)), radius, norm)


@pytest.mark.slow
def test_who_leaves_in_a_feature_pays():
    """Also where one eps moves many."""
    active = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        problem = grid_problem(rng)
        clustering = cluster(problem.model)
        separation = fixed_pairs(problem, clustering, problem.radius).separation
        bound, k = optimum_bound(problem, clustering), problem.perturbation.dim
        active += 0 < bound < problem.deviation.largest(problem.model.n)
        touched = (
            abs(problem.operator("data")).toarray().reshape(problem.model.n, -1, k).max(axis=1)
        )
        for eps in (*rng.choice([-1.0, 0.0, 1.0], (8, k)), *rng.normal(size=(2, k))):
            eps *= 0.999999 * problem.radius / (problem.size(eps) or 1.0)
            found = cluster(problem.perturbation.apply(problem.model, eps))
            assert problem.deviation.value(clustering.labels, found.labels) <= bound
            same = found.labels[:, None] == found.labels
            stays = ((touched > 0) * np.abs(eps)).max(axis=1) < separation.costs
            both = stays[:, None] & stays
            assert not (separation.together & both & ~same).any()
            assert not (separation.apart & both & same).any()
    assert active > 3


def test_zeros_that_are_stored_move_nothing():
    """The third point is moved by the second eps, and by 0 times the first."""
    places = np.array([0, 2, 2]), np.array([0, 0, 1])
    T = sp.csr_array((np.array([1.0, 0.0, 1.0]), places), shape=(4, 2))
    model = ConvexClustering([[0.0], [0.1], [9.0], [9.2]], FusionGraph.complete(4, 0.2), 1.0)
    costs = []
    for operator in (T, sp.csr_array(T.toarray())):
        problem = MaxDeviation(model, Perturbation.linear((4, 1), operator), 3.0)
        costs.append(fixed_pairs(problem, cluster(model), 3.0).separation.costs)
    assert np.isfinite(costs[0]).any()
    np.testing.assert_array_equal(*costs)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("factor", [1.0, -2.0])
def test_two_points_on_a_line_never_meet_in_closed_form(norm, factor):
    """10 apart, r = 1: they are 8 apart, and each moves by at most |factor| radius."""
    model = ConvexClustering([[0.0], [10.0]], FusionGraph.complete(2), 1.0)
    problem = MaxDeviation(model, Perturbation.linear((2, 1), factor * np.eye(2)), 1.0, norm)
    reach = 4.0 / abs(factor)
    apart = never_meet(problem, reach * (1 - 1e-7))
    np.testing.assert_array_equal(apart, [[False, True], [True, False]])
    assert not never_meet(problem, reach).any()
    assert not never_meet(problem, reach * (1 + 1e-7)).any()


def test_what_monotone_bounds_do_not_apply_to():
    graph = FusionGraph.complete(2)
    line, plane = (ConvexClustering(np.eye(2)[:, :d] * 9, graph, 1.0) for d in (1, 2))
    assert never_meet(MaxDeviation(plane, Perturbation.additive((2, 2)), 1.0), 0.1) is None
    assert never_meet(MaxDeviation(line, Perturbation.edges(graph), 1.0), 0.1) is None


@pytest.mark.parametrize("refused", [0, 1, 2, 3])
def test_corners_lie_outside_the_box_and_errors_are_covered(monkeypatch, refused):
    """Also of the enlarged boxes that are tried while labels are not proved."""
    a, move = np.array([0.1, -0.2, 5.3, 0.7]), np.array([-0.3, -0.1, 0.1, 0.0])
    model, tried = ConvexClustering(a[:, None], FusionGraph.complete(4, 0.3), 0.7), []

    def solve(corner, **options):
        tried.append(corner.data[:, 0])
        return solve_lower(corner, **options) if len(tried) > refused else cluster(touching)

    touching = ConvexClustering([[0.0, 0.0], [2.0, 0.0]], FusionGraph.complete(2), 1.0)
    assert not cluster(touching).proved
    monkeypatch.setattr(line_bounds, "solve_lower", solve)
    found = line_bounds._solution(MaxDeviation(model, Perturbation.additive((4, 1)), 1.0), move)
    assert (found is None) == (refused == 3)
    for data, stretch in zip(tried, (0.0, 1e-7, 1e-5), strict=False):
        exact = [
            Fraction(v) + Fraction(m) * (1 + Fraction(stretch))
            for v, m in zip(a, move, strict=True)
        ]
        for value, least, m in zip(data.tolist(), exact, move, strict=True):
            beyond = (Fraction(value) - least) * int(np.sign(m))
            assert beyond > 0 if m else value == least
            assert beyond <= Fraction(1, 10**13)
    if found is not None:
        x, error = found
        exact = rational.solve_complete(tried[-1].tolist(), model.radii[0])
        assert all(abs(Fraction(v) - w) <= Fraction(error) for v, w in zip(x, exact, strict=True))
        assert error < 1e-12


def test_monotone_bounds_hold_at_ties():
    """Both corners are ties or near ones: no verdict contradicts exact solutions in the box."""
    verdicts = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        a, radius = rng.integers(0, 40, 5) / 10, float(rng.choice([0.1, 0.2, 0.3]))
        model = ConvexClustering(a[:, None], FusionGraph.complete(5, 0.1), 1.0)
        apart = never_meet(MaxDeviation(model, Perturbation.additive((5, 1)), 1.0), radius)
        if apart is None:
            continue
        corners = [[Fraction(v) + sign * Fraction(radius) for v in a.tolist()] for sign in (-1, 1)]
        low, high = (rational.solve_complete(corner, model.radii[0]) for corner in corners)
        never = np.array(
            [[high[i] < low[j] or high[j] < low[i] for j in range(5)] for i in range(5)]
        )
        assert not (apart & ~never).any()
        verdicts.append((apart == never).mean())
    assert len(verdicts) > 20
    assert np.mean(verdicts) > 0.95


def test_the_core_of_a_cluster_is_its_largest_part_that_does_not_move():
    """Of points 0..6, eps moves 1 and 4; 2, 3 and 5 are fixed together, 0 and 6 are not."""
    model = ConvexClustering(np.zeros((8, 1)), FusionGraph.complete(8), 1.0)
    problem = MaxDeviation(model, Perturbation.additive((8, 1), points=[1, 4, 7]), 1.0)
    blocks = np.array([0, 1, 2, 2, 3, 2, 4, 5])
    together = blocks[:, None] == blocks
    core, free = line_bounds._core(problem, np.arange(7), together)
    assert (core.tolist(), free.tolist()) == ([2, 3, 5], [1, 4])
    core, free = line_bounds._core(problem, np.array([1, 7]), together)
    assert (core.tolist(), free.tolist()) == ([], [1, 7])
    means = line_bounds._means(np.arange(8.0), np.array([2, 4]), np.array([6, 0]))
    np.testing.assert_allclose(means, [3.0, 2.0, 3.0])


def test_pairs_that_costs_fix_include_those_of_whole_groups():
    """Cores that stay apart keep the free points of both apart, unless these leave."""
    a = np.array([0.0, 0.0, 0.1, 30.0, 30.0, 30.1, 60.0])
    model = ConvexClustering(a[:, None], FusionGraph.complete(7), 0.5)
    problem = MaxDeviation(model, Perturbation.additive((7, 1), points=[2, 5]), 9.0)
    clusters = np.array([0, 0, 0, 1, 1, 1, 2])
    blocks = np.array([0, 0, 1, 2, 2, 3, 4])
    apart = np.zeros((7, 7), dtype=bool)
    apart[:2, 3:5] = apart[3:5, :2] = True
    found = SeparationCosts.of(problem, clusters, blocks[:, None] == blocks, apart)
    np.testing.assert_array_equal(found.together, clusters[:, None] == clusters)
    expected = np.zeros((7, 7), dtype=bool)
    expected[:3, 3:6] = expected[3:6, :3] = True
    np.testing.assert_array_equal(found.apart, expected)
    np.testing.assert_array_equal(np.isfinite(found.costs), [0, 0, 1, 0, 0, 1, 0])
    assert found.costs[2] == pytest.approx(0.5 * 3 - 0.1)


def test_what_moves_one_number_each():
    moves = np.array([[2.0, 0.0], [0.0, 0.0], [0.0, -1.0]])
    assert moves_one_each(sp.csr_array(moves))
    assert not moves_one_each(sp.csr_array(moves[:, [0, 0]]))
    assert not moves_one_each(sp.csr_array(moves[[0, 0, 2]]))
