"""The MILP: it admits lower-level solutions, its optimum is a bound, and its cells are correct."""

import itertools

import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import violations

from bilad.formulations.clustering.milp.closed_cell import ClosedCell
from bilad.formulations.clustering.milp.difference_bounds import DifferenceBounds
from bilad.formulations.clustering.milp.formulation import MilpFormulation
from bilad.formulations.clustering.milp.program import MarginProgram
from bilad.formulations.leader import add_polyhedral_ball
from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.solvers import cluster
from bilad.solvers.upper.milp_solver import HighsSession

INF = float("inf")
# All but the auxiliary variables of the polyhedral ball, and what they bound.
ROWS = [
    "transitive",
    "total",
    "ordered",
    "fused",
    "equal",
    "covered",
    "dominates",
    "saturated",
    "capacity",
    "allowed",
    "stationary",
    "above",
    "below",
    "ball",
]


def random_problem(seed, problem=MaxDeviation):
    """A problem with at most 5 points, a linear KKT system, and a random perturbation and norm."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    p = (1, INF)[rng.integers(2)]
    data = rng.normal(size=(n, d))
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    if rng.random() < 0.5:
        graph = FusionGraph.complete(n)
    else:
        graph = FusionGraph(n, pairs, rng.choice([0.0, 0.3, 1.0, 2.0], len(pairs)))
    model = ConvexClustering(data, graph, float(rng.uniform(0.2, 1.5)) / n, p)
    perturbation = (
        Perturbation.shift(rng.normal(size=(n, d))),
        Perturbation.additive((n, d), points=[0, 1]),
        Perturbation.multiplicative(data, points=[0]),
        Perturbation.edges(graph, edges=[0]),
    )[rng.integers(4)]
    norm = (1, 2, INF)[rng.integers(3)]
    return problem(model, perturbation, float(rng.uniform(0.2, 2)), norm), rng


def random_eps(problem, rng):
    return problem.project(rng.uniform(*problem.box))


def holds(differences, c, p):
    """Return whether x_i - x_j lies in the cone K_c, up to rounding."""
    if p == 1 or len(differences) == 1:
        return differences[c] >= -1e-7
    return differences[c] >= np.abs(differences).max() - 1e-7


def set_solution(formulation, eps, clustering):
    """Set the variables of the model to a lower-level solution."""
    model, p = formulation.model, formulation.problem.model.p
    for k, value in enumerate(eps):
        model.eps[k].set_value(value)
        if model.component("magnitude") is not None:
            model.magnitude[k].set_value(abs(value))
    if model.component("largest") is not None:
        model.largest.set_value(np.abs(eps).max())
    for (i, c), value in np.ndenumerate(clustering.X):
        model.x[i, c].set_value(value, skip_validation=True)
    for i, j, c in model.order:
        order = holds(clustering.X[i] - clustering.X[j], c, p)
        if model.order[i, j, c].fixed:
            assert model.order[i, j, c].value == order
        model.order[i, j, c].set_value(int(order))
    for i, j in model.pairs:
        model.together[i, j].set_value(int(clustering.labels[i] == clustering.labels[j]))
    for e, c in itertools.product(model.edges, model.features):
        z = clustering.Z[e, c]
        if model.component("forward") is None:
            model.z[e, c].set_value(z, skip_validation=True)
        else:
            model.forward[e, c].set_value(max(z, 0.0), skip_validation=True)
            model.backward[e, c].set_value(max(-z, 0.0), skip_validation=True)


@pytest.mark.parametrize("seed", range(30))
def test_every_true_solution_is_feasible(seed):
    problem, rng = random_problem(seed)
    baseline = cluster(problem.model, tol=1e-12)
    bounds = DifferenceBounds(problem, baseline.X, 1e-6)
    formulation = MilpFormulation(problem, baseline.labels, bounds)
    for _ in range(3):
        eps = random_eps(problem, rng)
        solution = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)
        set_solution(formulation, eps, solution)
        found = violations(formulation.model, ROWS)
        assert max(found.values()) < 1e-5
        changed = problem.deviation.value(baseline.labels, solution.labels)
        value = formulation.unit * pyo.value(formulation.model.deviation)
        assert value == pytest.approx(changed)


@pytest.mark.parametrize("seed", range(30))
def test_differences_stay_within_their_bounds(seed):
    problem, rng = random_problem(seed)
    X = cluster(problem.model, tol=1e-12).X
    loose, tight = DifferenceBounds(problem), DifferenceBounds(problem, X, 1e-6)
    assert (tight.upper <= loose.upper).all()
    for _ in range(10):
        model = problem.perturbation.apply(problem.model, random_eps(problem, rng))
        X = cluster(model, tol=1e-12).X
        assert (X[:, None] - X[None] <= tight.upper + 1e-6).all()
        assert (model.radii <= tight.most_radii + 1e-12).all()


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_polyhedral_ball_is_accurate_to_four_digits(k):
    rng = np.random.default_rng(k)
    for eps in [*rng.normal(size=(5, k)), np.eye(k)[0], np.ones(k)]:
        model = pyo.ConcreteModel()
        model.parameters = pyo.RangeSet(0, k - 1)
        model.eps = pyo.Var(model.parameters)
        for index, value in enumerate(eps):
            model.eps[index].fix(float(value))
        model.goal = pyo.Objective(expr=add_polyhedral_ball(model, 2 * np.linalg.norm(eps)))
        length = HighsSession(model, 0.0).solve().value
        assert np.linalg.norm(eps) * (1 - 5e-4) <= length <= np.linalg.norm(eps) * (1 + 1e-9)


def two_points(p=1, d=1, distance=3.0, weight=0.5, gamma=2.0):
    data = np.zeros((2, d))
    data[1, 0] = distance
    return ConvexClustering(data, FusionGraph(2, [[0, 1]], [weight]), gamma, p)


@pytest.mark.parametrize(("p", "d"), [(1, 1), (2, 1), (INF, 1), (1, 2), (INF, 2)])
def test_two_points_fuse_when_they_are_near_enough(p, d):
    """The points fuse if |a_1 - a_2| <= 2 gamma w, which here means 3 - eps <= 2."""
    model = two_points(p, d)
    perturbation = Perturbation.additive((2, d), points=[0], features=[0])
    problem = MinPerturbation(model, perturbation, 2)
    formulation = MilpFormulation(problem, np.array([0, 1]))
    answer = HighsSession(formulation.model, 1e-9).solve()
    assert answer.status == "optimal"
    assert answer.bound == pytest.approx(1.0, abs=1e-7)
    cell = ClosedCell(problem, formulation.cell())
    assert cell.together.all()
    np.testing.assert_allclose(cell.nearest(), [1.0], atol=1e-7)


def test_fused_points_cannot_claim_to_be_apart():
    """Without transitivity, a circular flow would be compatible with points that are apart."""
    data = np.array([[-0.1], [0.0], [0.1]])
    model = ConvexClustering(data, FusionGraph.complete(3), 1.0, 1)
    problem = MaxDeviation(model, Perturbation.additive((3, 1)), 0.01)
    formulation = MilpFormulation(problem, np.zeros(3, dtype=int))
    formulation.model.order.unfix()
    session = HighsSession(formulation.model, 1e-6)
    assert session.solve().value == pytest.approx(0.0, abs=1e-6)
    formulation.model.transitive.deactivate()
    formulation.model.equal.deactivate()
    assert session.solve().value > 1


def test_an_empty_cell_is_excluded_by_its_conflict():
    """Equal points with equal perturbations stay together: a cell where they are apart is empty."""
    data = np.array([[0.0], [0.0], [5.0]])
    model = ConvexClustering(data, FusionGraph(3, [[0, 2], [1, 2]], [1.0, 1.0]), 0.5, 1)
    problem = MaxDeviation(model, Perturbation.shift([[1.0], [1.0], [0.0]]), 1.0)
    bounds = DifferenceBounds(problem)
    assert bounds.upper[0, 1] == 0  # which would settle it
    bounds.upper = np.full((3, 3, 1), 10.0)
    formulation = MilpFormulation(problem, np.array([0, 0, 1]), bounds)
    session = HighsSession(formulation.model, 1e-6)
    assert session.solve().value == pytest.approx(1.0)
    orders = formulation.cell()
    cell = ClosedCell(problem, orders)
    assert not cell.together[0, 1]
    assert cell.interior_point(1.0).margin < 1e-9
    program = MarginProgram(formulation)
    margins = HighsSession(program.model, 1e-9)
    program.fix(orders)
    assert margins.solve().value < 1e-9
    literals = program.conflict(margins.reduced_costs(), orders)
    assert 0 < np.count_nonzero(literals) <= 4
    formulation.exclude(orders, literals)
    session.solve()
    assert not np.array_equal(formulation.cell()[literals], orders[literals])


@pytest.mark.parametrize("seed", range(20))
def test_an_interior_point_of_a_cell_has_its_partition(seed):
    problem, _ = random_problem(seed)
    baseline = cluster(problem.model)
    formulation = MilpFormulation(problem, baseline.labels)
    HighsSession(formulation.model, 1e-6).solve()
    cell = ClosedCell(problem, formulation.cell())
    inside = cell.interior_point(problem.radius)
    if inside is None or inside.margin <= 1e-6:
        return
    found = cluster(problem.perturbation.apply(problem.model, problem.project(inside.eps)))
    if found.proved:
        assert np.array_equal(found.labels[:, None] == found.labels, cell.together)


def test_coincidences_without_an_edge_can_be_excluded():
    """Points 0 and 1, which no edge joins, coincide at eps = 1 only."""
    model = ConvexClustering([[0.0], [1.0], [9.0]], FusionGraph(3, [[1, 2]], [0.1]), 0.1, 1)
    problem = MaxDeviation(model, Perturbation.additive((3, 1), points=[0]), 2.0)
    labels = np.arange(3)
    optima = [
        HighsSession(MilpFormulation(problem, labels, coincidences=allowed).model, 1e-6)
        .solve()
        .value
        for allowed in (True, False)
    ]
    assert optima == pytest.approx([1.0, 0.0], abs=1e-6)


def test_the_model_can_be_written(tmp_path):
    problem, _ = random_problem(3)
    formulation = MilpFormulation(problem, cluster(problem.model).labels)
    path = tmp_path / "model.lp"
    formulation.model.write(str(path), io_options={"symbolic_solver_labels": True})
    assert "order(0_1_0)" in path.read_text()


def test_a_problem_that_is_not_linear_is_refused():
    model = ConvexClustering(np.eye(2), FusionGraph.complete(2), 0.1, 2)
    problem = MaxDeviation(model, Perturbation.additive((2, 2)), 1.0)
    with pytest.raises(ArgumentError, match="p = 2 with d > 1"):
        MilpFormulation(problem, np.array([0, 1]))
    problem = MaxDeviation(two_points(), Perturbation.additive((2, 1)), 1.0, deviation="nmi")
    with pytest.raises(ArgumentError, match="additive over pairs"):
        MilpFormulation(problem, np.array([0, 1]))
