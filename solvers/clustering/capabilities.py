"""Registers the solvers of convex clustering as capabilities of its model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from bilad.formulations.clustering.milp import program  # noqa: F401 (registers the MILP)
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.learning_model import (
    adjoint,
    confirm,
    decide,
    evaluator,
    ray_steps,
    remove,
    smoothed,
    solve,
    solver_options,
    state_gap,
)
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, one_of
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.derivative import Derivative, SolutionDerivative
from bilad.solvers.clustering.evaluation.line import line_evaluator
from bilad.solvers.clustering.evaluation.plane import plane_evaluator
from bilad.solvers.clustering.methods import LOWER_METHODS, choose_lower_method
from bilad.solvers.clustering.parametric import ray
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.smoothing import SmoothedClustering, solve_smoothed


@solver_options.register(ConvexClustering)
def _options(model: ConvexClustering, method: str) -> dict[str, Any]:
    one_of(method, "lower", ["auto", *LOWER_METHODS])
    return {"method": choose_lower_method(model, method).name}


@solve.register(ConvexClustering)
def _solve(
    model: ConvexClustering,
    start: Clustering | None = None,
    tol: float = 1e-8,
    time_limit: float = math.inf,
    method: str = "auto",
) -> Clustering:
    return solve_lower(model, method, tol, start=start, time_limit=time_limit)


@confirm.register(ConvexClustering)
def _confirm(
    model: ConvexClustering, tol: float, time_limit: float = math.inf, method: str = "auto"
) -> Clustering:
    """Solve from scratch, and tighten the tolerance until the labels are proved."""
    return solve_lower(model, method, tol, time_limit=time_limit, refine=True)


@decide.register(ConvexClustering)
def _decide(
    model: ConvexClustering, tol: float, time_limit: float = math.inf, method: str = "auto"
) -> Clustering:
    return solve_lower(model, method, tol, time_limit=time_limit, refine=True, labels_only=True)


@smoothed.register(ConvexClustering)
def _solve_smoothed(
    model: ConvexClustering, smoothing: float, start: SmoothedClustering | None, deadline: float
) -> SmoothedClustering:
    return solve_smoothed(model, smoothing, start, deadline=deadline)


@adjoint.register(ConvexClustering)
def _adjoint(
    model: ConvexClustering,
    solution: Clustering | SmoothedClustering,
    direction: FloatArray,
    parts: Collection[str],
) -> dict[str, FloatArray]:
    """Solve one linear system; the gradient in the weights needs one product in addition."""
    derivative: Derivative = (
        SolutionDerivative(solution) if isinstance(solution, Clustering) else solution
    )
    in_data = derivative.apply(direction)
    gradients = {"data": in_data}
    if "weights" in parts:
        gradients["weights"] = derivative.weights_part(in_data)
    return gradients


@state_gap.register(ConvexClustering)
def _gap(model: ConvexClustering, state: FloatArray, solution: Clustering) -> float:
    return model.gap(state, solution.Z)


@remove.register(ConvexClustering)
def _without(model: ConvexClustering, what: str, which: list[int]) -> ConvexClustering:
    """Return the model without some points, or with weight zero on some edges."""
    if one_of(what, "what", ("points", "edges")) == "points":
        return model.without(which)
    weights = model.graph.weights.copy()
    weights[which] = 0.0
    return model.replace(weights=weights)


@evaluator.register(ConvexClustering)
def _evaluator(
    model: ConvexClustering, problem: BilevelProblem, baseline: Clustering
) -> Callable[[FloatArray], float | None] | None:
    on_lines = line_evaluator(model, problem, baseline)
    if on_lines is not None or choose_lower_method(model, "auto").name != "interior-point":
        return on_lines
    return plane_evaluator(model, problem, baseline)


ray_steps.register(ConvexClustering, ray.refusal)(parametric_path)
