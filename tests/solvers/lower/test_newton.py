"""The two factorisations against the matrix written out."""

import numpy as np
import pytest

from bilad.models import FusionGraph
from bilad.solvers.lower.newton import DenseNewton, SparseNewton, newton_system


@pytest.mark.parametrize("factorisation", [DenseNewton, SparseNewton])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_newton_system_is_solved_again_and_again(factorisation, d):
    rng = np.random.default_rng(d)
    graph = FusionGraph.knn(rng.normal(size=(15, 2)), k=4)
    system = factorisation(graph, d)
    incidence = np.kron(graph.incidence.toarray(), np.eye(d))
    for round_ in range(3):
        roots = rng.normal(size=(graph.m, d, d))
        roots[rng.random(graph.m) < 0.3 * round_] = 0  # singular and empty blocks too
        blocks = roots @ roots.transpose(0, 2, 1)
        inner = np.zeros((graph.m * d, graph.m * d))
        for e, block in enumerate(blocks):
            inner[e * d : e * d + d, e * d : e * d + d] = block
        matrix = np.eye(15 * d) + incidence.T @ inner @ incidence
        R = rng.normal(size=(15, d))
        expected = np.linalg.solve(matrix, R.ravel()).reshape(15, d)
        assert system.solve(blocks, R) == pytest.approx(expected, abs=1e-9)


def test_small_and_full_systems_are_dense():
    assert isinstance(newton_system(FusionGraph.complete(300), 2), DenseNewton)
    sparse = FusionGraph.knn(np.random.default_rng(0).normal(size=(300, 2)), k=5)
    assert isinstance(newton_system(sparse, 2), SparseNewton)
    few = FusionGraph.knn(np.random.default_rng(0).normal(size=(40, 2)), k=1)
    assert isinstance(newton_system(few, 2), DenseNewton)
