"""Convex clustering as a conic program in standard form, solved by Clarabel.

With Y = X - A and r_e = gamma w_e, the program is

    min  1/2 ||Y||_F^2 + sum_e r_e t_e     s.t.  ||(B Y + B A)_e||_p <= t_e     for all edges e.

For p = 2, each constraint is a second-order cone. For p = 1 and inf it is a system of linear
inequalities; for p = 1 with one variable t_ek for each coordinate. The differences have no
variables of their own: with them Clarabel would take about twice as long. The dual solution Z
follows from the multipliers of the cones, and X* = A - B'Z*. The program is written for
standardised data, for which interior-point solvers are about three digits more accurate.

Only the right-hand side (B A) and the cost (r) depend on the model. The matrices therefore serve
all eps and gamma.
"""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
import scipy.sparse as sp

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import ArgumentError, FloatArray


class ConicProgram:
    """The conic program for given edges, p, n and d.

    Parameters
    ----------
    model : ConvexClustering
        Any p, at least one edge.

    Raises
    ------
    ArgumentError
        If the model is not a ConvexClustering, or its graph has no edge.
    """

    def __init__(self, model: ConvexClustering) -> None:
        if not isinstance(model, ConvexClustering):
            raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
        n, d, m = model.n, model.d, model.graph.m
        if m == 0:
            raise ArgumentError("model", "a graph without edges", "at least one edge")
        self._p, self._shape, self._graph = model.p, (n, d), model.graph
        self._on_differences, on_bounds = _edge_matrices(model.p, d)
        self._bounds = on_bounds.shape[1]  # of an edge
        rows = [sp.kron(model.graph.incidence, self._on_differences), sp.kron(sp.eye(m), on_bounds)]
        self._A = -sp.csc_matrix(sp.hstack(rows))
        curvature = np.repeat([1.0, 0.0], [n * d, m * self._bounds])
        self._P = sp.csc_matrix(sp.diags(curvature))
        round_cones = [clarabel.SecondOrderConeT(d + 1)] * m
        self._solution: Any = None  # Clarabel's types are not declared
        self._cones = round_cones if model.p == 2 else [clarabel.NonnegativeConeT(2 * d * m)]
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
        self._b = (model.graph.differences(scaled.data) @ self._on_differences.T).ravel()
        self._c = np.r_[np.zeros(scaled.data.size), np.repeat(scaled.radii, self._bounds)]
        self._solution = None

    def solve(self, **settings: float) -> None:
        """Solve with Clarabel and its settings; the last iterate is then in `X` and `Z`."""
        self._solution = None
        options = clarabel.DefaultSettings()
        options.verbose = False
        for name, value in settings.items():
            setattr(options, name, value)
        parts = (self._P, self._c, self._A, self._b, self._cones, options)
        self._solution = clarabel.DefaultSolver(*parts).solve()

    @property
    def X(self) -> FloatArray | None:
        """The primal solution in the units of the data, shape (n, d); None before a solve."""
        if self._solution is None:
            return None
        Y = np.array(self._solution.x[: self._model.data.size]).reshape(self._shape)
        return self._model.data + self._unit * Y

    @property
    def Z(self) -> FloatArray | None:
        """The dual solution in the units of the data, shape (m, d); None before a solve."""
        if self._solution is None:
            return None
        multipliers = np.array(self._solution.z).reshape(self._graph.m, -1)
        return -self._unit * multipliers @ self._on_differences

    @property
    def status(self) -> str | None:
        """Clarabel's status of the last solve, such as "Solved"; None before a solve."""
        return None if self._solution is None else str(self._solution.status)

    @property
    def iterations(self) -> int:
        """The number of iterations of the last solve."""
        return 0 if self._solution is None else int(self._solution.iterations)


def _edge_matrices(p: float, d: int) -> tuple[FloatArray, FloatArray]:
    """Return matrices V and T such that ||v||_p <= t if and only if V v + T t is in the cone."""
    if p == 2:
        identity = np.eye(d + 1)
        return identity[:, 1:], identity[:, :1]
    both = np.vstack([np.eye(d), -np.eye(d)])
    return both, abs(both) if p == 1 else np.ones((2 * d, 1))
