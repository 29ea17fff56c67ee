"""A primal-dual interior-point method for the conic program of convex clustering, p = 2.

    min_{X, t}  1/2 sum_i m_i ||x_i - a_i||^2 + sum_e r_e t_e   s.t.  ||x_i - x_j|| <= t_e

The predictor-corrector method of Mehrotra with the scaling of Nesterov and Todd. Each iteration
factorises M + B'HB once, which has a block of shape (d, d) for every edge.

References
----------
Vandenberghe, The CVXOPT linear and quadratic cone program solvers, 2010.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.elimination.elimination import Cholesky
from bilad.solvers.clustering.interior_point import cone_loops
from bilad.solvers.clustering.kernel import Indices
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.ssnal.limits import Budget

STEP_SHARE = 0.99  # share of the largest step inside the cones
MOST_ITERATIONS = 60
FIRST_CENTRE = 0.1  # the first mu, relative to the mean capacity, in data of unit spread


class InteriorPoint:
    """Iterates of the method for one problem, in data of unit spread.

    Parameters
    ----------
    problem : ContractedProblem
        With at least one edge.
    reference : float, default 1
        Gaps are relative to reference^2 + |objective|.

    Attributes
    ----------
    gap : float
        The relative duality gap of the iterate; inf before the first iteration.
    absolute_gap : float
    centre : float
        mu, the mean of the products of s and l over the edges.
    iterations : int
    failed : bool
        Whether the scaling or the factorisation failed; the iterate is the last before that.
    """

    def __init__(self, problem: ContractedProblem, reference: float = 1.0) -> None:
        self.elimination = elimination = problem.elimination
        self._masses = elimination.enter(problem.masses)
        self._data = elimination.enter(problem.means)
        self._radii = np.ascontiguousarray(problem.radii[elimination.edges])
        self._least_size = reference**2 + problem.offset
        m, d = len(self._radii), problem.d
        self._features = tuple(range(d))
        self._cholesky = Cholesky(elimination, d)
        W, scaled, self._offsets = np.empty((3, d + 1, m))
        self._scaling = np.empty(m), np.empty((2, m)), W
        self._scaled = scaled
        self._residual, self._forces = np.empty((2, *self._data.shape))
        self._steps, self._reach = (np.empty(m), np.empty((d, m))), np.empty(m)
        self.gap = self.absolute_gap = self.centre = np.inf
        self.iterations, self.failed = 0, False

    @property
    def _ends(self) -> tuple[Indices, Indices]:
        return self.elimination.lows, self.elimination.highs

    @property
    def ended(self) -> bool:
        """Whether the method failed or has reached its largest number of iterations."""
        return self.failed or self.iterations >= MOST_ITERATIONS

    def start(self, X: FloatArray) -> None:
        """Start at X, shape (n, d), with s'l the same on every edge."""
        mu = FIRST_CENTRE * float(self._radii.mean())
        self._X = self.elimination.enter(X)
        self._t, self._Z = map(np.empty_like, self._steps)
        cone_loops.centre(self._features, *self._ends, self._radii, mu, self._X, self._t, self._Z)

    def resume(self, X: FloatArray, surplus: FloatArray, Z: FloatArray) -> None:
        """Start at X (n, d), t = ||u|| + surplus (m,) and Z (m, d), inside the cones."""
        order = self.elimination
        self._X = order.enter(X)
        self._t = self._lengths() + surplus[order.edges]
        self._Z = np.ascontiguousarray(order.enter_flow(Z).T)

    def surplus(self) -> FloatArray:
        """Return t - ||u||, shape (m,), on the edges of the problem."""
        surplus = np.empty_like(self._t)
        surplus[self.elimination.edges] = self._t - self._lengths()
        return surplus

    def _lengths(self) -> FloatArray:
        lows, highs = self._ends
        return row_norms(self._X[lows] - self._X[highs], 2)

    def pair(self) -> tuple[FloatArray, FloatArray]:
        """Return X (n, d) and the feasible Z (m, d), in the order of the points and edges."""
        Z = np.ascontiguousarray(self._Z.T)
        return self.elimination.leave(self._X), self.elimination.leave_flow(Z)

    def solve(self, tol: float, budget: Budget) -> None:
        """Iterate until the relative gap is at most `tol`, or a limit is reached."""
        while not self.failed:
            self.failed = not self._scale()
            if self.gap <= tol or self.ended or budget.exhausted:
                return
            self.iterations += 1
            budget.newton_steps += 1
            self.failed = not self._cholesky.factorise() or not self._iterate()

    def _scale(self) -> bool:
        cholesky = self._cholesky
        ok, stationarity, products, gaps, primal = cone_loops.scale(
            self._features,
            *self._ends,
            self._radii,
            self._masses,
            self._data,
            self._X,
            self._t,
            self._Z,
            *self._scaling,
            self._scaled,
            self._offsets,
            cholesky.H,
            cholesky.diagonal,
            self._residual,
            self._forces,
        )
        if ok:
            self.absolute_gap = 0.5 * stationarity + gaps
            self.gap = self.absolute_gap / (self._least_size + primal)
            self.centre = products / len(self._radii)
        return bool(ok)

    def _iterate(self) -> bool:
        dX, (dt, dZ) = self._forces.copy(), self._steps
        predicted = 1.0 / max(1.0, self._step(dX))
        sigma = (1.0 - predicted) ** 3
        cone_loops.correct(
            self._features,
            *self._ends,
            *self._scaling,
            self._scaled,
            dX,
            dt,
            sigma * self.centre,
            1.0 - sigma,
            self._residual,
            self._offsets,
            self._forces,
        )
        dX = self._forces.copy()
        share = 1.0 / max(1.0, self._step(dX) / STEP_SHARE)
        if not np.isfinite(dX).all():
            return False
        self._X += share * dX
        self._t += share * dt
        self._Z += share * dZ
        return True

    def _step(self, dX: FloatArray) -> float:
        """Replace the forces dX by the step of X, and make the others.

        Return 1 / (the largest share of them that stays inside the cones).
        """
        self._cholesky.solve(dX)
        return cone_loops.step(
            self._features,
            *self._ends,
            self._X,
            self._t,
            self._Z,
            *self._scaling,
            self._offsets,
            dX,
            *self._steps,
            self._reach,
        )
