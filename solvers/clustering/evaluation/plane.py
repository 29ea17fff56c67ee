"""The evaluator of models in few features: the blocks of the last eps are tried first.

While the partition stays the same, a few steps of Newton's method on the blocks and one or two
currents inside them prove it. Otherwise the contracting interior-point method splits and merges
the blocks.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.rounding import U
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.evaluation.moved_entries import MovedEntries
from bilad.solvers.clustering.interior_point.method import BlockSolution, ContractingMethod
from bilad.solvers.clustering.labels.contracted_problem import SMALL_GRADIENT
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.unit_scale import LARGEST_EXPONENT, unit_scale

MOST_ITERATIONS = 1000  # of the interior-point method, for one eps
MOST_POINTS = 10_000  # a solve from scratch, which no time limit stops, takes less than a second
LARGEST = 2.0**LARGEST_EXPONENT


class PlaneEvaluator:
    """Deviations at many eps, p = 2.

    Parameters
    ----------
    problem : BilevelProblem
    model : ConvexClustering
        In a unit in which squares are finite; every point has an edge of positive capacity.
    exponent : int
        The unit is 2^exponent.
    entries : MovedEntries
    baseline : Clustering
        The solution at eps = 0.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        model: ConvexClustering,
        exponent: int,
        entries: MovedEntries,
        baseline: Clustering,
    ) -> None:
        self._problem, self._model, self._exponent = problem, model, exponent
        self._entries, self._baseline = entries, baseline
        self._method = ContractingMethod(model, Budget(MOST_ITERATIONS, math.inf))
        self._found: BlockSolution | None = None
        self._deviation: float | None = None
        X, Z = (np.ldexp(part, -exponent) for part in (baseline.X, baseline.Z))
        self._keep(*self._method.restart(X, Z))

    def __call__(self, eps: FloatArray) -> float | None:
        """Return the deviation at eps, shape (k,), or None if the labels cannot be proved."""
        entries, moved = self._entries, self._problem.model.data.flatten()
        with np.errstate(over="ignore", invalid="ignore"):
            steps = entries.factors * eps[entries.columns]
            moved[entries.places] += steps
            data = np.ldexp(moved, -self._exponent).reshape(self._model.data.shape)
            step = np.ldexp(np.abs(steps).max(initial=0.0), -self._exponent)
        largest = np.abs(data).max()
        if not largest < LARGEST:
            return None
        error = U * math.sqrt(self._model.d) * (largest + step)  # of each point, at most
        if self._found is None or not self._has_the_same_blocks(self._found, data, error):
            self._solve(data, error)
        return self._deviation

    def _has_the_same_blocks(self, found: BlockSolution, data: FloatArray, error: float) -> bool:
        """Return whether the partition is proved to be the last one; if so, keep the solution."""
        blocks, own = found.blocks, self._contracted
        if len(own.radii) and not own.small:
            return False
        own.set_means(block_means(data, blocks))
        y, gradient = own.minimiser(found.centroids.sum(axis=0))
        if not gradient <= SMALL_GRADIENT:
            return False
        flow = self._method.flow
        flow.set_data(data, error)
        flow.lift(blocks, y)
        if not flow.proves():
            return False
        self._found = replace(found, centroids=y)  # the flow stays where it is
        return True

    def _solve(self, data: FloatArray, error: float) -> None:
        """Solve by the interior-point method, from the last blocks if there are any."""
        model, budget = self._model.replace(data=data), Budget(MOST_ITERATIONS, math.inf)
        model = model.rounded(np.full(data.shape, error / math.sqrt(model.d)))
        found, flow = self._found, self._method.flow
        order = self._method.problem.elimination
        self._method = ContractingMethod(model, budget, order=order)
        if found is None:
            self._keep(*self._method.solve())
        else:
            self._keep(*self._method.restart_on(replace(found, Z=flow.flow())))

    def _keep(self, found: BlockSolution, partition: Partition | None) -> None:
        self._found, self._deviation = None, None
        if partition is None:
            return
        self._found = found
        self._contracted, _ = self._method.problem.contracted(found.blocks)
        value = self._problem.deviation.value
        self._deviation = value(self._baseline.outcome, partition.labels)


def plane_evaluator(
    model: ConvexClustering, problem: BilevelProblem, baseline: Clustering
) -> PlaneEvaluator | None:
    """Return the evaluator if p = 2, the interior-point method is fast, and only data move."""
    entries, scale = MovedEntries.of(problem.perturbation), unit_scale(model)
    if entries is None or model.p != 2 or model.n > MOST_POINTS:
        return None
    if scale.model.graph is not model.graph:
        return None
    joined = np.zeros(model.n, dtype=np.bool_)
    joined[model.graph.edges[model.radii > 0]] = True
    if not joined.all():
        return None
    exponent = scale.exponent
    data, gamma = np.ldexp(model.data, -exponent), math.ldexp(model.gamma, -exponent)
    scaled = ConvexClustering(data, model.graph, gamma, 2)
    return PlaneEvaluator(problem, scaled, exponent, entries, baseline)
