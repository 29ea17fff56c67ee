"""Bounds and radii of convex clustering, registered as capabilities of the learning model."""

from __future__ import annotations

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.learning_model import bound, radius
from bilad.models.problem import BilevelProblem
from bilad.solvers.certificates.bounds import norm_bound, optimum_bound
from bilad.solvers.clustering.result import Clustering


@bound.register(ConvexClustering)
def _bound(
    model: ConvexClustering, problem: BilevelProblem, baseline: Clustering, effort: str
) -> float | None:
    return optimum_bound(problem, baseline, tight=effort == "tight")


@radius.register(ConvexClustering)
def _radius(model: ConvexClustering, problem: BilevelProblem, baseline: Clustering) -> float:
    return norm_bound(problem, baseline)
