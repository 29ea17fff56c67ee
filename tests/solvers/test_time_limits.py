"""A time limit that is too short is exceeded by at most 20 % and a second of processor time."""

import time

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import attack, certify, cluster, cluster_path

LIMIT = 0.5
CALLS = {
    "ssnal": lambda model, limit: cluster(model, "ssnal", time_limit=limit),
    "ssnal, refine": lambda model, limit: cluster(model, "ssnal", time_limit=limit, refine=True),
    "clarabel": lambda model, limit: cluster(model, "clarabel", time_limit=limit),
    "path": lambda model, limit: cluster_path(model, np.geomspace(0.01, 1, 10), time_limit=limit),
    "corners": lambda model, limit: attack(problem(model), "corners", time_limit=limit),
    "hypergradient": lambda model, limit: attack(problem(model), "hypergradient", time_limit=limit),
    "kkt": lambda model, limit: attack(problem(model), "kkt", time_limit=limit),
    "certify": lambda model, limit: certify(problem(model), time_limit=limit),
}


def problem(model):
    return MaxDeviation(model, Perturbation.additive(model.data.shape, points=range(5)), 0.5)


def model_of(graph, n, p):
    A = np.random.default_rng(0).normal(size=(n, 2))
    edges = FusionGraph.complete(n, 1 / n) if graph == "complete" else FusionGraph.knn(A, 10)
    made = ConvexClustering(A, edges, 0.1, p)
    _ = made.radii
    return made


@pytest.mark.slow
@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize(("graph", "n"), [("complete", 1000), ("k-NN", 6000)])
def test_a_limit_that_is_too_short(graph, n, p):
    model, small, late = model_of(graph, n, p), model_of(graph, 60, p), {}
    for name, call in CALLS.items():
        call(small, 2.0)  # compiles
        began = time.process_time()
        call(model, LIMIT)
        spent = time.process_time() - began
        if spent > 1.2 * LIMIT + 1:
            late[name] = spent
    assert not late
