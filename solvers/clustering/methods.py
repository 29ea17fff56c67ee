"""The methods for the lower level, by name.

A new method is a function that takes a model and `SolveOptions`, and an entry in `LOWER_METHODS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import has_turned_lines, sums_and_differences
from bilad.models.norms import conjugate
from bilad.models.validation import FloatArray, one_of
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.exact import lines
from bilad.solvers.clustering.interior_point.method import (
    MOST_FEATURES,
    BlockSolution,
    ContractingMethod,
)
from bilad.solvers.clustering.labels.partition import Partition, nothing_proved
from bilad.solvers.clustering.result import Measure, MethodResult, SolveOptions
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace
from bilad.solvers.errors import UnsupportedError

# "auto" takes the interior-point method for at most so many features, and edges for each point.
FAST_FEATURES, FAST_DEGREE = 2, 30


@dataclass(frozen=True)
class LowerMethod:
    """A named method for models that `unit_scale` has scaled.

    `refusal` returns the reason why the method cannot solve a model, or None; `is_fast` returns
    whether "auto" may choose it for a model that it can solve.
    """

    name: str
    refusal: Callable[[ConvexClustering], str | None]
    solve: Callable[[ConvexClustering, SolveOptions], MethodResult]
    is_fast: Callable[[ConvexClustering], bool] = lambda model: True


def _solve_interior_point(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve by the contracting interior-point method: p = 2 or d = 1, and few features.

    It continues with SSNAL from the last pair if the partition is not proved.
    """
    if not (model.radii > 0).any():
        return _solve_ssnal(model, options)
    budget = Budget(options.max_iterations, options.deadline)
    last = options.reusable if isinstance(options.reusable, ContractingMethod) else None
    order = None if last is None else last.order_for(model)
    method = ContractingMethod(model, budget, options.reference, order)
    found, partition = method.solve() if options.start is None else method.restart(*options.start)
    if partition is not None:
        result = _proved_result(method, found, partition, budget.newton_steps)
        return replace(result, status=budget.exhausted or "optimal")
    left = max(1, options.max_iterations - budget.newton_steps)
    start = found.X, model.project_dual(method.everywhere(found.Z))
    rest = _solve_ssnal(model, replace(options, start=start, max_iterations=left))
    return replace(rest, iterations=rest.iterations + budget.newton_steps)


def _proved_result(
    method: ContractingMethod, found: BlockSolution, partition: Partition, iterations: int
) -> MethodResult:
    return MethodResult(
        X=found.X,
        make_dual=partial(np.asarray, method.everywhere(found.Z)),
        partition=partition,
        status="optimal",
        iterations=iterations,
        reusable=method,
    )


def _solve_ssnal(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve by SSNAL, the semismooth Newton based augmented Lagrangian method: every model.

    For p = inf and d = 2 the sum and the difference of the features are solved, for p = 1. If
    p = 2 or d = 1, Newton's method on the blocks of equal points finishes the solution.

    References
    ----------
    Sun, Toh and Yuan, Convex clustering: model, theoretical guarantee and efficient algorithm, JMLR
    22(9), 2021.
    """
    workspace = options.reusable if isinstance(options.reusable, Workspace) else None
    start, is_turned = options.start, has_turned_lines(model)
    if is_turned:  # relative errors become larger, so that the tolerance is met
        turned = sums_and_differences(model.data)
        model = ConvexClustering(turned, model.graph, model.gamma, 1)
        start = start and (sums_and_differences(start[0]), sums_and_differences(start[1]))
    if workspace is None or not workspace.fits(model):
        workspace = Workspace(model)
    smooth = (model.p == 2 or model.d == 1) and workspace.positive.any()
    if smooth and start is not None:
        method = _finishing_method(model, options, workspace)
        found, partition = method.resume(*start)
        if found is not None and partition is not None:
            return replace(_proved_result(method, found, partition, 0), reusable=workspace)
    solution = solve_ssnal(
        model,
        options.tol,
        start,
        workspace,
        options.max_iterations,
        options.deadline,
        options.reference,
    )
    result = MethodResult(
        X=0.5 * sums_and_differences(solution.X) if is_turned else solution.X,
        make_dual=partial(
            np.asarray, 0.5 * sums_and_differences(solution.Z) if is_turned else solution.Z
        ),
        partition=nothing_proved(model.n),
        status=solution.status,
        iterations=solution.admm_steps + solution.newton_steps,
        reusable=solution.workspace,
        remark=solution.workspace.remark if solution.workspace else "",
    )
    if not smooth or solution.status != "optimal":
        return result
    method = _finishing_method(model, options, workspace)
    found, partition = method.finish(solution.X, solution.Z)
    if partition is None:
        return result
    if found is None:
        return replace(result, partition=partition)
    better = _proved_result(method, found, partition, result.iterations + method.iterations)
    return replace(better, reusable=result.reusable, remark=result.remark)


def _finishing_method(
    model: ConvexClustering, options: SolveOptions, workspace: Workspace
) -> ContractingMethod:
    budget = Budget(options.max_iterations, options.deadline)
    return ContractingMethod(model, budget, options.reference, workspace.edges.elimination)


def measured(model: ConvexClustering, result: MethodResult, X: FloatArray) -> Measure:
    """Measure X with the feasible dual solution of a result, in the same way for every method."""
    if result.measure is not None:
        return result.measure
    Z, ends = result.make_dual(), model.graph.ends
    residual = X - model.data
    misfit = 0.5 * float(np.vdot(residual, residual))
    edge_loops.adjoint(*ends, Z, residual)
    stationarity = float(np.vdot(residual, residual))
    q = conjugate(model.p) if model.d > 1 else 2.0
    fusion, gaps, fixed_point = edge_loops.fenchel_young(*ends, model.radii, q, X, Z)
    error = math.sqrt(max(stationarity, fixed_point))
    return Measure(misfit + fusion, 0.5 * stationarity + gaps, error)


def _no_interior_point(model: ConvexClustering) -> str | None:
    if model.p != 2 and model.d > 1:
        return "p = 2 or d = 1"
    return None if model.d <= MOST_FEATURES else f"at most {MOST_FEATURES} features"


def _is_sparse(model: ConvexClustering) -> bool:
    """Whether few features and edges let the factorisations of whole blocks pay."""
    return model.d <= FAST_FEATURES and model.graph.m <= FAST_DEGREE * model.n


def _no_refusal(model: ConvexClustering) -> None:
    """Accept every model."""


# "auto" takes the first method that accepts the model; the fastest stands first, as measured by
# scripts/benchmark_lower.py.
LOWER_METHODS = {
    method.name: method
    for method in (
        LowerMethod("exact", lines.refusal, lines.solve_exact),
        LowerMethod("interior-point", _no_interior_point, _solve_interior_point, _is_sparse),
        LowerMethod("ssnal", _no_refusal, _solve_ssnal),
        LowerMethod("clarabel", _no_refusal, solve_clarabel),
    )
}


def choose_lower_method(model: ConvexClustering, method: str) -> LowerMethod:
    """Return the method with that name; for "auto", the first one that accepts the model.

    Raises
    ------
    ArgumentError
        If there is no method with that name.
    UnsupportedError
        If the method cannot solve the model; the message names the methods that can.
    """
    one_of(method, "method", ["auto", *LOWER_METHODS])
    able = [candidate for candidate in LOWER_METHODS.values() if candidate.refusal(model) is None]
    if method == "auto":
        return next(candidate for candidate in able if candidate.is_fast(model))
    chosen = LOWER_METHODS[method]
    reason = chosen.refusal(model)
    if reason is not None:
        raise UnsupportedError(method, reason, [candidate.name for candidate in able])
    return chosen
