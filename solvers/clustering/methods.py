"""The methods for the lower level, by name.

A new method is a function that takes a model and `SolveOptions`, and an entry in `LOWER_METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, one_of
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.exact import lines
from bilad.solvers.clustering.labels.partition import nothing_proved
from bilad.solvers.clustering.result import Measure, MethodResult, SolveOptions
from bilad.solvers.clustering.ssnal import ssnal
from bilad.solvers.clustering.ssnal.workspace import Workspace
from bilad.solvers.errors import UnsupportedError


@dataclass(frozen=True)
class LowerMethod:
    """A named method for models that `unit_scale` has scaled.

    `refusal` returns the reason why the method cannot solve a model, or None.
    """

    name: str
    refusal: Callable[[ConvexClustering], str | None]
    solve: Callable[[ConvexClustering, SolveOptions], MethodResult]


def _solve_ssnal(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve by SSNAL, the semismooth Newton based augmented Lagrangian method: every model.

    References
    ----------
    Sun, Toh and Yuan, Convex clustering: model, theoretical guarantee and efficient algorithm, JMLR
    22(9), 2021.
    """
    workspace = options.reusable if isinstance(options.reusable, Workspace) else None
    solution = ssnal.solve_ssnal(
        model,
        options.tol,
        options.start,
        workspace,
        options.max_iterations,
        options.deadline,
        options.reference,
    )
    return MethodResult(
        X=solution.X,
        make_dual=partial(np.asarray, solution.Z),
        partition=nothing_proved(model.n),
        status=solution.status,
        iterations=solution.admm_steps + solution.newton_steps,
        reusable=solution.workspace,
        remark=solution.workspace.remark if solution.workspace else "",
    )


def measured(model: ConvexClustering, result: MethodResult, X: FloatArray) -> Measure:
    """Measure X with the dual solution of a result, in the same way for every method."""
    if result.measure is not None:
        return result.measure
    Z = result.make_dual()
    size = 1.0 + float(np.linalg.norm(model.data))
    return Measure(model.primal(X), model.absolute_gap(X, Z), model.kkt_residual(X, Z) * size)


def _no_refusal(model: ConvexClustering) -> None:
    """Accept every model."""


# "auto" takes the first method that accepts the model; the fastest stands first, as measured by
# scripts/benchmark_lower.py.
LOWER_METHODS = {
    method.name: method
    for method in (
        LowerMethod("exact", lines.refusal, lines.solve_exact),
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
        return able[0]
    chosen = LOWER_METHODS[method]
    reason = chosen.refusal(model)
    if reason is not None:
        raise UnsupportedError(method, reason, [candidate.name for candidate in able])
    return chosen
