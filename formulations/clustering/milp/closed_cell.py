"""Closed cells of the MILP: the eps of least norm, and the eps with the largest margin.

A cell is the set of eps for which the solution of convex clustering has given orders (see
`orders`). With the orders fixed, the KKT system is a convex cone program in (eps, X, Z) without
big-M constants, whose feasible set is the closure of the cell. The cell itself is given by strict
inequalities between points that are apart. It is nonempty if and only if its closure contains a
point that satisfies all of them strictly; every point of the closure is then a limit of points of
the cell.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray

MARGIN = 1e-9  # in units of the data; a smaller margin is regarded as zero
SETTINGS = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}


@dataclass(frozen=True)
class InteriorPoint:
    """A point of a closed cell, and its margin.

    Attributes
    ----------
    eps : ndarray, shape (k,)
    margin : float
        A lower bound of the differences between points that are apart (of their sum over the
        features for p = 1). The cell is empty if no eps has a positive margin.
    """

    eps: FloatArray
    margin: float


class ClosedCell:
    """The closure of a cell: of the set of eps for which the solution has given orders.

    Parameters
    ----------
    problem : BilevelProblem
        With p = 1, p = inf or d = 1; preferably in normal form.
    orders : ndarray of bool, shape (d, n, n)
        The return value of `MilpFormulation.cell`.

    Attributes
    ----------
    together : ndarray of bool, shape (n, n)
        Whether two points share a cluster on the cell.
    """

    def __init__(self, problem: BilevelProblem, orders: BoolArray) -> None:
        self.problem, self.orders = problem, orders
        self._model = model = clustering_of(problem)
        self._separates = model.p == 1 or model.d == 1
        self.together: BoolArray = np.logical_and.reduce(orders & orders.transpose(0, 2, 1))
        self._eps = cp.Variable(problem.perturbation.dim, name="eps")
        self._x = cp.Variable(model.data.size, name="x")  # in the order of data.ravel()
        self._margin, self._slack = cp.Variable(name="margin"), cp.Variable(name="slack")
        self._size = cp.norm(self._eps, problem.norm)
        low, high = problem.box
        self._rows = [self._eps >= low, self._eps <= high]
        self._rows += self._separate_rows() if self._separates else self._joint_rows()
        apart = self._apart()
        if apart.shape[0]:
            self._rows.append(apart @ self._x >= self._margin)

    def nearest(self) -> FloatArray | None:
        """Return the eps (k,) of least norm in the closed cell, or None if none was found."""
        closed = [self._margin == 0, self._slack == 0]
        self._solve(cp.Minimize(self._size), closed)
        return self._found()

    def interior_point(self, limit: float) -> InteriorPoint | None:
        """Return the eps of norm <= `limit` with the largest margin; None if the solver failed.

        If possible, the point also leaves a part of the capacities of edges inside clusters unused,
        so that the labels at eps can be proved.
        """
        for slack in (self._margin, 0.0):
            rows = [self._margin <= 1, self._slack == slack, self._size <= limit]
            status = self._solve(cp.Maximize(self._margin), rows)
            eps = self._found()
            if eps is not None and self._margin.value > MARGIN:
                return InteriorPoint(eps, float(self._margin.value))
        if status == "infeasible":
            return InteriorPoint(np.zeros(self._eps.size), -np.inf)
        if eps is None or status != "optimal":
            return None
        return InteriorPoint(eps, float(self._margin.value))

    def _found(self) -> FloatArray | None:
        return None if self._eps.value is None else np.asarray(self._eps.value)

    def _solve(self, goal: Any, rows: list[Any]) -> str:
        program = cp.Problem(goal, [*self._rows, *rows])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the status contains the same information
                program.solve(solver=cp.CLARABEL, **SETTINGS)
        except cp.SolverError:
            self._eps.value = None
        return str(program.status)

    def _perturbed(self) -> tuple[IntArray, Any, FloatArray]:
        """Return the edges with positive radius, their radii at eps, and those at eps = 0."""
        radii = self._model.radii
        edges = np.flatnonzero(radii > 0)
        at_zero = radii[edges]
        change = sp.csr_array(edge_operator(self.problem)[edges]).multiply(at_zero[:, None])
        return edges, at_zero - sp.csr_array(change) @ self._eps, at_zero

    def _stationary(self, edges: IntArray, flow: list[Any]) -> list[Any]:
        """Return the constraints X - A(eps) + B'Z = 0, from one column of Z for each feature."""
        A, T = self._model.data, self.problem.operator("data")
        B = self._model.graph.incidence[edges]
        d = A.shape[1]
        return [
            self._x[c::d] - A[:, c] - T[c::d] @ self._eps + B.T @ flow[c] == 0 for c in range(d)
        ]

    def _separate_rows(self) -> list[Any]:
        """Return the constraints for p = 1: orders of each feature, and Z.

        z_ec = r_e sign(x_ic - x_jc) if the order of i and j is strict, else |z_ec| <= r_e.
        """
        n, d = self._model.data.shape
        edges, radii, at_zero = self._perturbed()
        i, j = self._model.graph.edges[edges].T
        rows, flow = [], []
        for c in range(d):
            height = self.orders[c].sum(axis=1)  # the number of points that are not above i
            sign = np.sign(height[i] - height[j]).astype(float)
            tied = cp.multiply(1.0 - abs(sign), cp.Variable(len(edges)))
            rows += [cp.abs(tied) <= radii - cp.multiply(self._slack, at_zero)]
            flow.append(cp.multiply(sign, radii) + tied)
            climb = np.argsort(height, kind="stable")
            step = self._differences(climb[1:], climb[:-1], np.full(n - 1, c))
            level = np.diff(height[climb]) == 0
            rows += [step[~level] @ self._x >= 0] if not level.all() else []
            rows += [step[level] @ self._x == 0] if level.any() else []
        return rows + self._stationary(edges, flow)

    def _joint_rows(self) -> list[Any]:
        """Return the constraints for p = inf: orders, and Z.

        z_ec is nonzero only for features c in which the orders say that |x_i - x_j| is largest.
        """
        d = self._model.d
        edges, radii, at_zero = self._perturbed()
        i, j = self._model.graph.edges[edges].T
        fused = self.together[i, j]
        allowed = self.orders[:, i, j].T, self.orders[:, j, i].T
        forward, backward = (
            cp.multiply(mask.astype(float), cp.Variable((len(edges), d), nonneg=True))
            for mask in allowed
        )
        length = cp.sum(forward + backward, axis=1)
        rows = []
        if fused.any():
            rows.append(length[fused] <= radii[fused] - self._slack * at_zero[fused])
        if not fused.all():
            rows.append(length[~fused] == radii[~fused])
        z = forward - backward
        rows += self._stationary(edges, [z[:, c] for c in range(d)])
        return rows + self._cones()

    def _cones(self) -> list[Any]:
        """Return the constraints on x for p = inf.

        They are x_i = x_j inside clusters, and x_ic - x_jc >= |x_ib - x_jb| for all b if order[c,
        i, j].
        """
        n, d = self._model.data.shape
        first = self.together.argmax(axis=1)  # the first point of each point's cluster
        others = np.flatnonzero(first < np.arange(n))
        rows = []
        for c in range(d):
            above, below = np.nonzero(self.orders[c] & ~self.together)
            largest = self._differences(above, below, np.full(len(above), c))
            for b in range(d):
                other = self._differences(above, below, np.full(len(above), b))
                if b != c and len(above):
                    rows += [(largest - other) @ self._x >= 0, (largest + other) @ self._x >= 0]
            if len(others):
                level = self._differences(others, first[others], np.full(len(others), c))
                rows.append(level @ self._x == 0)
        return rows

    def _apart(self) -> sp.csr_array:
        """Return the matrix that maps x to the distance of each pair of points that are apart."""
        total: Any = 0
        i, j = np.nonzero(np.triu(~self.together))
        strict = self.orders & ~self.orders.transpose(0, 2, 1)
        left = np.ones(len(i))
        for c in range(self._model.d):
            sign = (strict[c, i, j].astype(float) - strict[c, j, i]) * left
            if not self._separates:
                left -= abs(sign)  # one of several equal largest entries suffices
            step = self._differences(i, j, np.full(len(i), c))
            total = total + sp.diags_array(sign) @ step
        return sp.csr_array(total)

    def _differences(self, above: IntArray, below: IntArray, feature: IntArray) -> sp.csr_array:
        """Return the matrix whose rows map x to x_ic - x_jc."""
        d, rows = self._model.d, np.arange(len(above))
        values = np.r_[np.ones(len(above)), -np.ones(len(above))]
        columns = np.r_[above * d + feature, below * d + feature]
        shape = (len(above), self._model.data.size)
        return sp.csr_array((values, (np.r_[rows, rows], columns)), shape=shape)
