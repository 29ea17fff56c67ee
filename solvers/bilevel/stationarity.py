"""Stationarity of an attack as a point of the MPCC: S, M, C or W, by Scholtes' relaxation.

With nu_G = lambda_G - delta H and nu_H = lambda_H - delta G, where delta is the multiplier of
G H <= t, a pair is biactive if G and H are both of the order of sqrt(t), and the point is

    S-stationary  if nu_G >= 0 and nu_H >= 0            on every biactive pair,
    M-stationary  if this holds or nu_G nu_H = 0        on every biactive pair,
    C-stationary  if nu_G nu_H >= 0                     on every biactive pair,
    W-stationary  otherwise.

This is stationarity for the smoothed deviation. It does not imply optimality, and nothing follows
for the true deviation, which is piecewise constant.

References
----------
Scheel and Scholtes, Math. Oper. Res. 25 (2000). For p = 2, the complementarity is that of
the second-order cone (Ding, Sun and Ye, Math. Program. 147, 2014): nu_G and nu_H are the components
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
from bilad.models.problem import BilevelProblem
from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, FloatArray, real_number, seconds_limit
from bilad.solvers.bilevel.ipopt_options import MUMPS, try_engine
from bilad.solvers.bilevel.result import Attack
from bilad.solvers.bilevel.scaling import Scaling
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.nlp import IpoptSession, NlpResult
from bilad.solvers.termination import (
    CONVERGED,
    TIME_LIMIT,
    BudgetSpentError,
    termination_of,
)

TIGHTENING = (1e-2, 1e-4, 1e-6, 1e-8)
IPOPT_OPTIONS = {**MUMPS, "tol": 1e-8, "max_iter": 300, "mu_init": 1e-4, "bound_push": 1e-8}
OPENING = 4.0  # largest ratio of the times to open a model in IPOPT and to build it
BIACTIVE = 10.0  # a pair is biactive if both sides are at most this number times sqrt(t)
ZERO = 1e-5  # relative size below which a multiplier counts as zero


@dataclass(frozen=True, repr=False)
class Stationarity(Represented):
    """The stationarity at the end of a continuation with small relaxation parameters.

    Attributes
    ----------
    kind : str
        "S", "M", "C" or "W"; "none" if IPOPT did not converge.
    eps : ndarray, shape (k,)
        The end of the continuation in the problem's units, which is near the attack.
    biactive : tuple of (int, int)
        The keys of the biactive pairs in `Conditions.pairs`; for convex clustering, a key consists
        of an edge and a number.
    multipliers : dict of (int, int) to (float, float)
        nu_G and nu_H of every pair, for the minimisation of the objective.
    violation : float
        The largest product G H; NaN if no stage was solved.
    relaxation, width : float
        Parameters of the last stage.
    engine_status : str
        Status of IPOPT at the last stage that was solved; "none" without one.
    termination : str
        The reason why the continuation ended, as in `Attack`; unless it is "converged", the kind is
        "none".
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
    """Decrease the relaxation of the KKT reformulation from an attack, and classify the last point.

    Parameters
    ----------
    found : Attack
        The result of any method.
    width : float, default 0.1
        Width of the smooth deviation, > 0, in units of the typical distance between points.
    time_limit : float, optional
        Seconds, as in `attack`.

    Returns
    -------
    Stationarity
        Whenever the arguments are accepted.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or the attack ended before the lower level was solved at 0.
    UnsupportedError
        If the reformulation cannot be applied to the problem.
    EngineError
        If IPOPT cannot be started.
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
    continuation = _Continuation(found, width, time.perf_counter() + seconds)
    return continuation.report(termination_of(continuation.run, seconds))


class _Continuation:
    """The continuation from an attack, and the last stage that was solved."""

    def __init__(self, found: Attack, width: float, deadline: float) -> None:
        self._found, self._width, self._deadline = found, width, deadline
        self._scaling = Scaling.of(found.problem)
        self._solved: tuple[SingleLevel, NlpResult] | None = None

    def run(self) -> None:
        """Solve one stage after another.

        Raises
        ------
        BudgetSpentError
            If the deadline is reached.
        """
        scaling, found, began = self._scaling, self._found, time.perf_counter()
        baseline = scaling.scale_solution(found.baseline)
        formulation = KKT(scaling.problem, baseline, kernel="rational", relaxation="scholtes")
        formulation.start_from(scaling.scale_eps(found.eps), scaling.scale_solution(found.solution))
        self._left(OPENING * (time.perf_counter() - began))
        session = IpoptSession(formulation.model, IPOPT_OPTIONS)
        for relaxation in TIGHTENING:
            formulation.set_stage(ScheduleStage(relaxation, self._width))
            left = self._left()
            result = session.solve(time_limit=left if np.isfinite(left) else None)
            self._solved = formulation, result

    def _left(self, needed: float = 0.0) -> float:
        """Return the seconds left; raise `BudgetSpentError` if they are not more than needed."""
        left = self._deadline - time.perf_counter()
        if left <= needed:
            raise BudgetSpentError(TIME_LIMIT)
        return left

    def report(self, termination: str) -> Stationarity:
        """Classify the last stage that was solved."""
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
        Size of the largest multiplier; relative to it, small multipliers count as zero.
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
    """Nonnegative multipliers of constraints and bounds, for the minimisation of the objective."""

    def __init__(self, problem: BilevelProblem, result: NlpResult) -> None:
        self._sense = 1.0 if problem.sense == "min" else -1.0
        self._result = result

    def row(self, constraint: Any) -> float:
        """Return the multiplier of an inequality with one limit, lower or upper."""
        return abs(self._result.duals[constraint])

    def lower(self, variable: Any) -> float:
        return max(self._sense * self._result.reduced_costs[variable], 0.0)

    def upper(self, variable: Any) -> float:
        return max(-self._sense * self._result.reduced_costs[variable], 0.0)


def _read_sides(
    formulation: SingleLevel, index: tuple[int, int], multipliers: _Multipliers
) -> _Pair:
    """Read an ordinary complementarity pair."""
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
    """Read the pair of a second-order cone (p = 2), along (1, z)."""
    model, unit, (e, _) = formulation.model, formulation.unit, index
    s = model.s[e].value
    u = np.array([model.u[e, c].value for c in model.features])
    z = np.array([model.z[e, c].value for c in model.features])
    delta = multipliers.row(model.relaxed[(*index, 0)])
    kappa, mu = multipliers.row(model.epigraph[e]), multipliers.row(model.dual_ball[e])
    H = 1.0 - float(z @ z)
    nu_G = unit * (multipliers.lower(model.s[e]) + 2 * kappa * (s - float(u @ z))) - delta * H
    # The bounds -1 <= z <= 1 can be active too, at the points where they touch the ball.
    pushes = sum(
        (multipliers.upper(model.z[e, c]) - multipliers.lower(model.z[e, c])) * z[c]
        for c in model.features
    )
    square = max(float(z @ z), 1e-12)
    # The gradient of H = 1 - ||z||^2 is -2 z.
    nu_H = mu + (float(pushes) - delta * float(u @ z) / unit) / (2 * square)
    return _Pair(s / unit, H, (nu_G, nu_H))
