"""Registers the proofs of linear models as capabilities."""

from __future__ import annotations

import math

from bilad.models.learning.learning_model import Proof, bound, radius
from bilad.models.learning.linear_model import Fit, LinearModel
from bilad.models.learning.ridge import Ridge
from bilad.models.problem import LENGTH_TOL, BilevelProblem
from bilad.solvers.certificates.deviation_bound import DeviationBound
from bilad.solvers.certificates.linear_response import linear_response
from bilad.solvers.certificates.strong_convexity import strong_convexity


@bound.register(LinearModel)
def _bound(model: LinearModel, problem: BilevelProblem, fit: Fit, effort: str) -> float | None:
    return _optimum(problem, strong_convexity(problem, fit))


@bound.register(Ridge)
def _ridge_bound(model: Ridge, problem: BilevelProblem, fit: Fit, effort: str) -> float | None:
    return _optimum(problem, linear_response(problem, fit))


@radius.register(LinearModel)
def _proof(model: LinearModel, problem: BilevelProblem, fit: Fit) -> Proof:
    return _least_norm(problem, strong_convexity(problem, fit))


@radius.register(Ridge)
def _ridge_proof(model: Ridge, problem: BilevelProblem, fit: Fit) -> Proof:
    return _least_norm(problem, linear_response(problem, fit))


def _optimum(problem: BilevelProblem, proved: DeviationBound | None) -> float | None:
    """Return the bound on the optimum of (BL1) or (BL2)."""
    if proved is None:
        return None
    if problem.sense == "max":
        most = proved.largest(problem.radius)
        return most if math.isfinite(most) else None
    return _least(problem, proved)


def _least(problem: BilevelProblem, proved: DeviationBound) -> float:
    """Return the lower bound of (BL2), which for the norm "count" is a whole number."""
    lower = proved.least(problem.target, problem.radius)
    return float(math.ceil(lower)) if problem.is_binary and math.isfinite(lower) else lower


def _least_norm(problem: BilevelProblem, proved: DeviationBound | None) -> Proof:
    """Return the bound for (BL2) as a proof, which is exact if its witness reaches the target."""
    lower = 0.0 if proved is None else _least(problem, proved)
    if proved is None or lower == 0:
        return Proof(0.0, "none")
    if lower == math.inf:
        return Proof(lower, proved.method, exact=True)
    witness = proved.witness(lower)
    if witness is None:
        return Proof(lower, proved.method)
    eps, deviation = witness
    is_near = problem.size(eps) <= lower * (1 + LENGTH_TOL)
    return Proof(lower, proved.method, is_near and deviation >= problem.target, [eps])
