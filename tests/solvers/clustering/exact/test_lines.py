"""What every exact method must do, whatever the graph: against rational arithmetic and Clarabel."""

import itertools
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems, rational

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.exact.complete_graph import solve_complete
from bilad.solvers.clustering.exact.forest import Forest, solve_forest
from bilad.solvers.clustering.exact.lines import refusal
from bilad.solvers.clustering.result import SolveOptions
from bilad.solvers.errors import UnsupportedError

RADII = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 2.5])


@st.composite
def forests(draw, n):
    """Every point but the first is joined to one before it, or to none; then all are renamed."""
    name = draw(st.permutations(range(n)))
    edges = []
    for child in range(1, n):
        parent = draw(st.integers(-1, child - 1))
        if parent >= 0:
            edges.append(sorted((name[parent], name[child])))
    return FusionGraph(n, np.array(edges, dtype=int), [draw(RADII) for _ in edges])


@st.composite
def unions(draw, n):
    """Components that are complete with equal weights, or chains with any."""
    name = draw(st.permutations(range(n)))
    cuts = sorted(draw(st.sets(st.integers(1, n - 1), max_size=2))) if n > 1 else []
    edges, weights = [], []
    for start, stop in itertools.pairwise([0, *cuts, n]):
        if draw(st.booleans()):
            pairs = list(itertools.combinations(range(start, stop), 2))
            weights += [draw(RADII)] * len(pairs)
        else:
            pairs = list(itertools.pairwise(range(start, stop)))
            weights += [draw(RADII) for _ in pairs]
        edges += [sorted((name[i], name[j])) for i, j in pairs]
    return FusionGraph(n, np.array(edges, dtype=int), weights)


@pytest.fixture(scope="module", params=["complete", "forest", "union"])
def draw_model(request):
    graph = {"complete": problems.complete_graphs, "forest": forests, "union": unions}

    def draw(data, **options):
        options = {"p": 1, "graph": graph[request.param], "max_n": 7} | options
        return data.draw(problems.models(**options))

    return draw


def truth(model):
    """X* in rational arithmetic, one line after the other: lists of Fractions."""
    columns = [[Fraction(value) for value in column] for column in model.data.T.tolist()]
    if model.p == np.inf:
        columns = turned(columns)
    radii = [Fraction(model.gamma) * Fraction(w) for w in model.graph.weights.tolist()]
    X = [rational.solve_graph(column, model.graph.edges, radii) for column in columns]
    return [[value / 2 for value in row] for row in turned(X)] if model.p == np.inf else X


def turned(columns):
    """The sums and the differences of two columns."""
    pairs = list(zip(*columns, strict=True))
    return [[a + b for a, b in pairs], [a - b for a, b in pairs]]


def check_optimal(model, solution):
    """A feasible Z without a gap proves X; what the result says of itself must be true."""
    Z, scale = solution.Z, 1 + np.abs(model.data).max() + model.radii.sum()
    ball = np.abs(Z).sum(axis=1, keepdims=True) if model.p == np.inf else np.abs(Z)
    assert (ball <= model.radii[:, None] * (1 + 1e-15)).all()
    gap = model.absolute_gap(solution.X, Z)
    assert gap <= 1e-11 * scale**2
    assert model.kkt_residual(solution.X, Z) <= 1e-12 * scale
    assert solution.kkt_residual <= 1e-12 * scale
    assert solution.status == "optimal"


def relation(X):
    return (X[:, None] == X).all(axis=2)


LINES = st.sampled_from([{"p": 1}, {"p": np.inf, "d": 2}])


@given(data=st.data())
def test_against_rational_arithmetic(draw_model, data):
    model = draw_model(data, gammas=st.sampled_from([0.0, 0.25, 1.0, 3.0]), **data.draw(LINES))
    solution = cluster(model, "exact")
    exact = np.array(truth(model), dtype=object).T
    np.testing.assert_allclose(solution.X, exact.astype(float), rtol=1e-14, atol=1e-14)
    check_optimal(model, solution)
    together, same = relation(exact), solution.labels[:, None] == solution.labels
    # What is apart is proved; what is labelled together is so, or follows from what is undecided.
    assert (same | ~together).all()
    open_pairs = np.zeros_like(same)
    open_pairs[tuple(solution.undecided.T)] = True
    assert same[open_pairs].all()
    if solution.proved:
        assert np.array_equal(same, together)


@given(data=st.data(), exponent=st.integers(-17, -10), centre=st.sampled_from([0, 1e3, 2.0**30]))
def test_next_to_a_tie_what_is_proved_is_true(draw_model, data, exponent, centre):
    """Data and gamma off a tie by rounding, in rational arithmetic on the numbers as they are."""
    gammas = st.sampled_from([0.25, 1.0, 1.0 + 1e-15, 1 - 1e-12])
    model = draw_model(data, gammas=gammas, **data.draw(LINES))
    noise = np.random.default_rng(exponent + 20).normal(size=model.data.shape)
    model = model.replace(data=model.data + 10.0**exponent * noise + centre)
    solution = cluster(model, "exact")
    check_sound(solution, model)


def check_sound(solution, model):
    together = relation(np.array(truth(model), dtype=object).T)
    same = solution.labels[:, None] == solution.labels
    assert (same | ~together).all()
    if solution.proved:
        assert np.array_equal(same, together)


@given(data=st.data(), exponent=st.integers(-17, -10))
def test_what_ssnal_proves_of_rounded_sums_is_true(draw_model, data, exponent):
    model = draw_model(data, p=np.inf, d=2)
    noise = np.random.default_rng(exponent + 20).normal(size=model.data.shape)
    model = model.replace(data=model.data + 10.0**exponent * noise)
    check_sound(cluster(model, "ssnal"), model)


@given(data=st.data())
def test_data_in_general_position_leave_nothing_undecided(draw_model, data):
    model = draw_model(data, **data.draw(LINES))
    noise = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=model.data.shape)
    solution = cluster(model.replace(data=noise), "exact")
    check_optimal(solution.model, solution)
    assert solution.proved


@given(data=st.data())
def test_the_maximum_norm_against_the_general_method(draw_model, data):
    model = draw_model(data, p=np.inf, d=2)
    noise = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=model.data.shape)
    model = model.replace(data=noise)
    exact, general = cluster(model, "exact"), cluster(model, "clarabel", tol=1e-9)
    np.testing.assert_allclose(exact.X, general.X, atol=1e-4)
    assert exact.objective <= general.objective + 1e-12
    if exact.proved and general.proved:
        assert problems.same_partition(exact.labels, general.labels)


SUMS_WITH_ROUNDING_ERRORS = {
    # Sums that are equal in doubles, but not exactly.
    "no edges": ([[1.0, 0.0], [1.0, 2.0**-60], [5.0, 1.0]], 0.0),
    # Sums that differ by less than 2 r in doubles, and by more exactly; far from a third point.
    "an edge": ([[1024.0, 0.0], [1024 + 2.0**-29, 2.0**-44], [0.0, 0.0]], 2.0**-30 + 2.0**-48),
}


@pytest.mark.parametrize("method", ["exact", "ssnal"])
@pytest.mark.parametrize("case", SUMS_WITH_ROUNDING_ERRORS.values(), ids=SUMS_WITH_ROUNDING_ERRORS)
def test_rounded_sums_do_not_prove_that_points_are_together(case, method):
    A, radius = case
    model = ConvexClustering(A, FusionGraph(3, [[0, 1], [1, 2]], [radius, 0.0]), 1.0, np.inf)
    solution = cluster(model, method)
    assert solution.undecided.tolist() == [[0, 1]]
    refined = cluster(model, method, refine=True)
    assert (refined.n_clusters, refined.proved) == (3, True)


SOLVERS = {
    "complete": partial(solve_complete, 0.5, None),
    "forest": partial(solve_forest, Forest(2, np.array([[0, 1]]), np.array([0.5]))),
}


@pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("beyond", [-1e-9, 1e-9])
def test_errors_of_the_data_leave_a_relation_undecided(solve, beyond):
    """Two points fuse if their distance is at most 2 r = 1."""
    line = np.array([0.0, 1.0 + beyond])
    for error_sum, decided in ((0.0, True), (1e-11, True), (0.6e-9, False), (1e-6, False)):
        solution = solve(line, np.array([error_sum, 0.0]))
        together, apart = (numbers[0] == numbers[1] for numbers in proved(solution))
        assert (together, apart) == (decided and beyond < 0, not decided or beyond < 0)


def proved(solution):
    return solution.proved_equal(), solution.not_proved_apart()


@given(data=st.data())
def test_permuted_translated_scaled(draw_model, data):
    model = draw_model(data)
    order = np.array(data.draw(st.permutations(range(model.n))))
    shift, scale = data.draw(problems.data(1, model.d)), data.draw(st.sampled_from([0.5, 3.0]))
    edges = np.sort(np.argsort(order)[model.graph.edges], axis=1)
    graph = FusionGraph(model.n, edges, model.graph.weights)
    moved_data = scale * (model.data[order] + shift)
    solution = cluster(model, "exact")
    moved = cluster(ConvexClustering(moved_data, graph, scale * model.gamma, 1), "exact")
    expected = scale * (solution.X[order] + shift)
    np.testing.assert_allclose(moved.X, expected, rtol=0, atol=1e-11)
    if solution.proved and moved.proved:
        assert problems.same_partition(moved.labels, solution.labels[order])


@given(data=st.data())
def test_duplicates_share_a_cluster_on_the_complete_graph(data):
    n, d = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 3))
    A = data.draw(problems.data(n, d))
    copies = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4)))
    A = np.vstack([A, A[copies]])
    gamma = data.draw(st.floats(0, 1))
    solution = cluster(ConvexClustering(A, FusionGraph.complete(len(A)), gamma, 1), "exact")
    assert np.array_equal(solution.labels[n:], solution.labels[copies])
    assert np.array_equal(solution.X[n:], solution.X[copies])
    assert (A[solution.undecided[:, 0]] != A[solution.undecided[:, 1]]).any(axis=1).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["complete", "tree"])
def test_against_clarabel(kind, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 40)), int(rng.integers(1, 4))
    A = rng.normal(size=(n, d)) + 4 * rng.integers(0, 3, size=(n, 1))
    parents = [int(rng.integers(0, child)) for child in range(1, n)]
    tree = FusionGraph(n, np.column_stack([parents, range(1, n)]), rng.uniform(0.1, 2, n - 1))
    graph, typical = (FusionGraph.complete(n), 1 / n) if kind == "complete" else (tree, 1.0)
    model = ConvexClustering(A, graph, typical * 10 ** rng.uniform(-2, 0.5), 1)
    solution = cluster(model, "exact")
    check_optimal(model, solution)
    other = solve_clarabel(model, SolveOptions(1e-11, max_iterations=200))
    bound = np.sqrt(2 * model.absolute_gap(other.X, other.make_dual()))
    assert np.linalg.norm(solution.X - other.X) <= bound + 1e-9
    assert solution.objective <= model.primal(other.X) * (1 + 1e-12)


def test_points_apart_in_one_coordinate_are_apart():
    """Fused in the first coordinate, apart in the second, and the other way round."""
    A = np.array([[0.0, 0.0], [0.1, 9.0], [9.0, 9.1]])
    solution = cluster(ConvexClustering(A, FusionGraph.complete(3), 0.2, 1), "exact")
    assert solution.proved
    assert solution.labels.tolist() == [0, 1, 2]
    assert solution.X[0, 0] == solution.X[1, 0]
    assert solution.X[1, 1] == solution.X[2, 1]


def test_a_tie_in_one_coordinate_matters_only_if_not_apart_in_another():
    """0 and 4 touch exactly at gamma = 2 in the first coordinate."""
    touching = np.array([[0.0], [4.0]])
    graph = FusionGraph.complete(2)
    for second, labels in (([0.0, 9.0], [0, 1]), ([0.0, 1.0], [0, 0])):
        A = np.column_stack([touching, second])
        solution = cluster(ConvexClustering(A, graph, 2.0, 1), "exact")
        assert solution.labels.tolist() == labels
        assert solution.proved


@pytest.mark.parametrize("factor", [1 - 1e-9, 1 + 1e-9])
@pytest.mark.parametrize("edges", [[(0, 1)], [(0, 1), (1, 2), (0, 2)]])
def test_near_a_tie_the_sharp_side_is_proved(factor, edges):
    """Two points 4 apart meet at r = 2, and three at 0, 0, 4 at r = 4/3, in any coordinate."""
    values = [0.0, 4.0] if len(edges) == 1 else [0.0, 0.0, 4.0]
    A = np.column_stack([np.zeros(len(values)), values])
    gamma = factor * (2 if len(edges) == 1 else 4 / 3)
    graph = FusionGraph(len(values), edges, np.ones(len(edges)))
    solution = cluster(ConvexClustering(A, graph, gamma, 1), "exact")
    assert solution.proved
    assert solution.n_clusters == (2 if factor < 1 else 1)


def test_equal_points_that_no_edge_pulls_are_one_cluster_proved():
    """Their solution is their datum, exactly, wherever they are."""
    A = [[1.0, 2.0], [1.0, 2.0], [7.0, 2.0], [1.0, 2.5]]
    solution = cluster(ConvexClustering(A, FusionGraph(4, [[2, 3]], [0.0]), 3.0, 1), "exact")
    assert np.array_equal(solution.X, A)
    assert solution.labels.tolist() == [0, 0, 1, 2]
    assert solution.proved


def test_gamma_zero_on_many_points_makes_no_edges():
    A = np.arange(200_000.0)[:, None] // 2
    solution = cluster(ConvexClustering(A, FusionGraph.complete(len(A)), 0.0), "exact")
    assert np.array_equal(solution.X, A)
    assert solution.n_clusters == 100_000
    assert solution.proved


@pytest.mark.slow
def test_many_points_in_the_plane():
    rng = np.random.default_rng(0)
    n = 300_000
    side = rng.integers(0, 2, size=(n, 2))
    model = ConvexClustering(
        rng.uniform(size=(n, 2)) + 100 * side, FusionGraph.complete(n), 6 / n, 1
    )
    solution = cluster(model)
    assert (solution.method, solution.n_clusters, solution.proved) == ("exact", 4, True)
    assert np.array_equal(solution.labels == solution.labels[0], (side == side[0]).all(axis=1))


@pytest.mark.parametrize(
    ("edges", "weights", "p", "d", "reason"),
    [
        ([(0, 1), (1, 2), (0, 2)], [1, 1, 1], 1, 2, None),
        ([(0, 1), (1, 2), (0, 2)], [1, 1, 1], 2, 2, "the data have d = 2 and p = 2"),
        ([(0, 1), (1, 2), (0, 2)], [1, 1, 1], np.inf, 2, None),
        ([(0, 1), (1, 2), (0, 2)], [1, 1, 2], 1, 2, "a forest, or a union"),
        ([(0, 1), (1, 2), (0, 2)], [1, 1, 0], 1, 2, None),
        ([(0, 1), (1, 2), (2, 3), (0, 3)], [1, 1, 1, 1], np.inf, 1, "a forest, or a union"),
        ([(0, 1), (1, 2), (2, 3)], [1, 2, 3], np.inf, 1, None),
    ],
)  # fmt: skip
def test_what_it_takes(edges, weights, p, d, reason):
    graph = FusionGraph(4, edges, weights)
    model = ConvexClustering(np.zeros((4, d)), graph, 1.0, p)
    if reason is None:
        assert refusal(model) is None
        return
    assert reason in refusal(model)
    with pytest.raises(UnsupportedError, match=reason):
        cluster(model, "exact")
