"""The lower level with smoothed fusion terms, whose solution has a derivative that says more.

    X_mu = argmin_X  1/2 ||X - A||_F^2 + gamma sum_e w_e h(x_i - x_j),
    h(u) = max_{||z||_q <= 1} <z, u> - mu/2 ||z||^2          (the Moreau envelope of ||.||_p)

Points that are fused in X* stay fused under a small change, so that no derivative of X* tells
which of them are about to part. In X_mu they are up to mu apart, and the farther the nearer the
forces between them are to their capacity: z_e = gamma w_e Pi(u_e / mu), Pi the projection on the
unit q-ball. As h differs from the norm by at most mu/2 max ||z||^2,

    ||X_mu - X*||_F^2 <= mu gamma sum_e w_e          (d times that for p = 1).

This is the subproblem of SSNAL with multiplier 0 and penalty 1 / mu. The derivative of X_mu is the
inverse of its Newton matrix, I + B'HB with H_e = gamma w_e dPi(u_e / mu) / mu, which exists but
where some u_e / mu lies on the boundary of the ball (beyond the paper; Sun, Toh and Yuan, JMLR
22(9), 2021, have the matrix).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, project_rows
from bilad.models.validation import FloatArray, real_number
from bilad.solvers.clustering.derivative import Derivative
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.newton import newton_system
from bilad.solvers.clustering.ssnal.workspace import Workspace

TOL = 1e-9  # of the gradient, relative to the spread of the data
RTOL = 1e-8  # of systems solved by iteration, which for small mu may not get much below
NEWTON_STEPS = 100
# Armijo's condition with this share of the slope; below this share of the objective rounding
# hides the decrease, and the slope along the step must fall by half instead.
ARMIJO, HALVINGS, ROUNDING = 1e-4, 30, 1e-13


class SmoothedClustering(Derivative):
    """X_mu, and its derivative in the data and the weights.

    Parameters
    ----------
    problem : SmoothedProblem
    point : Point
        Where it was minimised.

    Attributes
    ----------
    model : ConvexClustering
    X : ndarray, shape (n, d)
    slope : float
        ||gradient||_F, in units of the data.
    steps : int
        Newton steps spent.
    """

    def __init__(self, problem: SmoothedProblem, point: Point, steps: int) -> None:
        super().__init__(problem.model)
        self._problem, self._point = problem, point
        self.X = problem.centre + point.X
        self.slope, self.steps = point.slope, steps

    @property
    def state(self) -> FloatArray:
        """X, of which a smooth deviation is a function: shape (n, d)."""
        return self.X

    @cached_property
    def _curvature(self) -> tuple[FloatArray, FloatArray]:
        return self._problem.curvature(self._point)

    def apply(self, R: FloatArray) -> FloatArray:
        """Return (I + B'HB)^-1 R, of the shape (n, d) of R."""
        return self._problem.systems.solve(*self._curvature, R, RTOL)

    @cached_property
    def forces(self) -> FloatArray:
        """Pi(u_e / mu), the force of each edge for gamma w_e = 1: shape (m, d)."""
        scaled = self.model.graph.differences(self._point.X) / self._problem.mu
        return project_rows(scaled, np.ones(len(scaled)), conjugate(self.model.p))


def solve_smoothed(
    model: ConvexClustering,
    mu: float,
    start: SmoothedClustering | None = None,
    tol: float = TOL,
    deadline: float = float("inf"),
) -> SmoothedClustering:
    """Minimise by a semismooth Newton method.

    Parameters
    ----------
    model : ConvexClustering
    mu : float
        Smoothing, > 0, in units of the data.
    start : SmoothedClustering, optional
        At other data or weights of the same graph, or another mu; its X is the start, and its
        factorisations are used again.
    tol : float, default 1e-9
        Of the gradient, relative to the spread ||A - mean||_F of the data.
    deadline : float, default inf
        Value of `time.perf_counter()` at which to stop.

    Returns
    -------
    SmoothedClustering
        Always; its `slope` says how accurate it is.
    """
    mu = real_number(mu, "mu", above=0.0)
    systems = None if start is None else start._problem.systems
    if systems is None or not systems.workspace.fits(model):
        systems = Systems(model)
    problem = SmoothedProblem(model, mu, systems)
    X = problem.data if start is None else start.X - problem.centre
    point, spread = problem.at(X), float(np.linalg.norm(problem.data)) or 1.0
    steps = 0
    while steps < NEWTON_STEPS:
        if point.slope <= tol * spread or time.perf_counter() >= deadline:
            break
        rtol = min(0.1, max(RTOL, point.slope / spread))
        better = _line_search(problem, point, problem.newton_direction(point, rtol))
        if better is None:
            break
        point, steps = better, steps + 1
    return SmoothedClustering(problem, point, steps)


@dataclass(frozen=True)
class Point:
    """The objective and its gradient at one X, counted from the centre; y_e = r_e u_e / mu."""

    X: FloatArray
    Y: FloatArray
    P: FloatArray
    value: float
    gradient: FloatArray

    @property
    def slope(self) -> float:
        """||gradient||_F."""
        return float(np.linalg.norm(self.gradient))


class Systems:
    """The Newton systems of a graph: one, or for p = 1 one for each feature."""

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


class SmoothedProblem:
    """The objective at one mu, in centred data."""

    def __init__(self, model: ConvexClustering, mu: float, systems: Systems) -> None:
        self.model, self.mu, self.systems = model, mu, systems
        self.centre = model.data.mean(axis=0)
        self.data = model.data - self.centre
        self._edges = systems.workspace.edges
        self._radii = model.radii[systems.workspace.kept]
        self._sigma = self._radii / mu
        self._q = conjugate(model.p) if model.d > 1 else 2.0
        self._zero = np.zeros((len(self._radii), model.d))

    def at(self, X: FloatArray) -> Point:
        """Return the objective and its gradient."""
        Y, P = np.empty_like(self._zero), np.empty_like(self._zero)
        gradient = X - self.data
        value = 0.5 * float(np.vdot(gradient, gradient))
        ends = self._edges.tails, self._edges.heads
        value += edge_loops.moreau_pass(
            *ends, self._radii, self._sigma, self._q, X, self._zero, Y, P, gradient
        )
        return Point(X, Y, P, value, gradient)

    def curvature(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """Return a and v, (m, d), with H_e = diag(a_e) - v_e v_e'."""
        a, v = np.empty_like(self._zero), np.empty_like(self._zero)
        edge_loops.jacobian_pass(self._radii, self._sigma, self._q, point.Y, point.P, a, v)
        return a, v

    def newton_direction(self, point: Point, rtol: float) -> FloatArray:
        """Return the Newton step: shape (n, d)."""
        return self.systems.solve(*self.curvature(point), -point.gradient, rtol)


def _line_search(problem: SmoothedProblem, point: Point, direction: FloatArray) -> Point | None:
    """Return the first point of X + D / 2^k that is good enough, if any."""
    descent = float(np.vdot(point.gradient, direction))
    step = 1.0
    for _ in range(HALVINGS):
        trial = problem.at(point.X + step * direction)
        if -step * descent > ROUNDING * abs(point.value):
            accepted = trial.value <= point.value + ARMIJO * step * descent
        else:
            accepted = float(np.vdot(trial.gradient, direction)) <= -0.5 * descent
        if accepted:
            return trial
        step *= 0.5
    return None
