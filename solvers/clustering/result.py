"""The result of a lower-level solve, the same whatever the method."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.partition import Partition

ROUNDOFF = 1e-14  # of the objective; an estimate of what rounding takes from a duality gap


@dataclass(frozen=True)
class Clustering:
    """The solution of a convex clustering model, with its proofs.

    Attributes
    ----------
    model : ConvexClustering
        What was solved.
    method : str
        Which solver did it: "ssnal", "clarabel" or "exact".
    X : ndarray, shape (n, d)
        Primal solution.
    partition : Partition
        Labels, and the pairs left undecided.
    objective : float
        Primal objective at X; 0 or inf where no double is near it.
    gap : float
        Proved relative duality gap, (primal - dual) / (1 + |primal|), Z projected.
    kkt_residual : float
        Relative KKT residual; inf if a limit came before it could be measured.
    status : str
        "optimal": gap and KKT residual are at most tol; "labels proved": they need not be, as
        labels were all that was asked; else "inaccurate", "iteration limit", "time limit",
        "interrupted" (from the keyboard) or "error: ...", and X is the best so far.
    iterations : int
        The method's own count: steps of ADMM and of Newton for SSNAL, interior-point steps for
        Clarabel.
    seconds : float
        Wall time, labels included.
    remark : str
        What did not go as planned, such as a factorisation that failed; empty if nothing.
    kept : object
        What the method leaves for a warm start; not pickled.
    """

    model: ConvexClustering
    method: str
    X: FloatArray
    partition: Partition
    objective: float
    gap: float
    kkt_residual: float
    status: str
    iterations: int
    seconds: float
    make_dual: Callable[[], FloatArray] = field(repr=False)
    remark: str = ""
    kept: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the factorisations."""
        return {**self.__dict__, "kept": None}

    @cached_property
    def Z(self) -> FloatArray:
        """Dual solution, feasible: shape (m, d), edges in the graph's order, oriented i -> j."""
        return self.make_dual()  # projected where squares are finite

    @property
    def labels(self) -> IntArray:
        """Cluster of each point: shape (n,)."""
        return self.partition.labels

    @property
    def outcome(self) -> IntArray:
        """The labels, which deviations compare."""
        return self.labels

    @cached_property
    def state(self) -> FloatArray:
        """X, with the mean of each cluster for its points: shape (n, d)."""
        means = np.zeros((self.n_clusters, self.X.shape[1]))
        np.add.at(means, self.labels, self.X)
        means /= np.bincount(self.labels)[:, None]
        return means[self.labels]

    @property
    def undecided(self) -> IntArray:
        """Pairs that the proof leaves undecided: shape (u, 2)."""
        return self.partition.undecided

    @property
    def proved(self) -> bool:
        """Whether the relation of every pair of points is proved."""
        return self.partition.proved

    @property
    def distance_bound(self) -> float:
        """Bound of ||X - X*||_F: sqrt(2 g), g the absolute gap, as the objective is 1-convex.

        What rounding may hide of the gap is estimated, at 1e-14 of the objective.
        """
        gap = max(self.gap, 0.0) + ROUNDOFF
        return math.sqrt(2.0 * gap * (1.0 + abs(self.objective)))

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1
