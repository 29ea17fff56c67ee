"""SSNAL against Clarabel and closed forms, and its derivatives, stops, starts and scales."""

import itertools

import numpy as np
import pytest
from support import problems

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import conjugate, project_rows
from bilad.solvers import cluster
from bilad.solvers.clustering.ssnal.newton import newton_system
from bilad.solvers.clustering.ssnal.scaling import ScaledProblem
from bilad.solvers.clustering.ssnal.subproblem import Subproblem
from bilad.solvers.clustering.ssnal.workspace import Workspace

NORMS = (1, 2, np.inf)


def stationarity(model, solution):
    """||X - A + B'Z|| by a plain loop over the edges."""
    rest = solution.X - model.data
    for (i, j), z in zip(model.graph.edges, solution.Z, strict=True):
        rest[i] += z
        rest[j] -= z
    return np.linalg.norm(rest)


def true_gap(solution):
    """Primal less dual objective, relative; Z is feasible."""
    model = solution.model
    return (model.primal(solution.X) - model.dual(solution.Z)) / (1 + model.primal(solution.X))


def check_agree(ours, theirs):
    """Objectives to 1e-9, and X to what the two gaps prove."""
    model = ours.model
    assert (ours.method, ours.status, theirs.method) == ("ssnal", "optimal", "clarabel")
    assert max(ours.gap, ours.kkt_residual) <= 1e-10
    assert abs(ours.objective - theirs.objective) < 1e-9 * (1 + abs(theirs.objective))
    gap = max(model.absolute_gap(solution.X, solution.Z) for solution in (ours, theirs))
    assert np.linalg.norm(ours.X - theirs.X) <= 2 * np.sqrt(2 * gap) + 1e-13
    for solution in (ours, theirs):
        assert stationarity(model, solution) <= 1e-7 * (1 + np.linalg.norm(model.data))
    if ours.proved and theirs.proved:
        assert np.array_equal(ours.labels, theirs.labels)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(5))
def test_ssnal_and_clarabel_agree(batch):
    proved = 0
    for seed in range(20 * batch, 20 * batch + 20):
        model = problems.random_model(seed)
        ours = cluster(model, "ssnal", tol=1e-10)
        theirs = cluster(model, "clarabel", tol=1e-12)
        check_agree(ours, theirs)
        proved += ours.proved and theirs.proved
    assert proved >= 15


def make_data(kind, d, n=14):
    """Data of two loose groups, and the graph of that kind."""
    rng = np.random.default_rng(10 * d + n)
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1))
    if kind == "ties":
        A = np.round(A)
    if kind == "duplicates":
        A[n // 2 :] = A[: n - n // 2]
    if kind in ("complete", "duplicates"):
        return A, FusionGraph.complete(n, 2 / n)
    if kind in ("knn", "ties"):
        return A, FusionGraph.knn(A, k=4, phi=0.1)
    if kind == "tree":
        edges = [(int(rng.integers(0, j)), j) for j in range(1, n)]
    else:
        pairs = itertools.combinations(range(n), 2)
        apart = kind == "disconnected"
        edges = [(i, j) for i, j in pairs if rng.random() < 0.3 and not (apart and i < 5 <= j)]
    weights = rng.uniform(0.2, 1.0, size=len(edges))
    if kind == "zero weights":
        weights[rng.random(len(edges)) < 0.4] = 0
    return A, FusionGraph(n, edges, weights)


KINDS = ["complete", "knn", "tree", "zero weights", "disconnected", "duplicates", "ties"]


@pytest.mark.pairwise(p=NORMS, d=[1, 2, 3, 4, 5], kind=KINDS)
def test_every_norm_dimension_and_graph_from_loose_to_fused(p, d, kind):
    A, graph = make_data(kind, d)
    theirs = None
    for gamma in (1e-6, 0.05, 0.5, 1e4):
        model = ConvexClustering(A, graph, gamma, p)
        ours = cluster(model, "ssnal", tol=1e-10)
        theirs = cluster(model, "clarabel", tol=1e-12, start=theirs)
        check_agree(ours, theirs)
    components = graph.components(graph.weights > 0).max() + 1
    assert ours.n_clusters == components


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("radius", [0.01, 0.3, 0.8, 3.0])
def test_two_points_in_closed_form(p, d, radius):
    """u = x_0 - x_1 minimises ||u - a||^2 / 4 + r ||u||_p: a less its projection on 2r."""
    A = np.random.default_rng(d).normal(size=(2, d))
    solution = cluster(ConvexClustering(A, FusionGraph.complete(2), radius, p), "ssnal", tol=1e-13)
    a = A[:1] - A[1:]
    u = a - project_rows(a, np.array([2 * radius]), conjugate(p))
    expected = A.mean(axis=0) + np.vstack([u, -u]) / 2
    np.testing.assert_allclose(solution.X, expected, rtol=0, atol=1e-6)
    assert solution.proved
    assert solution.n_clusters == (2 if u.any() else 1)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.01, 3.0])
def test_regular_simplex_in_closed_form(p, n, share):
    """The n unit vectors shrink to their mean by 1 - gamma n ||e_i - e_j||_p / 2, or fuse."""
    A = np.eye(n)
    gamma = 2 * share / (n * np.linalg.norm([1, -1], p))
    solution = cluster(ConvexClustering(A, FusionGraph.complete(n), gamma, p), "ssnal", tol=1e-12)
    expected = 1 / n + max(0.0, 1 - share) * (A - 1 / n)
    np.testing.assert_allclose(solution.X, expected, rtol=0, atol=1e-6)
    assert solution.proved
    assert solution.n_clusters == (n if share < 1 else 1)


@pytest.fixture(scope="module")
def crowd():
    """Sixty points in three groups, on the complete graph, for each norm."""
    rng = np.random.default_rng(5)
    A = rng.normal(size=(60, 3)) + 4 * np.repeat(np.arange(3), 20)[:, None]
    graph = FusionGraph.complete(60)
    return {p: ConvexClustering(A, graph, 0.03, p) for p in NORMS}


def check_short(short, full, status):
    """A solve that was stopped: its status, its true gap, and how far it proves to be."""
    model = short.model
    assert short.status == status
    assert short.gap == pytest.approx(true_gap(short), rel=1e-6)
    assert max(short.gap, short.kkt_residual) > 1e-10
    distance = np.linalg.norm(short.X - full.X)
    gaps = [model.absolute_gap(solution.X, solution.Z) for solution in (short, full)]
    assert distance <= sum(np.sqrt(2 * gap) for gap in gaps)


# -1 is one less than it takes: then it is Newton that is stopped.
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(
    ("method", "most"), [("ssnal", 1), ("ssnal", 15), ("ssnal", -1), ("clarabel", 1)]
)
def test_iteration_limit_returns_a_true_gap(crowd, p, method, most):
    full = cluster(crowd[p], "ssnal", tol=1e-10)
    most = most if most > 0 else full.iterations - 1
    short = cluster(crowd[p], method, tol=1e-10, max_iterations=most)
    check_short(short, full, "iteration limit")


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("most", [1, 15])
def test_the_iteration_limit_is_kept(crowd, p, most):
    assert cluster(crowd[p], "ssnal", tol=1e-10, max_iterations=most).iterations <= most


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(("method", "seconds"), [("ssnal", 1e-9), ("clarabel", 1e-9)])
def test_time_limit_returns_a_true_gap(crowd, p, method, seconds):
    short = cluster(crowd[p], method, tol=1e-10, time_limit=seconds)
    check_short(short, cluster(crowd[p], "ssnal", tol=1e-10), "time limit")


@pytest.mark.parametrize("p", NORMS)
def test_a_limit_never_returns_worse_than_the_start(crowd, p):
    near = crowd[p].replace(data=crowd[p].data + 1e-4)
    start = cluster(crowd[p], "ssnal")
    short = cluster(near, "ssnal", tol=1e-12, start=start, max_iterations=1)
    assert near.gap(short.X, short.Z) <= near.gap(start.X, start.Z) * (1 + 1e-9)


def test_the_iterations_of_all_features_are_counted_together():
    """p = 1 is solved feature by feature: the last one finds nothing left."""
    A = np.random.default_rng(0).normal(size=(30, 4))
    model = ConvexClustering(A, FusionGraph.knn(A, k=5), 0.4, 1)
    whole = cluster(model, "ssnal", tol=1e-10)
    short = cluster(model, "ssnal", tol=1e-10, max_iterations=whole.iterations - 1)
    assert (whole.status, short.status) == ("optimal", "iteration limit")
    assert short.iterations == whole.iterations - 1


def test_a_limit_amid_the_newton_steps_of_a_subproblem_is_kept():
    """Ties and a small gamma: some subproblems take several steps."""
    A, graph = make_data("ties", 4)
    model = ConvexClustering(A, graph, 1e-6, np.inf)
    full = cluster(model, "ssnal", tol=1e-10)
    for most in range(1, full.iterations):
        short = cluster(model, "ssnal", tol=1e-10, max_iterations=most)
        assert (short.iterations, short.status) == (most, "iteration limit")


def make_subproblem(p, d):
    rng = np.random.default_rng(d)
    A = rng.normal(size=(7, d))
    model = ConvexClustering(A, FusionGraph.complete(7), 0.7, p)
    work = Workspace(model)
    scaled = ScaledProblem(model, work.positive, work.edges, 1.0)
    Z = scaled.enter(A, rng.normal(size=(21, d)))[1]
    return scaled, Subproblem(scaled, Z, 0.7 * scaled.radii), rng


every_shape = [(p, d) for p in NORMS for d in (1, 2, 3) if d > 1 or p == 2]


@pytest.mark.parametrize(("p", "d"), every_shape)
def test_the_gradient_is_the_derivative_of_phi(p, d):
    _, subproblem, rng = make_subproblem(p, d)
    X, D = rng.normal(size=(2, 7, d))
    h = 1e-6
    ahead, behind = subproblem.at(X + h * D), subproblem.at(X - h * D)
    slope = (ahead.value - behind.value) / (2 * h)
    assert np.vdot(subproblem.at(X).gradient, D) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(("p", "d"), every_shape)
def test_the_newton_direction_solves_the_linearised_equation(p, d):
    """The derivative of the gradient along D is minus the gradient, away from kinks."""
    scaled, subproblem, rng = make_subproblem(p, d)
    system = newton_system(scaled.edges, d, p == 2)
    X = rng.normal(size=(7, d))
    iterate = subproblem.at(X)
    outside = (iterate.P != iterate.Y).any(axis=1)
    assert 0 < np.count_nonzero(outside) < 21
    D = system.solve(*subproblem.curvature(iterate), -iterate.gradient, 1e-12)
    h = 1e-6
    ahead, behind = subproblem.at(X + h * D), subproblem.at(X - h * D)
    change = (ahead.gradient - behind.gradient) / (2 * h)
    np.testing.assert_allclose(change, -iterate.gradient, rtol=0, atol=1e-6)


@pytest.mark.parametrize("p", NORMS)
def test_warm_start_saves_iterations(crowd, p):
    model = crowd[p]
    solved = cluster(model, "ssnal", tol=1e-8)
    moved = np.random.default_rng(0).normal(size=model.data.shape)
    near = model.replace(data=model.data + 1e-5 * moved)
    cold = cluster(near, "ssnal", tol=1e-8)
    warm = cluster(near, "ssnal", tol=1e-8, start=solved)
    assert cold.status == warm.status == "optimal"
    assert warm.iterations < cold.iterations
    assert np.array_equal(warm.labels, cold.labels)
    again = cluster(model, "ssnal", tol=1e-8, start=solved)
    assert again.iterations <= warm.iterations


def check_same_answer(model, start, seed=None):
    cold = cluster(model, "ssnal", tol=1e-10)
    warm = cluster(model, "ssnal", tol=1e-10, start=start)
    assert warm.status == "optimal", seed
    assert warm.objective == pytest.approx(cold.objective, rel=1e-9), seed
    if cold.proved and warm.proved:
        assert np.array_equal(cold.labels, warm.labels), seed


def test_warm_start_changes_the_path_not_the_answer():
    for seed in range(20):
        model = problems.random_model(seed)
        other = ConvexClustering(model.data[::-1] * 2, model.graph, 3 * model.gamma)
        check_same_answer(model, cluster(other, "ssnal"), seed)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("kind", ["far", "huge gamma", "no gamma", "stopped", "other norm"])
def test_a_bad_start_changes_nothing_either(crowd, p, kind):
    model = crowd[p]
    gamma = {"huge gamma": 1e4, "no gamma": 0.0}.get(kind, model.gamma)
    other = ConvexClustering(
        model.data + (1e6 if kind == "far" else 0.0),
        model.graph,
        gamma,
        3 - p if kind == "other norm" and p < 3 else p,
    )
    start = cluster(other, "ssnal", max_iterations=3 if kind == "stopped" else 1000)
    check_same_answer(model, start)


@pytest.mark.pairwise(p=NORMS, d=[1, 3], kind=KINDS)
def test_what_rounding_forbids_ends_soon(p, d, kind):
    A, graph = make_data(kind, d, n=30)
    for gamma in (1e-6, 0.05, 0.5, 50.0):
        solution = cluster(ConvexClustering(A, graph, gamma, p), "ssnal", tol=1e-15)
        assert solution.status in ("optimal", "inaccurate"), (gamma, solution.iterations)
        assert solution.gap < 1e-12
        assert solution.kkt_residual < 1e-11


@pytest.mark.parametrize("p", NORMS)
def test_the_floor_of_rounding_hides_no_digits(p):
    """Subproblems end where rounding hides the gradient, not before: what is left shows it."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(20, 2)) + 3 * rng.integers(0, 2, size=(20, 1))
        for gamma in (0.01, 0.05):
            model = ConvexClustering(A, FusionGraph.complete(20), gamma, p)
            assert cluster(model, "ssnal", tol=1e-15).kkt_residual < 1e-14
