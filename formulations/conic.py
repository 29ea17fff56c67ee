"""Convex clustering as a conic program in CVXPY, the solver-independent reference.

    min  1/2 ||X - A||_F^2 + sum_e r_e ||u_e||_p     s.t.  B X - U = 0,        r_e = gamma w_e

The multiplier of BX - U = 0 is the dual variable Z in our orientation, X* = A - B'Z*. The program
is written for centred data of unit spread, in which interior-point solvers keep three more digits
than in the data's own units. A and r are parameters: one program serves every eps and every gamma.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray


class ConicProgram:
    """The program for one graph, one p and one number of features.

    Attributes
    ----------
    problem : cvxpy.Problem
        For any solver that takes second-order cones; solve it, then read `X` and `Z`.
    """

    def __init__(self, model: ConvexClustering) -> None:
        n, d, m = model.n, model.d, model.graph.m
        self._X = cp.Variable((n, d), name="X")
        self._U = cp.Variable((m, d), name="U")
        self._data = cp.Parameter((n, d), name="A")
        self._radii = cp.Parameter(m, nonneg=True, name="radii")
        fusion = cp.sum(cp.multiply(self._radii, cp.norm(self._U, model.p, axis=1)))
        self._coupling = model.graph.incidence @ self._X - self._U == 0
        self.problem = cp.Problem(
            cp.Minimize(0.5 * cp.sum_squares(self._X - self._data) + fusion), [self._coupling]
        )
        self.set_model(model)

    def set_model(self, model: ConvexClustering) -> None:
        """Move the program to other data, gamma or weights; graph, p and d stay."""
        standardised, self._centre, self._unit = model.standardised()
        self._data.value = standardised.data
        self._radii.value = standardised.radii

    @property
    def X(self) -> FloatArray | None:
        """Primal solution in the data's units, shape (n, d); None before a solve."""
        value = self._X.value
        return None if value is None else self._unit * np.asarray(value) + self._centre

    @property
    def Z(self) -> FloatArray | None:
        """Dual solution, shape (m, d), edges oriented i -> j; None before a solve."""
        value = self._coupling.dual_value
        return None if value is None else self._unit * np.reshape(value, self._U.shape)
