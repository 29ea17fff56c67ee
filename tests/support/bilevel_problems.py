"""Small bilevel problems of convex clustering, and the constraint violations of a Pyomo model."""

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.reformulations import DUALITY, KKT, VALUE_FUNCTION
from bilad.formulations.schedule import ScheduleStage
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.convex_clustering import ScaledClustering
from bilad.solvers import cluster

NORMS = [1, 2, np.inf]
DIMENSIONS = [1, 2, 3]
PERTURBATIONS = ["shift", "additive", "multiplicative", "edges"]
GRAPHS = ["complete", "knn"]
REFORMULATIONS = {
    **{name: (KKT, {"relaxation": name}) for name in RELAXATIONS},
    "duality": (DUALITY, {}),
    "aggregate": (DUALITY, {"aggregate": True}),
    "value function": (VALUE_FUNCTION, {}),
}
SMOOTHED = ("smoothing", "value function")  # their solutions are those of a smoothed lower level
UNSMOOTHED = {name: made for name, made in REFORMULATIONS.items() if name not in SMOOTHED}

TIGHT = ScheduleStage(1e-7, 0.1)  # a stage at which only lower-level solutions are feasible
ACCEPTED = 1e-7  # the largest violation of a lower-level solution at this stage
REJECTED = 1e-6  # the smallest violation of other points at this stage

GAMMAS = {"line": 0.25, "complete": 0.5, "knn": 0.9}  # each model then has 2 or 3 clusters


def make_model(kind, n=10, seed=0):
    """A model of three groups: "line" is d = 1 on the complete graph, the others are d = 2."""
    rng = np.random.default_rng(seed)
    d = 1 if kind == "line" else 2
    A = 0.4 * rng.normal(size=(n, d))
    A += 3 * (np.arange(n) % 3)[:, None] * np.array([1.0, -0.5])[:d]
    graph = FusionGraph.knn(A, k=4, phi=0.1) if kind == "knn" else FusionGraph.complete(n)
    return ConvexClustering(A, graph, GAMMAS[kind])


def make_problem(kind, k=4, budget=2.0, n=10, seed=0, problem=MaxDeviation, **options):
    """(BL1) with an additive perturbation of the first k entries of the data."""
    model = make_model(kind, n, seed)
    points = list(range(k // model.d))
    perturbation = Perturbation.additive(model.data.shape, points=points)
    return problem(model, perturbation, budget, **options)


def make_case(p, d, perturbation, graph="complete", norm=2, kind=MaxDeviation, **options):
    """(BL1) on six points in two groups, for any norms, perturbation and graph.

    The weights of "complete" are equal. Those of "knn" differ, and its first and last edge have
    weight 0.
    """
    rng = np.random.default_rng(10 * d + 3)
    A = 0.5 * rng.normal(size=(6, d)) + 2 * (np.arange(6) % 2)[:, None] + 0.5
    if graph == "complete":
        joins, gamma = FusionGraph.complete(6), {1: 0.15, 2: 0.33, 3: 0.25}[d]
    else:
        joins, gamma = FusionGraph.knn(A, k=3, phi=0.05), {1: 0.4, 2: 0.7, 3: 0.4}[d]
        weights = joins.weights.copy()
        weights[[0, -1]] = 0.0
        joins = joins.with_weights(weights)
    model = ConvexClustering(A, joins, gamma, p)
    eps = {
        "shift": lambda: Perturbation.shift(rng.normal(size=A.shape)),
        "additive": lambda: Perturbation.additive(A.shape, points=[0, 3], features=[0]),
        "multiplicative": lambda: Perturbation.multiplicative(A, points=[0, 4], features=[0]),
        "edges": lambda: Perturbation.edges(joins, [0, 1, joins.m - 2]),
    }[perturbation]()
    return kind(model, eps, options.pop("budget", 1.5), norm=norm, **options)


def points_of_eps(problem, count, seed=0):
    """Zero, an eps on the bounds (which removes an edge), and random eps."""
    k = problem.perturbation.dim
    low, high = problem.box
    inside = np.random.default_rng(seed).uniform(low, high, (count, k))
    corner = np.where(np.arange(k) == k - 1, high, 0.0)
    corner[-1] = min(corner[-1], problem.perturbation.upper[-1])
    return [np.zeros(k), corner, *(problem.project(eps) for eps in inside)]


def solve_exactly(problem, eps):
    """The lower-level solution at eps, with tolerance 1e-12."""
    return cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)


def formulate(name, problem, baseline, **writing):
    """The single-level model of a problem, by a name of REFORMULATIONS."""
    formulation, options = REFORMULATIONS[name]
    assert formulation.refusal(problem) is None
    return formulation(problem, baseline, **options, **writing)


def solution_from(X, Z):
    """A solution with the given X and Z, of which nothing else is used."""
    return ScaledClustering(X, Z, np.zeros(len(X), dtype=int), 0.0)


def violations(model, components=None):
    """The violation of each active constraint and each variable bound by name, >= 0.

    `components` restricts the result to the components with these names.
    """
    found = {}
    for row in model.component_data_objects(pyo.Constraint, active=True):
        if components is not None and row.parent_component().name not in components:
            continue
        body, low, high = pyo.value(row.body), pyo.value(row.lower), pyo.value(row.upper)
        above = 0.0 if high is None else body - high
        below = 0.0 if low is None else low - body
        found[row.name] = max(above, below, 0.0)
    for variable in model.component_data_objects(pyo.Var):
        chosen = components is None or variable.parent_component().name in components
        if chosen and variable.value is not None:
            above = 0.0 if variable.ub is None else variable.value - variable.ub
            below = 0.0 if variable.lb is None else variable.lb - variable.value
            found[f"bounds of {variable.name}"] = max(above, below, 0.0)
    return found
