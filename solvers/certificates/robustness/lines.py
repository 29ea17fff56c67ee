"""A problem in parts that can be looked at one by one: for p = 1 each feature is a line."""

from __future__ import annotations

from collections.abc import Iterator

from bilad.models.bilevel import BilevelProblem, MaxDeviation
from bilad.models.clustering_problem import clustering_of
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.solvers.lower.cluster import solve_lower
from bilad.solvers.lower.result import Clustering

TOL = 1e-10  # of the features' own solutions


def lines(
    problem: BilevelProblem, clustering: Clustering
) -> Iterator[tuple[BilevelProblem, Clustering]]:
    """Yield the problem with its clustering; for p = 1 and d > 1 those of each feature.

    The features have the same eps. Points share a cluster iff they do in every feature.
    """
    model = clustering_of(problem)
    if model.p != 1 or model.d == 1:
        yield problem, clustering
        return
    for feature in range(model.d):
        line = _feature_problem(problem, feature)
        yield line, solve_lower(clustering_of(line), tol=TOL, refine=True)


def _feature_problem(problem: BilevelProblem, feature: int) -> MaxDeviation:
    model, given = clustering_of(problem), problem.perturbation
    line = ConvexClustering(model.data[:, [feature]], model.graph, model.gamma, model.p)
    rows = problem.operator("data")[feature :: model.d]
    own = Perturbation(
        {**given.operators, "data": rows},
        {**given.shapes, "data": (model.n, 1)},
        given.lower,
        given.upper,
        given.structure,
    )
    return MaxDeviation(line, own, 1.0, problem.norm)
