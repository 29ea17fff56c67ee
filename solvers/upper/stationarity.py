"""Stationarity of an attack as a point of the MPCC: S, M, C or W, from a tight Scholtes homotopy.

With nu_G = lambda_G - delta H and nu_H = lambda_H - delta G, where delta is the multiplier of
G H <= t, a pair is biactive if G and H are both of the order of sqrt(t), and the point is

    S-stationary  if nu_G >= 0 and nu_H >= 0            on every biactive pair,
    M-stationary  if so, or nu_G nu_H = 0               on each,
    C-stationary  if nu_G nu_H >= 0                     on each,
    W-stationary  otherwise.

This is stationarity of the smoothed problem. It is never optimality, and says nothing of the true
staircase, which has no slope.

References
----------
Scheel and Scholtes, Math. Oper. Res. 25 (2000). For p = 2, whose complementarity is that of a
second-order cone: Ding, Sun and Ye, Math. Program. 147 (2014); nu_G and nu_H are there the parts
of the multipliers along (1, z), and H is 1 - ||z||^2.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.edge_terms import EuclideanEdges
from bilad.formulations.reformulations import KKT
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.single_level import SingleLevel
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, real_number, seconds_limit
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.nlp import IpoptSession, NlpResult
from bilad.solvers.termination import (
    CONVERGED,
    TIME_LIMIT,
    BudgetSpentError,
    termination_of,
)
from bilad.solvers.upper.frame import Scaling
from bilad.solvers.upper.reformulation import BY_KKT, MUMPS, try_engine
from bilad.solvers.upper.result import Attack

TIGHTENING = (1e-2, 1e-4, 1e-6, 1e-8)
IPOPT_OPTIONS = {**MUMPS, "tol": 1e-8, "max_iter": 300, "mu_init": 1e-4, "bound_push": 1e-8}
BIACTIVE = 10.0  # times sqrt(t): both sides this small
ZERO = 1e-5  # of the largest multiplier: no sign


@dataclass(frozen=True)
class Stationarity:
    """What the multipliers say at the end of a tight homotopy.

    Attributes
    ----------
    kind : str
        "S", "M", "C" or "W"; "none" if IPOPT did not converge, and then nothing is known.
    eps : ndarray, shape (k,)
        Where the homotopy ended, in the problem's units: near the attack, not at it.
    biactive : tuple of (int, int)
        Edge and number of the biactive pairs, as in the pairs of the conditions.
    multipliers : dict of (int, int) to (float, float)
        nu_G and nu_H of every pair, for the objective that is minimised.
    violation : float
        The largest product G H; NaN if no stage was solved.
    relaxation, width : float
        Of the last stage.
    engine_status : str
        Of the last stage that was solved; "none" without one.
    termination : str
        What ended the homotopy, as in `Attack`; unless "converged", the kind is "none".
    """

    kind: str
    eps: FloatArray
    biactive: tuple[tuple[int, int], ...]
    multipliers: dict[tuple[int, int], tuple[float, float]] = field(repr=False)
    violation: float
    relaxation: float
    width: float
    engine_status: str
    termination: str


def stationarity(
    found: Attack, width: float = 0.1, time_limit: float | None = None
) -> Stationarity:
    """Tighten the KKT reformulation from an attack, found by any method, and classify the end.

    Parameters
    ----------
    found : Attack
    width : float, default 0.1
        Of the smooth deviation, > 0, in units of the typical distance between points.
    time_limit : float, optional
        Seconds, as in `attack`.

    Returns
    -------
    Stationarity
        Always, once the arguments are accepted.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or the attack ended before the lower level was solved.
    UnsupportedError
        The reformulation does not apply to the problem.
    EngineError
        If no IPOPT can be started.
    """
    if not isinstance(found, Attack):
        raise ArgumentError("found", type(found).__name__, "an Attack")
    real_number(width, "width", above=0.0)
    reason = KKT.refusal(found.problem)
    if reason is not None:
        raise UnsupportedError("kkt", reason, [])
    if found.baseline.gap is None:
        raise ArgumentError("found", "an outcome without a solution", "an attack with solutions")
    seconds = seconds_limit(time_limit, "time_limit", least=0)
    try_engine(IPOPT_OPTIONS)
    homotopy = _Tightening(found, width, time.perf_counter() + seconds)
    return homotopy.report(termination_of(homotopy.run, seconds))


class _Tightening:
    """The homotopy from an attack, as far as it has come."""

    def __init__(self, found: Attack, width: float, deadline: float) -> None:
        self._found, self._width, self._deadline = found, width, deadline
        self._scaling = Scaling.of(found.problem)
        self._solved: tuple[SingleLevel, NlpResult] | None = None

    def run(self) -> None:
        """Solve one stage after another.

        Raises
        ------
        BudgetSpentError
            If the deadline came first.
        """
        scaling, found, began = self._scaling, self._found, time.perf_counter()
        formulation = KKT(scaling.problem, scaling.scale_solution(found.baseline))
        formulation.start_from(scaling.scale_eps(found.eps), scaling.scale_solution(found.solution))
        self._left(BY_KKT.opening * (time.perf_counter() - began))
        session = IpoptSession(formulation.model, IPOPT_OPTIONS)
        for relaxation in TIGHTENING:
            formulation.set_stage(ScheduleStage(relaxation, self._width))
            left = self._left()
            result = session.solve(time_limit=left if np.isfinite(left) else None)
            self._solved = formulation, result

    def _left(self, needed: float = 0.0) -> float:
        """Return the seconds left, raising if they are no more than those needed."""
        left = self._deadline - time.perf_counter()
        if left <= needed:
            raise BudgetSpentError(TIME_LIMIT)
        return left

    def report(self, termination: str) -> Stationarity:
        """Read the multipliers of the last stage that was solved."""
        if self._solved is not None:
            return _report(*self._solved, self._scaling, TIGHTENING[-1], self._width, termination)
        return Stationarity(
            kind="none",
            eps=self._found.eps,
            biactive=(),
            multipliers={},
            violation=np.nan,
            relaxation=TIGHTENING[-1],
            width=self._width,
            engine_status="none",
            termination=termination,
        )


def _report(
    formulation: SingleLevel,
    result: NlpResult,
    scaling: Scaling,
    t: float,
    width: float,
    termination: str = CONVERGED,
) -> Stationarity:
    conditions, pairs = formulation.conditions, {}
    if termination == CONVERGED and result.status.value == "optimal":
        is_cone = isinstance(getattr(conditions, "edges", None), EuclideanEdges)
        reader = _read_cone if is_cone else _read_sides
        multipliers = _Multipliers(formulation.problem, result)
        pairs = {index: reader(formulation, index, multipliers) for index in conditions.pairs}
    threshold = BIACTIVE * np.sqrt(t)
    biactive = tuple(i for i, pair in pairs.items() if max(pair.left, pair.right) <= threshold)
    nu = {index: pair.nu for index, pair in pairs.items()}
    products = [pyo.value(pair.product) for pair in conditions.pairs.values()]
    return Stationarity(
        kind=kind_of([nu[index] for index in biactive], _scale(nu)) if pairs else "none",
        eps=scaling.unscale_eps(formulation.eps()),
        biactive=biactive,
        multipliers=nu,
        violation=max(products, default=0.0),
        relaxation=t,
        width=width,
        engine_status=result.status.value,
        termination=termination,
    )


def kind_of(multipliers: list[tuple[float, float]], scale: float = 1.0) -> str:
    """Return the class of a point from nu_G and nu_H of its biactive pairs.

    Parameters
    ----------
    scale : float, default 1
        Of all multipliers; what is small against it has no sign.
    """
    worst = "S"
    for nu in multipliers:
        G, H = (0.0 if abs(value) <= ZERO * scale else value for value in nu)
        if G >= 0 and H >= 0:
            kind = "S"
        elif G * H == 0:
            kind = "M"
        else:
            kind = "C" if G * H > 0 else "W"
        worst = max(worst, kind, key="SMCW".index)
    return worst


def _scale(nu: dict[tuple[int, int], tuple[float, float]]) -> float:
    return max((abs(value) for pair in nu.values() for value in pair), default=1.0)


@dataclass(frozen=True)
class _Pair:
    left: float
    right: float
    nu: tuple[float, float]


class _Multipliers:
    """Nonnegative multipliers of rows and bounds, for the objective that is minimised."""

    def __init__(self, problem: BilevelProblem, result: NlpResult) -> None:
        self._sense = 1.0 if problem.sense == "min" else -1.0
        self._result = result

    def row(self, constraint: Any) -> float:
        """Return the multiplier of an inequality; which side it is on does not matter."""
        return abs(self._result.duals[constraint])

    def row_below(self, constraint: Any) -> float:
        """Return the multiplier of the lower limit of a constraint that has two."""
        return max(self._sense * self._result.duals[constraint], 0.0)

    def row_above(self, constraint: Any) -> float:
        """Return the multiplier of the upper limit of a constraint that has two."""
        return max(-self._sense * self._result.duals[constraint], 0.0)

    def lower(self, variable: Any) -> float:
        return max(self._sense * self._result.reduced_costs[variable], 0.0)

    def upper(self, variable: Any) -> float:
        return max(-self._sense * self._result.reduced_costs[variable], 0.0)


def _read_sides(
    formulation: SingleLevel, index: tuple[int, int], multipliers: _Multipliers
) -> _Pair:
    """Read an ordinary pair."""
    pair = formulation.conditions.pairs[index]
    delta = multipliers.row(formulation.model.relaxed[(*index, 0)])
    assert pair.left is not None
    assert pair.right is not None
    G, H = pyo.value(pair.left.expression), pyo.value(pair.right.expression)
    lambda_G = pair.left.multiplier(multipliers) * pair.left.unit
    lambda_H = pair.right.multiplier(multipliers) * pair.right.unit
    return _Pair(G, H, (lambda_G - delta * H, lambda_H - delta * G))


def _read_cone(
    formulation: SingleLevel, index: tuple[int, int], multipliers: _Multipliers
) -> _Pair:
    """Read the pair of a second-order cone, p = 2, along (1, z)."""
    model, unit, (e, _) = formulation.model, formulation.unit, index
    s = model.s[e].value
    u = np.array([model.u[e, c].value for c in model.features])
    z = np.array([model.z[e, c].value for c in model.features])
    delta = multipliers.row(model.relaxed[(*index, 0)])
    kappa, mu = multipliers.row(model.epigraph[e]), multipliers.row(model.dual_ball[e])
    H = 1.0 - float(z @ z)
    nu_G = unit * (multipliers.lower(model.s[e]) + 2 * kappa * (s - float(u @ z))) - delta * H
    # The box -1 <= z <= 1 holds z too, where the ball touches it.
    pushes = sum(
        (multipliers.upper(model.z[e, c]) - multipliers.lower(model.z[e, c])) * z[c]
        for c in model.features
    )
    square = max(float(z @ z), 1e-12)
    # H = 1 - ||z||^2 has the slope -2 z.
    nu_H = mu + (float(pushes) - delta * float(u @ z) / unit) / (2 * square)
    return _Pair(s / unit, H, (nu_G, nu_H))
