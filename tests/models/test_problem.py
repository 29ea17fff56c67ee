"""The two bilevel problems: attacks, ranking, projection and largest steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    between_clusters,
)
from bilad.models.learning.learning_model import normal_form
from bilad.models.problem import steepest
from bilad.solvers import cluster

NORMS = [1, 2, np.inf]
MODEL = ConvexClustering([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]], FusionGraph.complete(3), 0.1)
EVERYTHING = Perturbation.additive((3, 2))


def test_max_deviation_says_what_an_attack_is():
    problem = MaxDeviation(MODEL, EVERYTHING, budget=2.0)
    assert problem.is_attack(2.0, 1)
    assert not problem.is_attack(2.0, 0)
    assert not problem.is_attack(np.nextafter(2.0, 3), 6)


def test_max_deviation_ranks_deviation_before_size():
    problem = MaxDeviation(MODEL, EVERYTHING, budget=2.0)
    better_first = [(1.9, 4), (0.5, 2), (0.6, 2), (0.1, 0)]
    keys = [problem.rank(*found) for found in better_first]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 4


def test_min_perturbation_says_what_an_attack_is():
    problem = MinPerturbation(MODEL, EVERYTHING, target=4, limit=2.0)
    assert problem.is_attack(2.0, 4)
    assert not problem.is_attack(2.0, 3.9)
    assert not problem.is_attack(2.1, 6)


def test_min_perturbation_ranks_size_before_deviation():
    problem = MinPerturbation(MODEL, EVERYTHING, target=2, limit=2.0)
    better_first = [(0.1, 2), (0.5, 6), (0.5, 2), (0.6, 6)]
    keys = [problem.rank(*found) for found in better_first]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 4


@pytest.mark.parametrize("norm", NORMS)
def test_size_is_the_norm(norm):
    problem = MaxDeviation(MODEL, EVERYTHING, 1.0, norm=norm)
    eps = [1.0, -2.0, 0.0, 0.5, 0.0, -1.0]
    assert problem.size(eps) == pytest.approx({1: 4.5, 2: 2.5, np.inf: 2.0}[norm])
    line = MaxDeviation(MODEL, Perturbation.shift(np.ones((3, 2))), 1.0, norm=norm)
    for number in (3.0, 1.5e-164, 5e-324, 1e200):  # squares of which underflow or overflow
        assert line.size(-number) == number


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data())
def test_projection_is_radial_and_never_outside(norm, data):
    n, d = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 3))
    model = ConvexClustering(np.zeros((n, d)), FusionGraph.complete(n), 1.0)
    radius = data.draw(st.floats(1e-6, 1e6))
    problem = MaxDeviation(model, Perturbation.additive((n, d)), radius, norm=norm)
    numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
    eps = data.draw(problems.data(1, n * d, numbers))[0]
    size = np.linalg.norm(eps, ord=norm)
    projected = problem.project(eps)
    assert problem.size(projected) <= radius
    if size <= radius:
        assert np.array_equal(projected, eps)
    else:
        assert projected == pytest.approx(eps * (radius / size), rel=1e-12, abs=0)
    assert np.array_equal(problem.project(projected), projected)


@pytest.mark.parametrize("norm", NORMS)
def test_projection_of_long_random_vectors_is_never_outside(norm):
    model = ConvexClustering(np.zeros((500, 4)), FusionGraph.complete(500), 1.0)
    rng = np.random.default_rng(0)
    for radius in (1e-3, 1.0, 7.3):
        problem = MaxDeviation(model, Perturbation.additive((500, 4)), radius, norm=norm)
        for _ in range(100):
            assert (
                problem.size(problem.project(rng.normal(size=2000) * 10 ** rng.uniform(-2, 5)))
                <= radius
            )


def test_projection_is_not_outside_where_a_sum_rounds_up():
    """For thirty terms, a correction by four units in the last place does not suffice."""
    model = ConvexClustering(np.zeros((10, 3)), FusionGraph.complete(10), 1.0)
    problem = MaxDeviation(model, Perturbation.additive((10, 3)), 1.5, norm=1)
    eps = np.r_[389283.34375, np.full(29, 843892.62907711)]
    assert 1.5 - 1e-14 < problem.size(problem.project(eps)) <= 1.5


@pytest.mark.parametrize(("norm", "length"), [(1, 6), (2, np.sqrt(6)), (np.inf, 1)])
def test_default_limit_is_the_diameter_in_every_entry(norm, length):
    problem = MinPerturbation(MODEL, EVERYTHING, target=2, norm=norm)
    assert problem.radius == pytest.approx(5.0 * length)  # the bounding box is 3 by 4


def test_default_limit_counts_a_short_direction_and_a_single_point_cloud():
    V = np.zeros((3, 2))
    V[0], V[1] = (0.0, 2.0), (0.5, 0.0)
    assert MinPerturbation(MODEL, Perturbation.shift(V), target=2).radius == pytest.approx(10.0)
    flat = MODEL.replace(data=np.ones((3, 2)))
    assert MinPerturbation(flat, Perturbation.shift(V), target=2).radius == pytest.approx(2.0)


def test_problems_keep_what_they_were_given():
    problem = MaxDeviation(MODEL, EVERYTHING, 2, norm=1, deviation="rand")
    assert (problem.budget, problem.radius, problem.norm) == (2.0, 2.0, 1.0)
    assert problem.deviation.name == "rand"
    assert MinPerturbation(MODEL, EVERYTHING, 6, limit=3).target == 6  # n (n - 1), the largest
    merging = between_clusters([0], [1, 2])
    problem = MinPerturbation(MODEL, EVERYTHING, 2, limit=3, deviation=merging)
    for same in (problem, problem.largest_deviation(), problem.normalised(normal_form(MODEL))):
        assert same.deviation is merging


def test_default_limit_goes_to_the_bounds_of_the_weights():
    for norm, length in ((1, 2), (2, np.sqrt(2)), (np.inf, 1)):
        cut = Perturbation.edges(MODEL.graph, [0, 2])
        problem = MinPerturbation(MODEL, cut, target=2, norm=norm)
        assert problem.radius == pytest.approx(length)
        assert problem.project(np.ones(2)).tolist() == [1, 1]


def test_default_limit_counts_each_entry_by_itself():
    """An entry 2 must grow by the factor 5 / 2 to cross the diameter; an entry 0 never does."""
    A = np.array([[0.0, 2.0], [3.0, 4.0], [0.0, 0.0]])
    model = ConvexClustering(A, FusionGraph.complete(3), 0.1)
    grow = Perturbation.multiplicative(A, points=[0, 1])
    problem = MinPerturbation(model, grow, target=2, norm=1)
    assert problem.radius == pytest.approx(5 / 2 + 5 / 3 + 5 / 4)


def cuts(n, norm, radius, chosen=None):
    graph = FusionGraph.complete(n)
    model = ConvexClustering(np.arange(float(n))[:, None], graph, 0.1)
    return MaxDeviation(model, Perturbation.edges(graph, chosen), radius, norm=norm)


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data())
def test_projection_is_in_the_box_and_in_the_ball_and_idempotent(norm, data):
    problem = cuts(data.draw(st.integers(2, 8)), norm, data.draw(st.floats(1e-3, 10)))
    eps = data.draw(problems.data(1, problem.perturbation.dim, st.floats(-3, 3)))[0]
    projected = problem.project(eps)
    lower, upper = problem.box
    assert ((lower <= projected) & (projected <= upper)).all()
    assert problem.size(projected) <= problem.radius
    assert np.array_equal(problem.project(projected), projected)
    if problem.size(np.clip(eps, 0, 1)) <= problem.radius:
        assert np.array_equal(projected, np.clip(eps, 0, 1))


def test_the_box_is_that_of_the_bounds_and_the_radius():
    lower, upper = cuts(3, 2, 0.5).box
    assert (lower.tolist(), upper.tolist()) == ([0, 0, 0], [0.5, 0.5, 0.5])
    assert cuts(3, 2, 5.0).box[1].tolist() == [1, 1, 1]
    lower, upper = MaxDeviation(MODEL, EVERYTHING, 2.0).box
    assert (lower.tolist(), upper.tolist()) == ([-2.0] * 6, [2.0] * 6)


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data())
def test_largest_step_is_where_the_ray_leaves(norm, data):
    problem = cuts(data.draw(st.integers(2, 6)), norm, data.draw(st.floats(0.1, 10)))
    eighths = st.integers(0, 8).map(lambda k: k / 8)
    eps = data.draw(problems.data(1, problem.perturbation.dim, eighths).filter(np.any))[0]
    direction = eps / problem.size(eps)
    largest = problem.largest_step(direction)
    inside, outside = (1 - 1e-9) * largest * direction, (1 + 1e-9) * largest * direction
    assert problem.project(inside) == pytest.approx(inside, rel=1e-14)
    assert not np.array_equal(problem.project(outside), outside)
    assert problem.largest_step(-direction) == 0


def test_largest_step_without_bounds_is_the_radius():
    problem = MaxDeviation(MODEL, EVERYTHING, 3.0)
    assert (
        problem.largest_step([0, -1, 0, 0, 0, 0])
        == problem.largest_step(np.ones(6) / np.sqrt(6))
        == 3.0
    )


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data())
def test_no_feasible_direction_is_steeper_than_the_steepest(norm, data):
    """The first entry is at its upper bound, and may not grow; the second may not shrink."""
    entries = st.floats(-10, 10).filter(lambda x: x == 0 or abs(x) > 1e-3)
    gradient = np.array(data.draw(st.lists(entries, min_size=3, max_size=3)))
    model = ConvexClustering([[0.0], [1.0], [3.0]], FusionGraph.complete(3), 0.1)
    moved = Perturbation.linear((3, 1), np.eye(3), lower=[-1, -1, -9], upper=[1, 1, 9])
    problem = MaxDeviation(model, moved, 9.0, norm)
    found = steepest(problem, np.array([1.0, -1.0, 0.0]), gradient)
    assert found[0] <= 0 <= found[1]
    others = data.draw(st.lists(st.lists(entries, min_size=3, max_size=3), max_size=5))
    for other in [*np.eye(3), *-np.eye(3), *np.array(others).reshape(-1, 3), np.sign(gradient)]:
        if other[0] <= 0 <= other[1] and other.any():
            assert gradient @ found >= gradient @ other / problem.size(other) - 1e-9
    if found.any():
        assert problem.size(found) == pytest.approx(1, rel=1e-12)
    else:
        assert not np.where([gradient[0] < 0, gradient[1] > 0, True], gradient, 0).any()


def test_both_operators_have_the_shape_of_the_model():
    moves, cut = (
        MaxDeviation(MODEL, EVERYTHING, 1.0),
        MaxDeviation(MODEL, Perturbation.edges(MODEL.graph, [1]), 1.0),
    )
    assert np.array_equal(moves.operator("data").toarray(), np.eye(6))
    assert (moves.operator("weights").shape, moves.operator("weights").nnz) == ((3, 6), 0)
    assert (cut.operator("data").shape, cut.operator("data").nnz) == ((6, 1), 0)
    assert cut.operator("weights").toarray().tolist() == [[0], [-1], [0]]


@pytest.mark.pairwise(
    kind=["additive", "multiplicative", "shift", "edges"], scale=[1e-8, 1.0, 1e8], seed=range(3)
)
def test_the_normalised_problem_has_the_same_labels(kind, scale, seed):
    rng = np.random.default_rng(seed)
    A = scale * (5 + rng.normal(size=(8, 2)) + 3 * (np.arange(8) % 2)[:, None])
    graph = FusionGraph.complete(8)
    model = ConvexClustering(A, graph, 0.4 * scale)
    perturbation, radius = {
        "additive": (Perturbation.additive(A.shape, points=[0, 3]), 4 * scale),
        "multiplicative": (Perturbation.multiplicative(A, points=[0, 3]), 0.6),
        "shift": (Perturbation.shift(A / scale), 0.5 * scale),
        "edges": (Perturbation.edges(graph), 20.0),
    }[kind]
    pairs = []
    for problem in (
        MaxDeviation(model, perturbation, radius, norm=1, deviation="rand"),
        MinPerturbation(model, perturbation, 0.1, norm=1, deviation="rand", limit=radius),
    ):
        unit = problem.normalised(normal_form(model))
        assert type(unit) is type(problem)
        assert (unit.radius, unit.norm, unit.deviation) == (1.0, 1.0, problem.deviation)
        assert np.mean(unit.model.data**2) == pytest.approx(1)
        assert unit.box[1] == pytest.approx(problem.box[1] / radius)
        for _ in range(6):
            eps = problem.project(radius * rng.uniform(-1, 1, perturbation.dim))
            here = cluster(perturbation.apply(model, eps), tol=1e-10)
            there = cluster(unit.perturbation.apply(unit.model, unit.project(eps / radius)))
            assert here.proved
            assert there.labels.tolist() == here.labels.tolist()
            assert unit.size(eps / radius) == pytest.approx(problem.size(eps) / radius)
            pairs.append(tuple(here.labels))
    assert len(set(pairs)) > 1, "the instance never changes its labels"
    assert unit.target == 0.1


def test_a_dropped_edge_is_dropped_in_the_normalised_problem_too():
    problem = cuts(3, 1, 3.0)
    unit = problem.normalised(normal_form(problem.model))
    moved = unit.perturbation.apply(unit.model, unit.project(np.ones(3) / 3.0))
    assert moved.graph.weights.tolist() == [0, 0, 0]


def test_along_a_direction_one_parameter_does_what_eps_does():
    graph = FusionGraph.complete(4)
    model = ConvexClustering(np.arange(4.0)[:, None], graph, 0.1)
    problem = MaxDeviation(model, Perturbation.edges(graph, [1, 2]), 0.5)
    direction = np.array([0.6, 0.8])
    ray = problem.along(direction)
    assert (ray.dim, ray.lower[0], ray.upper[0]) == (1, 0.0, 0.5)
    there = ray.apply(model, 0.25).graph.weights
    assert there == pytest.approx(problem.perturbation.apply(model, 0.25 * direction).graph.weights)


def test_a_bound_of_the_deviation_is_attained_up_to_rounding():
    """A continuous deviation may be smaller by a millionth, a discrete one by rounding only."""
    discrete = MaxDeviation(MODEL, EVERYTHING, 2.0)
    ridge = Ridge(MODEL.data, [0.0, 1.0, 2.0])
    continuous = MaxDeviation(ridge, EVERYTHING, 2.0, deviation="distance")
    for problem, share in ((discrete, 1e-9), (continuous, 1e-6)):
        assert problem.attains(4.0, 1.0, 4.0)
        assert problem.attains(4.0, 1.0, 4.0 * (1 - 0.9 * share))
        assert not problem.attains(4.0, 1.0, 4.0 * (1 - 1.1 * share))
        assert not problem.refutes(4.0, 1.0, 4.0)
        assert not problem.refutes(4.0, 1.0, 4.0 * (1 + 0.9e-9))
        assert problem.refutes(4.0, 1.0, 4.0 * (1 + 1.1e-9))
        assert problem.excludes(0.0)
        assert not problem.excludes(1e-300)
        assert problem.value(3.0, 4.0) == 4.0


def test_a_bound_of_the_norm_is_attained_up_to_a_millionth():
    """Of the bound or, near zero, of a millionth of the radius."""
    problem = MinPerturbation(MODEL, EVERYTHING, target=2, limit=8.0)
    for bound, tolerance in ((4.0, 4e-6), (0.0, 8e-12)):
        assert problem.length_tolerance(bound) == pytest.approx(tolerance, rel=1e-12)
        assert problem.attains(bound, bound + 0.9 * tolerance, 2.0)
        assert not problem.attains(bound, bound + 1.1 * tolerance, 2.0)
    for size, refuted in ((4.0 - 4.1e-6, True), (4.0 - 3.9e-6, False), (4.0, False)):
        assert problem.refutes(4.0, size, 2.0) is refuted
    assert not problem.refutes(4.0, 1.0, 1.9)  # no attack
    assert not problem.refutes(10.0, 8.5, 2.0)  # beyond the limit
    assert problem.excludes(np.nextafter(8.0, 9.0))
    assert not problem.excludes(8.0)
    assert problem.value(3.0, 4.0) == 3.0


def test_only_a_shorter_eps_improves_on_the_least_norm():
    least, most = (
        MinPerturbation(MODEL, EVERYTHING, target=2, limit=8.0),
        MaxDeviation(MODEL, EVERYTHING, 8.0),
    )
    assert (least.improving(3.0).radius, least.radius) == (3.0, 8.0)
    assert most.improving(3.0) is most
    assert least.shortened(3.0, 0.5) == 1.5
    bl1 = least.largest_deviation()
    assert (bl1.sense, bl1.budget, bl1.norm) == ("max", 8.0, 2.0)
    assert most.largest_deviation() is most


@pytest.mark.parametrize("norm", NORMS)
def test_random_vertices_are_those_of_the_box(norm):
    moved = Perturbation.linear((3, 2), np.eye(6), lower=-0.5, upper=[1, 2, 3, 4, 5, 6])
    problem, rng = MaxDeviation(MODEL, moved, 4.5, norm), np.random.default_rng(0)
    drawn = np.array([problem.random_vertex(rng) for _ in range(200)])
    low, high = problem.box
    assert (low.tolist(), high.tolist()) == ([-0.5] * 6, [1, 2, 3, 4, 4.5, 4.5])
    assert ((drawn == low) | (drawn == high)).all()
    assert (np.abs((drawn == low).mean(axis=0) - 0.5) < 0.15).all()


def test_gradients_follow_the_chain_rule_in_data_and_relative_weights():
    """Central differences of a function of all data and weights; the weights are unequal."""
    graph = FusionGraph(3, [[0, 1], [1, 2]], [0.5, 3.0])
    model = ConvexClustering(MODEL.data, graph, 0.7)
    rng = np.random.default_rng(0)
    T, S, C = rng.normal(size=(6, 4)), 0.1 * rng.random((2, 4)), rng.normal(size=(3, 2))
    moves = Perturbation.linear((3, 2), T, graph, S)
    problem, eps, h = MaxDeviation(model, moves, 2.0), 0.1 * rng.normal(size=4), 1e-6

    def value(at):
        moved = moves.apply(model, at)
        return np.vdot(C, moved.data**2) + (moved.graph.weights**3).sum()

    here = moves.apply(model, eps)
    found = problem.gradient({"data": 2 * C * here.data, "weights": 3 * here.graph.weights**2})
    slopes = [(value(eps + h * v) - value(eps - h * v)) / (2 * h) for v in np.eye(4)]
    assert found == pytest.approx(slopes, rel=1e-7)
