"""The direct test of a partition: the contracted problem, lifted, and a flow inside the clusters.

Convex clustering returns the partition iff

    (a) the contracted problem, of centroids with masses n_k and weights w^(k,l), keeps its K
        points y_k distinct, and
    (b) some Z makes X - A + B'Z = 0 at x_i = y_k for i in I_k: z_e in gamma w_e d||.||_p(u_e)
        between clusters, ||z_e||_q <= gamma w_e inside.

For p = 2, and for d = 1, z_e between clusters follows from (a), and (b) is a flow. For p = 1 and
p = inf it is free on a face where features of y_k - y_l vanish or tie, and (b) is a linear program
in all of Z. Asked for is the flow that fills its edges least, t gamma w_e: it exists for t <= 1
iff (b) holds. Weights may be zero, and points and centroids may coincide.

Everything here is to a solver's accuracy. The pair X, Z is what a proof is then made of.
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from scipy.spatial.distance import pdist

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, subgradient_rows
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.lower.contraction import Contraction, Lifted
from bilad.solvers.partition.routing import block_means

CONTRACTED_TOL = 1e-8  # of the contracted problem; its solver then adds digits
MOST_ITERATIONS = 200
TIE = 1e-8  # features so near each other, relative to the spread of the centroids, are tied
BALANCED = 1e-8  # missing flow, relative to the largest force, that counts as none
FLOW_TOL = 1e-10


@dataclass(frozen=True)
class Lifting:
    """How clearly a partition passes the direct test.

    Attributes
    ----------
    separation : float
        Least distance of two contracted centroids; inf if there is one, 0 if some fuse.
    congestion : float
        Least t: what the fullest edge inside a cluster carries, over its capacity. inf if no flow
        balances the clusters, whatever the capacities; NaN if the separation is 0.
    X, Z : ndarray, shapes (n, d) and (m, d)
        The contracted solution on each cluster, and the flow.
    """

    separation: float
    congestion: float
    X: FloatArray
    Z: FloatArray

    @property
    def passes(self) -> bool:
        """Whether (a) and (b) hold, to the accuracy of the solvers."""
        return self.separation > 0 and self.congestion <= 1


def lift(model: ConvexClustering, clusters: IntArray) -> Lifting:
    """Test a partition directly.

    Parameters
    ----------
    model : ConvexClustering
        gamma > 0.
    clusters : ndarray of int, shape (n,)
        0..K-1.
    """
    X, separation = _contracted(model, clusters)
    Z = model.radii[:, None] * subgradient_rows(model.graph.differences(X), model.p)
    if separation == 0:
        return Lifting(0.0, float("nan"), X, Z)
    problem = _flow_problem(model, clusters, X, Z)
    congestion, Z = _least_congested(problem)
    return Lifting(separation, congestion, X, Z)


def _contracted(model: ConvexClustering, clusters: IntArray) -> tuple[FloatArray, float]:
    """Return the contracted solution at each point, (n, d), and its separation."""
    first = np.unique(clusters, return_index=True)[1]
    X, merged = block_means(model.data, clusters)[clusters], clusters
    i, j = clusters[model.graph.edges].T
    if ((i != j) & (model.radii > 0)).any():
        start = Lifted(model.gamma, X, np.zeros((model.graph.m, model.d)), clusters)
        contraction = Contraction(model, clusters)
        solved = contraction.solve(model, start, CONTRACTED_TOL, MOST_ITERATIONS, float("inf"))
        X, merged = solved.X, solved.blocks
    if len(np.unique(merged)) < len(first):
        return X, 0.0
    return X, float(pdist(X[first]).min(initial=np.inf))


@dataclass(frozen=True)
class _FlowProblem:
    """Find V on the open edges, with B'V what the rest of Z leaves missing.

    Attributes
    ----------
    model : ConvexClustering
    Z : ndarray, shape (m, d)
        Zero where V is free.
    missing : ndarray, shape (n, d)
        A - X - B'Z.
    open_edges : ndarray of int, shape (h,)
        Inside clusters, and between them where features are tied.
    allowed : ndarray of bool, shape (h, d)
        Where V may differ from zero.
    on_face : ndarray of bool, shape (h,)
        Rows that are gamma w_e times a convex combination of the tied +-e_k (p = inf); the others
        are at most t gamma w_e.
    signs : ndarray, shape (h, d)
        Of V on the faces.
    crowded : ndarray of bool, shape (n,)
        Points that are not alone in their clusters; the others are balanced by (a).
    """

    model: ConvexClustering
    Z: FloatArray
    missing: FloatArray
    open_edges: IntArray
    allowed: BoolArray
    on_face: BoolArray
    signs: FloatArray
    crowded: BoolArray

    @property
    def largest(self) -> float:
        """The largest force or capacity: the unit of the program."""
        return max(float(np.abs(self.missing).max()), float(self.model.radii.max(initial=0.0)))


def _flow_problem(
    model: ConvexClustering, clusters: IntArray, X: FloatArray, Z: FloatArray
) -> _FlowProblem:
    """Say where Z, a subgradient at X, is free."""
    i, j = clusters[model.graph.edges].T
    inside = i == j
    allowed = (inside[:, None] | _tied(model, X)) & (model.radii > 0)[:, None]
    open_edges = np.flatnonzero(allowed.any(axis=1))
    whole_row = inside | (model.p == np.inf)
    Z = np.where(allowed | (whole_row & allowed.any(axis=1))[:, None], 0.0, Z)
    U = model.graph.differences(X)[open_edges]
    return _FlowProblem(
        model=model,
        Z=Z,
        missing=model.data - X - model.graph.adjoint(Z),
        open_edges=open_edges,
        allowed=allowed[open_edges],
        on_face=~inside[open_edges] & (model.p == np.inf),
        signs=np.where(U < 0, -1.0, 1.0),
        crowded=np.bincount(clusters)[clusters] > 1,
    )


def _tied(model: ConvexClustering, X: FloatArray) -> BoolArray:
    """Return where a subgradient at u is not unique, if u is not zero: shape (m, d)."""
    U = np.abs(model.graph.differences(X))
    near = TIE * float(np.ptp(X, axis=0).max())
    if model.d == 1 or model.p == 2:
        return np.zeros(U.shape, dtype=np.bool_)
    if model.p == 1:
        return near >= U
    leading = U.max(axis=1, keepdims=True, initial=0.0) - near <= U
    several = np.count_nonzero(leading, axis=1) > 1
    return leading & several[:, None]


def _least_congested(problem: _FlowProblem) -> tuple[float, FloatArray]:
    """Return the least t, and Z."""
    model, unit = problem.model, problem.largest
    points = np.unique(model.graph.edges[problem.open_edges])
    cut_off = problem.crowded.copy()
    cut_off[points] = False
    if np.abs(problem.missing[cut_off]).max(initial=0.0) > BALANCED * unit:
        return float("inf"), problem.Z
    if len(points) == 0:
        return 0.0, problem.Z
    incidence = model.graph.incidence[problem.open_edges][:, points]
    V, t = cp.Variable(problem.allowed.shape), cp.Variable(nonneg=True)
    # X is the contracted solution to some digits only: to that accuracy the flow has to balance.
    constraints = [cp.abs(incidence.T @ V - problem.missing[points] / unit) <= BALANCED]
    constraints += _limits(problem, V, t, model.radii[problem.open_edges] / unit)
    program = cp.Problem(cp.Minimize(t), constraints)
    tolerances = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), FLOW_TOL)
    with warnings.catch_warnings(), contextlib.suppress(cp.SolverError):
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        program.solve(cp.CLARABEL, **tolerances)
    if V.value is None:
        return float("inf"), problem.Z
    Z = problem.Z.copy()
    Z[problem.open_edges] += unit * V.value
    return float(t.value), Z


def _limits(
    problem: _FlowProblem, V: cp.Variable, t: cp.Variable, radii: FloatArray
) -> list[cp.Constraint]:
    limits = []
    bounded, faces = np.flatnonzero(~problem.on_face), np.flatnonzero(problem.on_face)
    if len(bounded):
        norms = cp.norm(V[bounded], conjugate(problem.model.p), axis=1)
        limits.append(norms <= t * radii[bounded])
    if len(faces):
        shares = cp.multiply(problem.signs[faces], V[faces])
        limits += [shares >= 0, cp.sum(shares, axis=1) == radii[faces]]
    row, feature = np.nonzero(~problem.allowed)
    if len(row):
        limits.append(V[row, feature] == 0)
    return limits
