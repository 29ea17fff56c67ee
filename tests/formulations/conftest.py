"""Small bilevel problems, and what a Pyomo model says at its current values."""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster

# So that each has two or three clusters.
GAMMAS = {"line": 0.25, "complete": 0.5, "knn": 0.9}


@pytest.fixture(scope="session")
def make_model():
    """A model of three loose groups: "line" is d = 1 on the complete graph, the others d = 2."""

    def make(kind, n=10, seed=0):
        rng = np.random.default_rng(seed)
        d = 1 if kind == "line" else 2
        A = 0.4 * rng.normal(size=(n, d))
        A += 3 * (np.arange(n) % 3)[:, None] * np.array([1.0, -0.5])[:d]
        graph = FusionGraph.knn(A, k=4, phi=0.1) if kind == "knn" else FusionGraph.complete(n)
        return ConvexClustering(A, graph, GAMMAS[kind])

    return make


@pytest.fixture(scope="session")
def make_problem(make_model):
    """(BL1) with k free entries of the data, the first ones."""

    def make(kind, k=4, budget=2.0, n=10, seed=0, problem=MaxDeviation, **options):
        model = make_model(kind, n, seed)
        points = list(range(k // model.d))
        perturbation = Perturbation.additive(model.data.shape, points=points)
        return problem(model, perturbation, budget, **options)

    return make


NORMS = (1, 2, float("inf"))
PERTURBATIONS = ("shift", "additive", "multiplicative", "edges")


@pytest.fixture(scope="session")
def make_case():
    """(BL1) on six points in two loose groups, for any norms, perturbation and graph.

    "complete" has equal weights; "knn" has others, and its first and last edge have none.
    """

    def make(p, d, perturbation, graph="complete", norm=2, kind=MaxDeviation, **options):
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

    return make


@pytest.fixture(scope="session")
def points_of_eps():
    """Zero, random eps within the bounds, and one on them (which drops an edge)."""

    def points(problem, count, seed=0):
        k = problem.perturbation.dim
        low, high = problem.box
        inside = np.random.default_rng(seed).uniform(low, high, (count, k))
        corner = np.where(np.arange(k) == k - 1, high, 0.0)
        corner[-1] = min(corner[-1], problem.perturbation.upper[-1])
        return [np.zeros(k), corner, *(problem.project(eps) for eps in inside)]

    return points


@pytest.fixture(scope="session")
def solve_exactly():
    """The lower level at eps, to 1e-12."""

    def solve(problem, eps):
        return cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)

    return solve


@pytest.fixture(scope="session")
def violations():
    """How far each active constraint and each variable bound is from being met, by name."""

    def measure(model, components=None):
        """Of all components, or of those named."""
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

    return measure
