"""Convex clustering with smoothed fusion terms, whose solution is differentiable.

    X_mu = argmin_X  1/2 ||X - A||_F^2 + gamma sum_e w_e h(x_i - x_j),
    h(u) = max_{||z||_q <= 1} <z, u> - mu/2 ||z||^2          (the Moreau envelope of ||.||_p)

Points that are fused in X* stay fused under a small change of the data, so that no derivative of X*
tells which of them are close to separating. In X_mu their distance is at most mu, and grows with
the force between them, z_e = gamma w_e Pi(u_e / mu), where u_e = x_i - x_j and Pi is the projection
on the unit q-ball. As h differs from the norm by at most mu/2 max ||z||^2,

    ||X_mu - X*||_F^2 <= mu gamma sum_e w_e          (d times that for p = 1).

This is the subproblem of SSNAL with the multiplier Z = 0 and the penalties gamma w_e / mu. The
derivative of X_mu in the data is the inverse of its Newton matrix I + B'HB, where
H_e = gamma w_e dPi(u_e / mu) / mu; it exists unless some u_e / mu lies on the boundary of the ball.
(The matrix is that of Sun, Toh and Yuan, JMLR 22(9), 2021; its use as a derivative is ours.)
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, project_rows
from bilad.models.validation import FloatArray, real_number
from bilad.solvers.clustering.derivative import Derivative
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.newton import newton_system
from bilad.solvers.clustering.ssnal.scaling import ScaledProblem
from bilad.solvers.clustering.ssnal.subproblem import NEWTON_STEPS, Subproblem, minimise
from bilad.solvers.clustering.ssnal.workspace import Workspace

TOL = 1e-9  # tolerance of the gradient, relative to the spread of the data
RTOL = 1e-8  # tolerance of iterative linear solvers; for small mu, less is often not attained


class SmoothedClustering(Derivative):
    """X_mu, and its derivative in the data and in the weights.

    Attributes
    ----------
    model : ConvexClustering
    X : ndarray, shape (n, d)
        X_mu.
    gradient_norm : float
        Norm of the gradient of the smoothed objective at X, in units of the data.
    steps : int
        Number of Newton steps.
    """

    def __init__(
        self,
        model: ConvexClustering,
        mu: float,
        systems: _NewtonSystems,
        start: FloatArray,
        tol: float,
        deadline: float,
    ) -> None:
        super().__init__(model)
        self.systems, self._mu = systems, mu
        workspace = systems.workspace
        problem = ScaledProblem(model, workspace.positive, workspace.edges)
        multiplier = np.zeros((len(problem.radii), model.d))
        self._subproblem = Subproblem(problem, multiplier, problem.radii * (problem.unit / mu))
        spread = problem.norm or 1.0
        budget = Budget(NEWTON_STEPS, deadline)
        self._iterate = minimise(
            self._subproblem,
            (start - problem.centre) / problem.unit,
            systems.solve,
            lambda _: tol * spread,
            lambda norm, _: max(RTOL, norm / spread),
            budget,
        )
        self.X = problem.centre + problem.unit * self._iterate.X
        self.gradient_norm = problem.unit * self._iterate.gradient_norm
        self.steps = budget.newton_steps

    @property
    def state(self) -> FloatArray:
        """X, of which a smooth deviation is a function: shape (n, d)."""
        return self.X

    @cached_property
    def _curvature(self) -> tuple[FloatArray, FloatArray]:
        return self._subproblem.curvature(self._iterate)

    def apply(self, R: FloatArray) -> FloatArray:
        """Return (I + B'HB)^-1 R, of the shape (n, d) of R."""
        return self.systems.solve(*self._curvature, R, RTOL)

    @cached_property
    def forces(self) -> FloatArray:
        """Pi(u_e / mu), the force of each edge for gamma w_e = 1: shape (m, d)."""
        scaled = self.model.graph.differences(self.X) / self._mu
        return project_rows(scaled, np.ones(len(scaled)), conjugate(self.model.p))


def solve_smoothed(
    model: ConvexClustering,
    mu: float,
    start: SmoothedClustering | None = None,
    tol: float = TOL,
    deadline: float = float("inf"),
) -> SmoothedClustering:
    """Minimise the smoothed objective by a semismooth Newton method.

    Parameters
    ----------
    model : ConvexClustering
    mu : float
        Smoothing parameter, > 0, in units of the data.
    start : SmoothedClustering, optional
        A solution for other data or weights on the same graph, or for another mu. The iteration
        starts at its X and uses its factorisations again.
    tol : float, default 1e-9
        Tolerance on the gradient, relative to the spread ||A - mean||_F of the data.
    deadline : float, default inf
        Value of `time.perf_counter()` at which to stop.

    Returns
    -------
    SmoothedClustering
        The last iterate in any case; its `gradient_norm` measures its accuracy.

    Raises
    ------
    ArgumentError
        If mu is not a positive number.
    """
    mu = real_number(mu, "mu", above=0.0)
    systems = None if start is None else start.systems
    if systems is None or not systems.workspace.fits(model):
        systems = _NewtonSystems(model)
    X = model.data if start is None else start.X
    return SmoothedClustering(model, mu, systems, X, tol, deadline)


class _NewtonSystems:
    """The Newton system of a graph, or for p = 1 one system for each feature."""

    def __init__(self, model: ConvexClustering) -> None:
        self.workspace = Workspace(model)
        separate = model.p == 1
        self._width = 1 if separate else model.d
        self._parts = [
            newton_system(self.workspace.edges, self._width, model.p == 2)
            for _ in range(model.d if separate else 1)
        ]

    def solve(self, a: FloatArray, v: FloatArray, R: FloatArray, rtol: float) -> FloatArray:
        """Return (I + B'HB)^-1 R for H_e = diag(a_e) - v_e v_e'."""
        if len(a) == 0:
            return R
        columns = []
        for k, system in enumerate(self._parts):
            part = slice(k * self._width, (k + 1) * self._width)
            given = [np.ascontiguousarray(array[:, part]) for array in (a, v, R)]
            columns.append(system.solve(given[0], given[1], given[2], rtol))
        return np.hstack(columns)
