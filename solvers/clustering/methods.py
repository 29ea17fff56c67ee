"""The methods for the lower level, by name.

A new method is a function that takes a model and `SolveOptions`, and an entry in `LOWER_METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, one_of
from bilad.solvers.clustering.conic import solve_clarabel
from bilad.solvers.clustering.exact import lines
from bilad.solvers.clustering.interior_point.method import solve_interior_point
from bilad.solvers.clustering.result import Measure, MethodResult, SolveOptions
from bilad.solvers.clustering.ssnal.ssnal import solve_by_ssnal
from bilad.solvers.errors import UnsupportedError

MOST_FEATURES = 5  # of the interior-point method; its blocks have as many rows


@dataclass(frozen=True)
class LowerMethod:
    """A named method for models that `unit_scale` has scaled.

    `refusal` returns the reason why the method cannot solve a model, or None.
    """

    name: str
    refusal: Callable[[ConvexClustering], str | None]
    solve: Callable[[ConvexClustering, SolveOptions], MethodResult]


def measured(model: ConvexClustering, result: MethodResult, X: FloatArray) -> Measure:
    """Measure X with the dual solution of a result, in the same way for every method."""
    if result.measure is not None:
        return result.measure
    Z = result.make_dual()
    size = 1.0 + float(np.linalg.norm(model.data))
    return Measure(model.primal(X), model.absolute_gap(X, Z), model.kkt_residual(X, Z) * size)


def _no_interior_point(model: ConvexClustering) -> str | None:
    if model.p != 2 and model.d > 1:
        return "p = 2 or d = 1"
    return None if model.d <= MOST_FEATURES else f"at most {MOST_FEATURES} features"


def _no_refusal(model: ConvexClustering) -> None:
    """Accept every model."""


# "auto" takes the first method that accepts the model; the fastest stands first, as measured by
# scripts/benchmark_lower.py.
LOWER_METHODS = {
    method.name: method
    for method in (
        LowerMethod("exact", lines.refusal, lines.solve_exact),
        LowerMethod("interior-point", _no_interior_point, solve_interior_point),
        LowerMethod("ssnal", _no_refusal, solve_by_ssnal),
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
