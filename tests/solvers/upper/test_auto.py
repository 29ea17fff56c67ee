"""`auto` chooses the method that performed best in measurements and can be applied."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from bilad.models import (
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.solvers import attack
from bilad.solvers.upper import UPPER_METHODS, refusal
from bilad.solvers.upper.auto import best_method

A = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.3], [3.0, 3.1], [3.2, 3.0], [2.9, 3.3]])
FREE = Perturbation.additive(A.shape, points=[0, 1])


def model(p):
    return ConvexClustering(A, FusionGraph.complete(6), 0.2, p)


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (MaxDeviation(model(1), Perturbation.shift(A), 1.0), "exact"),
        (MaxDeviation(model(2), Perturbation.shift(A), 1.0), "hypergradient"),
        (MaxDeviation(model(1), FREE, 1.0), "hypergradient"),
        (MaxDeviation(model(2), FREE, 1.0, deviation="nmi"), "nes"),
        (MaxDeviation(BlackBox(A, AgglomerativeClustering(2)), FREE, 4.0), "nes"),
        (MinPerturbation(BlackBox(A, AgglomerativeClustering(2)), FREE, 2.0), "corners"),
        (MaxDeviation(model(1), Perturbation.edges(model(1).graph), 2, "count"), "hypergradient"),
    ],
)
def test_the_choice_takes_the_problem_and_is_named(problem, name):
    assert best_method(problem, UPPER_METHODS) == name
    assert refusal(UPPER_METHODS[name], problem) is None
    assert attack(problem, "auto", max_solves=5).method == name
