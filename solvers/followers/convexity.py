"""Refusal of followers that are proved to be not convex, unbounded or infeasible.

A follower is not convex if, at a point of the relative interior of its feasible set, its objective
has negative curvature along the linear equations; or if, at a point of its boundary, a constraint
has negative curvature along its tangent. The first test is exact for quadratic objectives;
otherwise it is made at sampled points, with Hessians from differences of gradients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import null_space

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.formulations.follower import FollowerProgram, FollowerRow
from bilad.models.validation import FloatArray
from bilad.solvers.followers.convex_program import ConvexProgram, convex_program
from bilad.solvers.followers.lower_problem import (
    LowerAnswer,
    LowerProblem,
    gradient,
    holding,
    value_of,
)

LARGEST = 60  # variables of a follower up to which Hessians are sampled
INSIDE = 1e-6  # slack of constraints at a point of the interior
ON = 1e-7  # slack of a constraint at a point of its boundary
STEP = 1e-5  # relative step of the differences
NEGATIVE = 1e-4  # relative; curvature below -1e-4 counts as negative
SHARES = (0.5, 0.1, 0.9)  # points between two known points of a follower
EXPECTED = "a convex program"


def refuse_unbounded(lower: LowerProblem) -> None:
    """Raise `ModelError` if the follower is proved unbounded at the current values of its model."""
    follower = lower.follower
    if lower.solve().status == "unbounded":
        given = f"{follower.objective.name!r}, unbounded at {_where(follower.parameters)}"
        raise follower.error(given, "an objective with a finite optimum")


def refuse_nonconvex(lower: LowerProblem) -> None:
    """Raise `ModelError` if the follower is proved not convex at its model's current values."""
    follower = lower.follower
    if not follower.variables:
        return
    answer = lower.solve()
    if answer.program is not None:
        _refuse_quadratic(follower, answer.program)
    elif answer.status == "optimal" and len(follower.variables) <= LARGEST:
        _refuse_sampled(follower, answer)


def refuse_infeasible(program: BilevelProgram) -> None:
    """Raise `ModelError` if a follower is infeasible for every value of the other variables."""
    for follower in program.followers:
        rows = {id(row.component): row.component for row in follower.rows if not row.is_bound}
        variables = [*follower.variables, *follower.parameters]
        alone = convex_program(variables, 0.0, rows.values())
        if alone is None or (alone.columns[0] > alone.columns[1]).any():
            continue  # crossed bounds leave no choice at all
        if alone.solve().status == "infeasible":
            names = ", ".join(repr(row.name) for row in list(rows.values())[:3])
            given = f"infeasible constraints, {names} among them"
            raise follower.error(given, "a feasible follower for some choice of the leader")


def _where(parameters: list[Any]) -> str:
    return (
        ", ".join(f"{v.name} = {round(v.value, 9) + 0.0:.6g}" for v in parameters[:4])
        or "every point"
    )


def _refuse_quadratic(follower: FollowerProgram, program: ConvexProgram) -> None:
    least = program.curvature_on_equations
    equal = program.rows[0] == program.rows[1]
    if least < 0 and _has_interior(program, equal):
        raise _not_convex(follower, f"{follower.objective.name!r}, whose curvature is {least:.3g}")


def _has_interior(program: ConvexProgram, equal: Any) -> bool:
    """Return whether a point satisfies all inequalities strictly."""
    n = program.A.shape[1]
    margin = sp.csr_array((~equal).astype(float)[:, None])
    A = sp.hstack([program.A, margin], format="csr")
    free = np.full(n, math.inf)
    widest = ConvexProgram(
        sp.csr_array((n + 1, n + 1)),
        np.r_[np.zeros(n), -1.0],
        0.0,
        A,
        program.rows,
        (np.r_[-free, 0.0], np.r_[free, 1.0]),
        np.zeros(n + 1, dtype=bool),
    )
    found = widest.solve()
    return found.status == "optimal" and -found.value > INSIDE


def _refuse_sampled(follower: FollowerProgram, answer: LowerAnswer) -> None:
    equations = [row for row in follower.rows if row.side == "equal"]
    limits = [row for row in follower.rows if row.side != "equal"]
    for y in _samples(follower, answer.y):
        with holding(follower.variables, y):
            if any(abs(value_of(row.body)) > INSIDE for row in equations):
                continue
            slack = [-value_of(row.body) for row in limits]
            if not min(slack, default=0.0) >= -ON:
                continue
            tangent = _tangent(follower, equations)
            if min(slack, default=1.0) > INSIDE:
                least = _least_curvature(_hessian(follower, follower.cost), tangent)
                if least < 0:
                    name = follower.objective.name
                    raise _not_convex(follower, f"{name!r}, with curvature {least:.3g}")
            for row, distance in zip(limits, slack, strict=True):
                if distance <= ON and not row.is_bound:
                    _refuse_row(follower, row, [*equations, row])


def _refuse_row(follower: FollowerProgram, row: FollowerRow, active: list[FollowerRow]) -> None:
    tangent = _tangent(follower, active)
    least = _least_curvature(_hessian(follower, row.body), tangent)
    if least < 0 and np.abs(gradient(row.body, follower.variables)).max(initial=0.0) > INSIDE:
        name = row.component.name
        raise _not_convex(follower, f"the constraint {name!r}, with curvature {least:.3g}")


def _samples(follower: FollowerProgram, solution: FloatArray) -> Iterator[FloatArray]:
    yield solution
    given = np.array([math.nan if v.value is None else v.value for v in follower.variables])
    if np.isfinite(given).all():
        yield given
        for share in SHARES:
            yield share * given + (1 - share) * solution


def _hessian(follower: FollowerProgram, expression: Any) -> FloatArray:
    variables = follower.variables
    y = np.array([v.value for v in variables], dtype=float)
    columns = []
    for k in range(len(y)):
        step = STEP * (1 + abs(y[k]))
        ends = []
        for sign in (1, -1):
            moved = y.copy()
            moved[k] += sign * step
            with holding(variables, moved):
                ends.append(gradient(expression, variables))
        columns.append((ends[0] - ends[1]) / (2 * step))
    found = np.column_stack(columns)
    symmetric: FloatArray = (found + found.T) / 2
    return symmetric


def _tangent(follower: FollowerProgram, rows: list[FollowerRow]) -> FloatArray:
    slopes = [gradient(row.body, follower.variables) for row in rows]
    return _null_space(np.array(slopes).reshape(-1, len(follower.variables)))


def _null_space(A: FloatArray) -> FloatArray:
    found: FloatArray = null_space(A) if len(A) else np.eye(A.shape[1])
    return found


def _least_curvature(hessian: FloatArray, tangent: FloatArray) -> float:
    """Return the smallest eigenvalue on a subspace; 0 unless it is clearly negative."""
    if tangent.shape[1] == 0 or not np.isfinite(hessian).all():
        return 0.0
    least = float(np.linalg.eigvalsh(tangent.T @ hessian @ tangent)[0])
    return least if least < -NEGATIVE * (1 + np.abs(hessian).max()) else 0.0


def _not_convex(follower: FollowerProgram, what: str) -> Any:
    return follower.error(f"{what} at {_where(follower.parameters)}", EXPECTED)
