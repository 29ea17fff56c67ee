"""Convex clustering as a conic program, canonicalised once by CVXPY and solved by Clarabel.

With Y = X - A and r_e = gamma w_e, the program is

    min  1/2 ||Y||_F^2 + sum_e r_e t_e     s.t.  B Y + B A - U = 0,   ||u_e||_p <= t_e.

The multiplier of the equality is the dual solution Z, and X* = A - B'Z*. The program is written for
standardised data, for which interior-point solvers are about three digits more accurate.

In standard form, only the right-hand side (B A) and the cost (r) depend on the model. One
canonicalisation therefore serves all eps and gamma. CVXPY parameters are not used, because the
first solve would take time quadratic in the number of edges. Instead, the program is canonicalised
with the numbers 1, 2, .. in place of B A and r; their positions in the standard form show where
later values have to be written.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import ArgumentError, FloatArray, IntArray


class ConicProgram:
    """The conic program for given edges, p, n and d.

    Parameters
    ----------
    model : ConvexClustering
        Any p, at least one edge.

    Raises
    ------
    ArgumentError
        If the graph has no edge.
    """

    def __init__(self, model: ConvexClustering) -> None:
        n, d, m = model.n, model.d, model.graph.m
        if m == 0:
            raise ArgumentError("model", "a graph without edges", "at least one edge")
        self._p, self._shape, self._graph = model.p, (n, d), model.graph
        self._Y = cp.Variable((n, d), name="Y")
        U, t = cp.Variable((m, d), name="U"), cp.Variable(m, name="t")
        differences, cost = 1.0 + np.arange(m * d).reshape(m, d), 1.0 + np.arange(m)
        self._coupling = model.graph.incidence @ self._Y + differences - U == 0
        self._problem = cp.Problem(
            cp.Minimize(0.5 * cp.sum_squares(self._Y) + cost @ t),
            [self._coupling, cp.norm(U, model.p, axis=1) <= t],
        )
        data, self._chain, self._inverse = self._problem.get_problem_data(
            cp.CLARABEL, solver_opts={}
        )
        self._data = data | {"b": np.array(data["b"]), "c": np.array(data["c"])}
        self._differences_at = _Places(self._data["b"])
        self._cost_at = _Places(self._data["c"])
        self.set_model(model)

    def fits(self, model: ConvexClustering) -> bool:
        """Return whether the program suits a model: it has the same edges, p, n and d."""
        same = model.p == self._p and model.data.shape == self._shape
        return same and model.graph.has_edges_of(self._graph)

    def set_model(self, model: ConvexClustering) -> None:
        """Change the data, gamma and weights to those of another model.

        Raises
        ------
        ArgumentError
            If the program does not fit the model.
        """
        if not self.fits(model):
            raise ArgumentError("model", "another graph, p or shape", "one that the program fits")
        self._model = model
        scaled, _, self._unit = model.standardised()
        self._differences_at.write(model.graph.differences(scaled.data).ravel())
        self._cost_at.write(scaled.radii)
        self._solved = False

    def solve(self, **settings: float) -> None:
        """Solve with Clarabel and its settings; the solution is then in `X` and `Z`.

        Raises
        ------
        cvxpy.SolverError
            If Clarabel does not find a solution.
        """
        self._solved = False
        raw = self._chain.solve_via_data(self._problem, self._data, solver_opts=settings)
        self._problem.unpack_results(raw, self._chain, self._inverse)
        self._solved = True

    @property
    def X(self) -> FloatArray | None:
        """The primal solution in the units of the data, shape (n, d); None before a solve."""
        value = self._Y.value if self._solved else None
        return None if value is None else self._model.data + self._unit * np.asarray(value)

    @property
    def Z(self) -> FloatArray | None:
        """The dual solution in the units of the data, shape (m, d); None before a solve."""
        value = self._coupling.dual_value if self._solved else None
        return None if value is None else self._unit * np.asarray(value)

    @property
    def status(self) -> str | None:
        """CVXPY's status of the last solve; None before a solve."""
        return str(self._problem.status) if self._solved else None

    @property
    def iterations(self) -> int:
        """The number of iterations of the last solve."""
        stats = self._problem.solver_stats if self._solved else None
        return int(stats.num_iters or 0) if stats else 0


class _Places:
    """The positions of a vector in the standard form, found from the marks +-1, +-2, .."""

    def __init__(self, holder: FloatArray) -> None:
        self._holder = holder
        self._at: IntArray = np.flatnonzero(holder)
        marks = holder[self._at]
        self._signs = np.sign(marks)
        self._sources = np.rint(np.abs(marks)).astype(np.int64) - 1

    def write(self, values: FloatArray) -> None:
        self._holder[self._at] = self._signs * values[self._sources]
