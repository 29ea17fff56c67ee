"""Verification of a point of a bilevel model: the followers are solved again on their own.

For a point (x, y), v is the optimal value of the follower at x. The follower's gap is
(f(x, y) - v) / (1 + |v|), f minimised. If the follower's solutions form a face of a polyhedron (LP
or convex QP), the leader's objective is optimised over this face, for the optimistic and for the
pessimistic value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.core.expr import identify_variables

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.models.validation import FloatArray
from bilad.solvers.followers.convex_program import (
    ConvexProgram,
    linear_rows,
    quadratic_function,
)
from bilad.solvers.followers.lower_problem import (
    LowerAnswer,
    LowerProblem,
    fixed,
    gradient,
    holding,
    lagrangian,
    set_values,
    value_of,
)

GAP_TOL = 1e-6  # largest gap of a follower in a verified point
VIOLATION_TOL = 1e-5  # largest unscaled violation of a constraint in a verified point
SAME = 1e-7  # relative; a claimed point has to be so much better than an exact selection
WIDTH = 1e-6  # relative; a face of solutions of a smaller width is one point
TIGHT = 1e-8  # gap up to which a point counts as exact when points are compared
DOUBT = 1e-2  # relative; a point with a larger gap has to be so much better than an exact one


@dataclass(frozen=True)
class Verification:
    """A point of a bilevel model, and what its recomputation gives.

    Attributes
    ----------
    values : ndarray
        The point: the values of all variables of the model, NaN for variables without a value.
    objective : float
        The leader's objective at the point.
    lower_gap : float
        The largest gap of a follower; inf if a follower could not be solved.
    violation : float
        The largest violation of a constraint or bound of any level, in its own unit. If the leader
        uses multipliers, also the residual of the KKT conditions.
    own_selection : float or None
        The leader's objective at the solution that the follower's own solver returned; None if
        this violates a constraint of the leader, or followers depend on each other.
    pessimistic : float or None
        The leader's worst objective over the follower's solutions, infinite if some of them
        violate a constraint of the leader; None if it is not known.
    lower_status : str
        "optimal", or why a follower could not be solved.
    """

    values: FloatArray
    objective: float
    lower_gap: float
    violation: float
    own_selection: float | None = None
    pessimistic: float | None = None
    lower_status: str = "optimal"

    @property
    def confirmed(self) -> bool:
        """Whether the point is feasible for the bilevel model within the tolerances."""
        return self.lower_gap <= GAP_TOL and self.violation <= VIOLATION_TOL

    def rank(self, sign: int) -> tuple[bool, float]:
        """Return the key by which points are compared; the best point has the smallest one.

        A follower's gap of tau can improve the leader's objective by the order of sqrt(tau).

        Parameters
        ----------
        sign : int
            1 if the leader minimises, -1 otherwise.
        """
        if not self.confirmed:
            worst = max(self.lower_gap, self.violation)
            return True, math.inf if math.isnan(worst) else worst
        doubt = 0.0 if self.lower_gap <= TIGHT else DOUBT * (1 + abs(self.objective))
        return False, sign * self.objective + doubt


class Verifier:
    """Recomputes points of a bilevel model.

    Parameters
    ----------
    program : BilevelProgram
        Of a clone of the user's model, since values change.
    """

    def __init__(self, program: BilevelProgram) -> None:
        self.program = program
        self.lower_problems = [
            LowerProblem(follower, program.model) for follower in program.followers
        ]
        self._owned = [v for follower in program.followers for v in follower.variables]
        self._rows = program.constraints
        bodies = [row.body for row in self._rows] + [program.objective.expr]
        bodies += [follower.cost for follower in program.followers]
        used = {id(v) for body in bodies for v in identify_variables(body)}
        self._used = [v for v in program.variables if id(v) in used]
        owned = {id(v) for v in self._owned}
        self._bounds = self._bounds_of_leader()
        self._others = [v for v in self._used if id(v) not in owned]

    def verify(
        self, values: FloatArray, multipliers: list[FloatArray] | None = None
    ) -> Verification:
        """Recompute a point, and return the point to report in its place.

        This is the best of the point itself and the followers' solutions at the same x: that of
        their own solvers, and the one that the leader prefers.

        Parameters
        ----------
        values : ndarray
            Of all variables of the program, NaN where there is no value.
        multipliers : list of ndarray, optional
            The multipliers of each follower's rows, if the leader uses some.
        """
        program = self.program
        set_values(program.variables, values)
        self._round_leader()
        answers = self.lower_answers()
        bad = [answer.status for answer in answers if answer.status != "optimal"]
        if bad:
            return replace(self._report(math.inf), lower_status=bad[0])
        claimed = self._measured(answers, multipliers)
        if program.is_game or program.multipliers:
            return claimed
        own = np.concatenate([answer.y for answer in answers])
        with holding(self._owned, own):
            own_point = self._measured(answers)
        points = [own_point]
        is_possible = own_point.violation <= VIOLATION_TOL
        pessimistic: float | None
        pessimistic = own_point.objective if is_possible else program.sign * math.inf
        if not all(answer.is_unique for answer in answers):
            best, pessimistic = self._selections(answers, own_point)
            if best is not None:
                with holding(self._owned, best):
                    points.append(self._measured(answers))
            points.append(claimed)
        elif not own_point.confirmed:
            points.append(claimed)
        return replace(
            self._best(points),
            own_selection=own_point.objective if is_possible else None,
            pessimistic=pessimistic,
        )

    def _best(self, points: list[Verification]) -> Verification:
        """Return the first point, unless a later one is clearly better."""
        best, sign = points[0], self.program.sign
        for point in points[1:]:
            (fails, value), (was_failing, known) = point.rank(sign), best.rank(sign)
            margin = 0.0 if was_failing else SAME * (1 + abs(best.objective))
            if fails < was_failing or (fails == was_failing and value < known - margin):
                best = point
        return best

    def lower_answers(self) -> list[LowerAnswer]:
        """Solve all followers at the current values of the program."""
        return [lower.solve() for lower in self.lower_problems]

    def slopes(self, answers: list[LowerAnswer]) -> list[FloatArray]:
        """Return the derivatives of each follower's value at the current values."""
        return [
            lower.slopes(answer) for lower, answer in zip(self.lower_problems, answers, strict=True)
        ]

    def _round_leader(self) -> None:
        """Move the leader's variables into their bounds, and integer ones to whole numbers."""
        for v, (low, high) in zip(self.program.leader, self._bounds, strict=True):
            if v.value is not None:
                value = v.value if v.is_continuous() else round(v.value)
                v.set_value(min(max(value, low), high), skip_validation=True)

    def _bounds_of_leader(self) -> list[tuple[float, float]]:
        """Return the bounds of the leader's variables, also those written as constraints."""
        bounds = {
            id(v): [-math.inf if v.lb is None else v.lb, math.inf if v.ub is None else v.ub]
            for v in self.program.leader
        }
        for row in self._rows:
            inside = list(identify_variables(row.body, include_fixed=False))
            linear = linear_rows(inside, [row.body]) if len(inside) == 1 else None
            if linear is None or id(inside[0]) not in bounds or linear[0].nnz == 0:
                continue
            (a,), (b,) = linear[0].data, linear[1]
            low, high = (
                math.nan if limit is None else (limit - b) / a for limit in (row.lb, row.ub)
            )
            low, high = (low, high) if a > 0 else (high, low)
            bound = bounds[id(inside[0])]
            bound[0] = float(np.fmax(bound[0], low))
            bound[1] = float(np.fmin(bound[1], high))
        return [(low, high) for low, high in bounds.values()]

    def _measured(
        self, answers: list[LowerAnswer], multipliers: list[FloatArray] | None = None
    ) -> Verification:
        gaps = [
            (value_of(lower.follower.cost) - answer.value) / (1 + abs(answer.value))
            for lower, answer in zip(self.lower_problems, answers, strict=True)
        ]
        point = self._report(max(gaps) if np.isfinite(gaps).all() else math.inf)
        if not self.program.multipliers:
            return point
        residual = math.inf if multipliers is None else self._residual(multipliers)
        return replace(point, violation=max(point.violation, residual))

    def _report(self, gap: float) -> Verification:
        values = [math.nan if v.value is None else float(v.value) for v in self.program.variables]
        return Verification(
            np.array(values), value_of(self.program.objective.expr), gap, self.violation()
        )

    def violation(self) -> float:
        """Return the largest unscaled violation of a constraint or bound at the current values."""
        worst = 0.0
        for component in [*self._rows, *self._used]:
            is_row = component.ctype is pyo.Constraint
            value = value_of(component.body if is_row else component)
            if math.isnan(value):
                return math.inf
            low, high = component.lb, component.ub
            worst = max(worst, 0.0 if low is None else low - value)
            worst = max(worst, 0.0 if high is None else value - high)
            if not is_row and not component.is_continuous():
                worst = max(worst, abs(value - round(value)))
        return worst

    def _residual(self, multipliers: list[FloatArray]) -> float:
        """Return the violation of the KKT conditions at the current values."""
        worst = 0.0
        for lower, mu in zip(self.lower_problems, multipliers, strict=True):
            follower = lower.follower
            slope = gradient(lagrangian(follower, mu), follower.variables)
            worst = max(worst, float(np.abs(slope).max(initial=0.0)))
            for row, value in zip(follower.rows, mu, strict=True):
                if row.side != "equal":
                    worst = max(worst, -value, abs(value * value_of(row.body)))
        return worst

    def _selections(
        self, answers: list[LowerAnswer], own: Verification
    ) -> tuple[FloatArray | None, float | None]:
        """Return the optimistic solution of the followers, and the pessimistic value."""
        face, sign = self._face(answers), self.program.sign
        if face is None:
            return None, None
        if self._is_point(face):
            return None, own.objective if own.violation <= VIOLATION_TOL else sign * math.inf
        with fixed(self._others):
            goal = quadratic_function(self._owned, sign * self.program.objective.expr)
        coupling = self._coupling_rows()
        if goal is None or coupling is None:
            return None, None
        P, c, d = goal
        best, worst = face.with_objective(P, c, d), face.with_objective(-P, -c, -d)
        found = best.with_rows(*coupling).solve() if best.is_convex else None
        optimistic = found.z if found is not None and found.status == "optimal" else None
        if not worst.is_convex:
            return optimistic, None
        limits = zip(*coupling, strict=True)
        is_safe = all(self._limit_holds(face, row, low, high) for row, low, high in limits)
        value = worst.solve().value if is_safe else -math.inf
        return optimistic, None if math.isnan(value) else -sign * value

    def _face(self, answers: list[LowerAnswer]) -> ConvexProgram | None:
        """Return the followers' solutions at the current x; None if they are no polyhedron."""
        if any(answer.program is None for answer in answers):
            return None
        parts, lows, highs = zip(*(answer.face() for answer in answers), strict=True)
        A = sp.csr_array(sp.block_diag(parts))
        n = len(self._owned)
        free, limits = np.full(n, math.inf), (np.concatenate(lows), np.concatenate(highs))
        nothing, integer = sp.csr_array((n, n)), np.zeros(n, dtype=bool)
        return ConvexProgram(nothing, np.zeros(n), 0.0, A, limits, (-free, free), integer)

    def _is_point(self, face: ConvexProgram) -> bool:
        """Return whether the face has no width in an arbitrary direction."""
        c = np.random.default_rng(0).normal(size=len(face.c))
        ends = [face.with_objective(face.P, sign * c, 0.0).solve().value for sign in (1, -1)]
        return bool(sum(ends) >= -WIDTH * (1 + abs(ends[0])))

    def _coupling_rows(self) -> tuple[Any, FloatArray, FloatArray] | None:
        """Return the leader's constraints on the followers' variables; None if not linear."""
        followers = {
            id(row.component) for lower in self.lower_problems for row in lower.follower.rows
        }
        owned = {id(v) for v in self._owned}
        rows = [
            row
            for row in self._rows
            if id(row) not in followers
            and any(id(v) in owned for v in identify_variables(row.body))
        ]
        with fixed(self._others):
            linear = linear_rows(self._owned, [row.body for row in rows])
        if linear is None:
            return None
        A, b = linear
        low = np.array([-math.inf if row.lb is None else row.lb for row in rows], dtype=float)
        high = np.array([math.inf if row.ub is None else row.ub for row in rows], dtype=float)
        return A, low - b, high - b

    def _limit_holds(self, face: ConvexProgram, row: Any, low: float, high: float) -> bool:
        """Return whether a constraint of the leader holds for all solutions of the followers."""
        c = sp.csr_array(row).toarray().ravel()
        for sign, limit in ((1.0, low), (-1.0, high)):
            if math.isfinite(limit):
                found = face.with_objective(face.P, sign * c, 0.0).solve()
                if not found.value >= sign * limit - VIOLATION_TOL:
                    return False
        return True
