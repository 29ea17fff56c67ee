"""Linear and convex quadratic programs in matrix form, solved by HiGHS and Clarabel.

min 1/2 z'Pz + c'z + d   s.t.   l <= A z <= u,   zl <= z <= zu,   z_i integer for i in I
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import clarabel
import highspy
import numpy as np
import scipy.sparse as sp
from pyomo.common.collections import ComponentMap
from pyomo.common.tee import capture_output
from pyomo.repn import generate_standard_repn
from scipy.linalg import null_space
from scipy.sparse.linalg import splu

from bilad.models.validation import FloatArray

TOLERANCE = 1e-9
INFINITE = 1e20  # a limit of this size is none, as for HiGHS
CURVATURE = 1e-9  # relative; eigenvalues of this size count as 0
REGULARISED, REFINEMENTS = 1e-8, 5  # shift of the KKT matrix, and steps of iterative refinement
DENSE = 2000  # variables of a quadratic form up to which all its eigenvalues are computed
HIGHS_OPTIONS = {
    "threads": 1,
    "primal_feasibility_tolerance": TOLERANCE,
    "dual_feasibility_tolerance": TOLERANCE,
    "mip_feasibility_tolerance": TOLERANCE,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 1e-9,
}


@dataclass(frozen=True)
class ConvexAnswer:
    """The result of one solve.

    Attributes
    ----------
    status : {"optimal", "infeasible", "unbounded", "time limit", "unknown"}
        The second and third are proved by HiGHS, the feasibility of a quadratic program as well.
    value : float
        The optimal value; inf or -inf if infeasible or unbounded; otherwise NaN.
    bound : float
        A lower bound on the optimal value; -inf without one.
    z : ndarray, shape (n,)
        Empty unless the status is "optimal", or a limit left a feasible point.
    row_duals : ndarray, shape (m,)
        The derivative of the value with respect to the active side of each row. Empty for integer
        programs.
    """

    status: str
    value: float
    bound: float
    z: FloatArray
    row_duals: FloatArray


@dataclass(frozen=True, eq=False)
class ConvexProgram:
    """A linear or convex quadratic program; see the top of this file for the symbols.

    Attributes
    ----------
    P : sparse array, shape (n, n)
        Symmetric.
    c : ndarray, shape (n,)
    d : float
    A : sparse array, shape (m, n)
    rows : tuple of ndarray, shape (m,)
        l and u, perhaps infinite.
    columns : tuple of ndarray, shape (n,)
        zl and zu, perhaps infinite.
    integer : ndarray of bool, shape (n,)
    """

    P: Any
    c: FloatArray
    d: float
    A: Any
    rows: tuple[FloatArray, FloatArray]
    columns: tuple[FloatArray, FloatArray]
    integer: Any

    @property
    def is_linear(self) -> bool:
        """Whether the objective is linear."""
        return bool(self.P.nnz == 0)

    @property
    def is_convex(self) -> bool:
        """Whether the objective is convex."""
        return least_curvature(self.P) >= 0.0

    @property
    def curvature_on_equations(self) -> float:
        """The smallest curvature of the objective along the equations; 0 unless it is negative."""
        if self.is_convex:
            return 0.0
        equations = self.A[np.flatnonzero(self.rows[0] == self.rows[1])].toarray()
        tangent = null_space(equations) if len(equations) else np.eye(len(self.c))
        return min(0.0, least_curvature(sp.csr_array(tangent.T @ self.P @ tangent)))

    def solve(
        self,
        columns: tuple[FloatArray, FloatArray] | None = None,
        time_limit: float = math.inf,
    ) -> ConvexAnswer:
        """Solve the program, or the same one with other bounds of the variables.

        Integrality is taken into account if the objective is linear.
        """
        low, high = self.columns if columns is None else columns
        if (low > high).any():
            return _without_point("infeasible")
        if self.is_linear:
            return self._highs.solve(low, high, time_limit)
        found = _solve_by_clarabel(self, low, high, time_limit)
        if found.status not in {"infeasible", "unbounded"}:
            return found
        # Clarabel's certificates are approximate, and a ray does not say that there is a feasible
        # point; the simplex method decides.
        feasible = self._constraints_alone.solve(low, high, time_limit).status
        if feasible == "infeasible":
            return _without_point("infeasible")
        if feasible == "optimal" and found.status == "unbounded" and self._has_ray(low, high):
            return _without_point("unbounded")
        return _without_point("time limit" if feasible == "time limit" else "unknown")

    def _has_ray(self, low: FloatArray, high: FloatArray) -> bool:
        """Return whether c descends along a recession direction of the constraints with P d = 0."""
        n, largest = len(self.c), abs(self.P).max(axis=1).toarray().ravel()
        unit = sp.diags_array(1 / np.where(largest > 0, largest, 1.0))
        below, above = (
            np.where(abs(limits) < INFINITE, 0.0, limits)
            for limits in (np.r_[self.rows[0], np.zeros(n)], np.r_[self.rows[1], np.zeros(n)])
        )
        directions = ConvexProgram(
            sp.csr_array((n, n)),
            self.c,
            0.0,
            sp.vstack([self.A, unit @ self.P], format="csr"),
            (below, above),
            (np.where(low > -INFINITE, 0.0, -1.0), np.where(high < INFINITE, 0.0, 1.0)),
            np.zeros(n, dtype=bool),
        )
        found = directions.solve()
        slope = CURVATURE * float(np.abs(self.c).max(initial=0.0))
        return found.status == "optimal" and found.value < -slope

    @functools.cached_property
    def _highs(self) -> _Highs:
        return _Highs(self)

    @functools.cached_property
    def _constraints_alone(self) -> _Highs:
        n = len(self.c)
        return _Highs(self.with_objective(sp.csr_array((n, n)), np.zeros(n), 0.0))

    def with_objective(self, P: Any, c: FloatArray, d: float) -> ConvexProgram:
        """Return the program with another objective."""
        return replace(self, P=P, c=c, d=d)

    def with_rows(self, A: Any, low: FloatArray, high: FloatArray) -> ConvexProgram:
        """Return the program with more rows."""
        limits = np.concatenate([self.rows[0], low]), np.concatenate([self.rows[1], high])
        return replace(self, A=sp.vstack([self.A, A], format="csr"), rows=limits)


def least_curvature(P: Any) -> float:
    """Return the smallest eigenvalue of a symmetric matrix, or 0 if it is negligible."""
    used = np.unique(P.tocoo().row)
    if used.size == 0:
        return 0.0
    inner = P.tocsr()[used][:, used]
    largest = float(abs(inner).sum(axis=1).max())
    if used.size <= DENSE:
        least = float(np.linalg.eigvalsh(inner.toarray())[0])
    else:
        shifted = sp.eye_array(used.size) * largest - inner
        least = largest - float(sp.linalg.eigsh(shifted, 1, return_eigenvectors=False)[0])
    return 0.0 if abs(least) <= CURVATURE * largest else least


def linear_rows(variables: Sequence[Any], bodies: Iterable[Any]) -> tuple[Any, FloatArray] | None:
    """Return A and b with bodies = A z + b for the variables z, or None if one is not linear."""
    place = ComponentMap((v, k) for k, v in enumerate(variables))
    data: list[float] = []
    row: list[int] = []
    column: list[int] = []
    constants = []
    for number, body in enumerate(bodies):
        written = generate_standard_repn(body, compute_values=True, quadratic=False)
        if not written.is_linear() or not all(v in place for v in written.linear_vars):
            return None
        constants.append(float(written.constant))
        data += map(float, written.linear_coefs)
        row += [number] * len(written.linear_vars)
        column += [place[v] for v in written.linear_vars]
    A = sp.csr_array((data, (row, column)), shape=(len(constants), len(variables)))
    b = np.array(constants, dtype=float)
    return (A, b) if np.isfinite(b).all() and np.isfinite(A.data).all() else None


def quadratic_function(variables: Sequence[Any], body: Any) -> tuple[Any, FloatArray, float] | None:
    """Return P, c, d with body = 1/2 z'Pz + c'z + d, or None if it is not quadratic."""
    place = ComponentMap((v, k) for k, v in enumerate(variables))
    written = generate_standard_repn(body, compute_values=True, quadratic=True)
    pairs = list(written.quadratic_vars or ())
    seen = [*written.linear_vars, *(v for pair in pairs for v in pair)]
    if written.nonlinear_expr is not None or not all(v in place for v in seen):
        return None
    n = len(variables)
    c = np.zeros(n)
    for v, coefficient in zip(written.linear_vars, written.linear_coefs, strict=True):
        c[place[v]] += coefficient
    ends = np.array([[place[v] for v in pair] for pair in pairs], dtype=int).reshape(-1, 2)
    entries = np.array([float(value) for value in written.quadratic_coefs or ()], dtype=float)
    half = sp.csr_array((entries, (ends[:, 0], ends[:, 1])), shape=(n, n))
    P = sp.csr_array(half + half.T)
    P.eliminate_zeros()
    finite = np.isfinite(c).all() and np.isfinite(P.data).all()
    return (P, c, float(written.constant)) if finite else None


def convex_program(
    variables: Sequence[Any], objective: Any, constraints: Iterable[Any]
) -> ConvexProgram | None:
    """Read a program in the given variables from Pyomo, within their bounds.

    Parameters
    ----------
    variables : sequence of Pyomo variable data
        Other variables must be fixed.
    objective : Pyomo expression
        It is minimised.
    constraints : iterable of Pyomo constraint data

    Returns
    -------
    ConvexProgram or None
        None if a constraint is not linear, or the objective is not linear or convex quadratic.
    """
    goal = quadratic_function(variables, objective)
    listed = list(constraints)
    linear = linear_rows(variables, [row.body for row in listed])
    if goal is None or linear is None:
        return None
    A, b = linear
    low, high = _limits(listed)
    integer = np.array([not v.is_continuous() for v in variables], dtype=bool)
    program = ConvexProgram(*goal, A, (low - b, high - b), _limits(variables), integer)
    return program if program.is_convex else None


def _limits(components: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    low = [-math.inf if c.lb is None else c.lb for c in components]
    high = [math.inf if c.ub is None else c.ub for c in components]
    return np.array(low, dtype=float), np.array(high, dtype=float)


def _without_point(
    status: str, z: FloatArray | None = None, bound: float = -math.inf
) -> ConvexAnswer:
    value = {"infeasible": math.inf, "unbounded": -math.inf}.get(status, math.nan)
    nothing = np.zeros(0)
    least = math.inf if status == "infeasible" else bound
    return ConvexAnswer(status, value, least, nothing if z is None else z, nothing)


class _Highs:
    """A linear program that stays open in HiGHS while the bounds of its variables change."""

    def __init__(self, program: ConvexProgram) -> None:
        _print_banner()
        self._program, self._engine = program, _new_highs()
        self._engine.silent()
        for name, value in HIGHS_OPTIONS.items():
            self._engine.setOptionValue(name, value)
        model, A = highspy.HighsLp(), sp.csc_array(program.A)
        model.num_row_, model.num_col_ = A.shape
        model.col_cost_, model.offset_ = program.c, program.d
        model.col_lower_, model.col_upper_ = program.columns
        model.row_lower_, model.row_upper_ = program.rows
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_ = A.indptr, A.indices
        model.a_matrix_.value_ = A.data
        if program.integer.any():
            kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
            model.integrality_ = [kinds[int(flag)] for flag in program.integer]
        self._is_accepted = self._engine.passModel(model) != highspy.HighsStatus.kError
        self._indices = np.arange(A.shape[1], dtype=np.int32)

    def solve(self, low: FloatArray, high: FloatArray, time_limit: float) -> ConvexAnswer:
        """Solve within the given bounds of the variables."""
        engine = self._engine
        if not self._is_accepted:  # for example, the right-hand side of an equation is 1e20
            return _without_point("unknown")
        engine.changeColsBounds(len(self._indices), self._indices, low, high)
        status = self._run(time_limit)
        if status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            engine.setOptionValue("presolve", "off")
            status = self._run(time_limit)
            engine.setOptionValue("presolve", "choose")
        return self._answer(status)

    def _run(self, time_limit: float) -> Any:
        engine = self._engine
        if math.isfinite(time_limit):
            engine.setOptionValue("time_limit", engine.getRunTime() + max(time_limit, 1e-3))
        engine.run()
        return engine.getModelStatus()

    def _answer(self, status: Any) -> ConvexAnswer:
        known, program = highspy.HighsModelStatus, self._program
        if status in {known.kInfeasible, known.kUnbounded}:
            return _without_point("infeasible" if status == known.kInfeasible else "unbounded")
        info, is_mixed = self._engine.getInfo(), program.integer.any()
        solution = self._engine.getSolution()
        z = np.array(solution.col_value)
        if status in {known.kOptimal, known.kModelEmpty}:
            value = float(program.c @ z + program.d)
            bound = float(info.mip_dual_bound) if is_mixed else value
            duals = np.zeros(0) if is_mixed else np.array(solution.row_dual)
            return ConvexAnswer("optimal", value, bound, z, duals)
        has_point = is_mixed and info.primal_solution_status == 2
        bound = float(info.mip_dual_bound) if is_mixed else -math.inf
        late = status == known.kTimeLimit
        return _without_point("time limit" if late else "unknown", z if has_point else None, bound)


def _new_highs() -> Any:
    make: Callable[[], Any] = highspy.Highs
    return make()


@functools.cache
def _print_banner() -> None:
    """Let HiGHS print its banner, which it does once in a process, to nowhere."""
    with capture_output(capture_fd=True):
        _new_highs()


def _solve_by_clarabel(
    program: ConvexProgram, low: FloatArray, high: FloatArray, time_limit: float
) -> ConvexAnswer:
    n, m = len(low), program.A.shape[0]
    stacked = sp.vstack([program.A, sp.eye_array(n)], format="csr")
    least, most = np.r_[program.rows[0], low], np.r_[program.rows[1], high]
    least, most = (
        np.where(least <= -INFINITE, -np.inf, least),
        np.where(most >= INFINITE, np.inf, most),
    )
    equal = np.flatnonzero(least == most)
    below = np.flatnonzero((least < most) & np.isfinite(most))
    above = np.flatnonzero((least < most) & np.isfinite(least))
    A = sp.vstack([stacked[equal], stacked[below], -stacked[above]], format="csc")
    b = np.r_[most[equal], most[below], -least[above]]
    cones = [
        clarabel.ZeroConeT(len(equal)),
        clarabel.NonnegativeConeT(len(below) + len(above)),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = TOLERANCE / 10
    if math.isfinite(time_limit):
        settings.time_limit = max(time_limit, 1e-3)
    P = sp.csc_matrix(sp.triu(program.P))
    found = clarabel.DefaultSolver(P, program.c, sp.csc_matrix(A), b, cones, settings).solve()
    status = str(found.status)
    if status in {"PrimalInfeasible", "DualInfeasible"}:
        return _without_point("infeasible" if status == "PrimalInfeasible" else "unbounded")
    if status not in {"Solved", "AlmostSolved"}:
        return _without_point("time limit" if status == "MaxTime" else "unknown")
    x, z = _polished(program, A, b, len(equal), np.array(found.x), np.array(found.z))
    duals = np.zeros(m + n)
    duals[equal] -= z[: len(equal)]
    duals[below] -= z[len(equal) : len(equal) + len(below)]
    duals[above] += z[len(equal) + len(below) :]
    curvature = 0.5 * float(x @ (program.P @ x))
    value = curvature + float(program.c @ x) + program.d
    dual_value = -curvature - float(b @ z) + program.d
    bound = min(value, dual_value) if status == "Solved" else -math.inf
    return ConvexAnswer("optimal", value, bound, x, duals[:m])


def _polished(
    program: ConvexProgram, A: Any, b: FloatArray, equalities: int, x: FloatArray, z: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve the KKT equations of the active constraints A x = b, and return x and multipliers.

    The error of an interior point is of the order of the square root of its duality gap. The point
    remains as it is if the equations have no solution that is primal and dual feasible.
    """
    n = len(x)
    active = np.flatnonzero((np.arange(len(z)) < equalities) | (z > b - A @ x))
    kept = A.tocsr()[active]
    system = sp.block_array([[program.P, kept.T], [kept, None]], format="csc")
    size = len(active)
    shift = sp.diags_array(REGULARISED * np.r_[np.ones(n), -np.ones(size)])
    solution = np.r_[x, z[active]]
    right = np.r_[-program.c, b[active]]
    try:
        factor = splu(sp.csc_array(system + shift))
    except RuntimeError:  # the matrix is singular in spite of the shift
        return x, z
    for _ in range(REFINEMENTS):
        solution = solution + factor.solve(right - system @ solution)
    polished, multipliers = solution[:n], np.zeros(len(z))
    multipliers[active] = solution[n:]
    scale = TOLERANCE * (1 + np.abs(solution).max(initial=0.0))
    residual = np.abs(right - system @ solution).max(initial=0.0)
    worst = max((A @ polished - b).max(initial=0.0), (-multipliers[equalities:]).max(initial=0.0))
    is_better = np.isfinite(solution).all() and max(worst, residual) <= scale
    return (polished, multipliers) if is_better else (x, z)
