"""Small bilevel problems, and what a Pyomo model says at its current values."""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation

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
