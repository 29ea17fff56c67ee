"""Starting points of the leader, projected onto the constraints of both levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.core.expr import identify_variables
from scipy.stats.qmc import Halton

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.formulations.leader import set_parameter
from bilad.models.validation import FloatArray
from bilad.solvers.followers.convex_program import convex_program
from bilad.solvers.nlp import IpoptSession

BOX = 10.0  # half-width of the range of a random start where no constraint gives one
OFF = 1e-2  # start of a follower's variable without a value in a nonlinear model
WIDEST = 1e3  # largest absolute value of a random start


class Starts:
    """Starts for the variables of a bilevel model.

    Parameters
    ----------
    program : BilevelProgram
        Of a clone that is used for nothing else.
    seed : int
        Of the random starts, a scrambled Halton sequence.

    Attributes
    ----------
    infeasible : bool
        Whether it is proved that no point satisfies the constraints of both levels.
    """

    def __init__(self, program: BilevelProgram, seed: int) -> None:
        self.program, self.infeasible = program, False
        special = {id(v) for v in program.multipliers}
        rows = program.constraints
        seen = {id(row): list(identify_variables(row.body, include_fixed=False)) for row in rows}
        self._rows = [row for row in rows if not any(id(v) in special for v in seen[id(row)])]
        used = {id(v) for row in self._rows for v in seen[id(row)]}
        leader = {id(v) for v in program.leader}
        followers = [v for follower in program.followers for v in follower.variables]
        others = [v for v in program.variables if id(v) in used and id(v) not in leader]
        self._variables = [*program.leader, *others]
        self._first = np.array([value_or_bound(v) for v in program.leader])
        self._polyhedron = convex_program(self._variables, 0.0, self._rows)
        # Norms and roots have no derivative at 0.
        near = 0.0 if self._polyhedron is not None else OFF
        for v in [*others, *followers]:
            v.set_value(value_or_bound(v, near), skip_validation=True)
        self._halton = Halton(max(len(self._first), 1), rng=seed)
        self._known: dict[int, FloatArray] = {}
        self._session: IpoptSession | None = None
        self._ranges: list[tuple[float, float]] | None = None

    def point(self, number: int) -> FloatArray:
        """Return the values of all variables at a start, NaN where there is none.

        Start 0 is that of the user, others are random. The leader's variables are moved to the
        nearest point of the constraints of both levels, if there is one.
        """
        if number in self._known:
            return self._known[number]
        if self._ranges is None and number:
            self._ranges = [self._range(k) for k in range(len(self._first))]
        target = self._first
        if number:
            low, high = np.array(self._ranges).reshape(-1, 2).T
            target = low + (high - low) * self._halton.random(1)[0, : len(low)]
        self._project(target)
        values = [math.nan if v.value is None else v.value for v in self.program.variables]
        self._known[number] = np.array(values, dtype=float)
        return self._known[number]

    def _project(self, target: FloatArray) -> None:
        leader = self.program.leader
        for v, value in zip(leader, target, strict=True):
            v.set_value(float(value), skip_validation=True)
        if self._polyhedron is None:
            self._project_by_ipopt(target)
            return
        n, k = len(self._variables), len(leader)
        weights = np.r_[np.ones(k), np.zeros(n - k)]
        c = np.r_[-target, np.zeros(n - k)]
        found = self._polyhedron.with_objective(sp.diags_array(weights, format="csr"), c, 0.0)
        answer = found.solve()
        self.infeasible = answer.status == "infeasible"
        if answer.status == "optimal":
            for v, value in zip(self._variables, answer.z, strict=True):
                v.set_value(float(value), skip_validation=True)

    def _project_by_ipopt(self, target: FloatArray) -> None:
        if self._session is None:
            self._open(len(target))
        for k, value in enumerate(target):
            set_parameter(self._target[k], float(value))
        assert self._session is not None
        self._session.solve()

    def _open(self, count: int) -> None:
        model, kept = self.program.model, {id(row) for row in self._rows}
        for objective in list(model.component_data_objects(pyo.Objective, active=True)):
            objective.deactivate()
        for row in self.program.constraints:
            if id(row) not in kept:
                row.deactivate()
        for v in self.program.leader:
            v.domain = v.domain if v.is_continuous() else pyo.Reals
        model.bilad_start = block = pyo.Block()
        block.target = self._target = pyo.Var(range(count), bounds=(0, 0), initialize=0.0)
        block.distance = pyo.Objective(
            expr=pyo.quicksum((v - block.target[k]) ** 2 for k, v in enumerate(self.program.leader))
        )
        self._session = IpoptSession(model, {"tol": 1e-6, "max_iter": 200})

    def _range(self, k: int) -> tuple[float, float]:
        """Return the range of a leader's variable within the constraints of both levels."""
        ends = []
        for sign in (1.0, -1.0):
            end = self._end(k, sign)
            ends.append(self._first[k] - sign * BOX if end is None else end)
        low, high = np.clip(ends, -WIDEST, WIDEST).tolist()
        return min(low, high), max(low, high)

    def _end(self, k: int, sign: float) -> float | None:
        polyhedron, v = self._polyhedron, self.program.leader[k]
        if polyhedron is None:
            bound = v.lb if sign > 0 else v.ub
            return None if bound is None else float(bound)
        c = np.zeros(len(self._variables))
        c[k] = sign
        nothing = sp.csr_array((len(c), len(c)))
        answer = polyhedron.with_objective(nothing, c, 0.0).solve()
        return sign * answer.value if answer.status == "optimal" else None


def value_or_bound(v: Any, target: float = 0.0) -> float:
    """Return the value of a variable, or the point nearest to the target within its bounds."""
    low, high = (-math.inf if v.lb is None else v.lb), (math.inf if v.ub is None else v.ub)
    return float(min(max(target, low), high)) if v.value is None else float(v.value)
