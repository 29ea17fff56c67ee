"""The options and the result of a lower-level solve, the same for every method."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bilad.models.frame import point_frame
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.representation import Represented
from bilad.models.scatter_plot import BESIDE, ScatterPlot
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.partition import Partition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

ROUNDOFF = 1e-14  # estimated rounding error of a duality gap, relative to the objective


@dataclass(frozen=True)
class SolveOptions:
    """The options of one call of a method.

    Attributes
    ----------
    tol : float
        Largest relative gap and relative KKT residual.
    start : (X, Z) or None
        Warm start from an earlier solve.
    reusable : object
        Factorisations or a conic program from an earlier call of the same method, or None.
    max_iterations : int
    deadline : float
        Value of `time.perf_counter()` at which to stop the solve, and later the proof.
    reference : float
        Relative errors are divided by reference + ||A||, or by reference^2 + |objective|; at most
        1.
    """

    tol: float
    start: tuple[FloatArray, FloatArray] | None = None
    reusable: Any = None
    max_iterations: int = 1000
    deadline: float = math.inf
    reference: float = 1.0


@dataclass(frozen=True)
class Measure:
    """The primal objective, the duality gap and the KKT residual of a pair, all absolute."""

    primal: float
    gap: float
    residual: float


@dataclass(frozen=True)
class MethodResult:
    """The result of one call of a method; `Clustering` explains the attributes.

    `status` says how the method ended. A method that computes its dual solution only on demand
    returns its own measure and its own proof of the partition. The other methods prove nothing.
    """

    X: FloatArray
    make_dual: Callable[[], FloatArray]
    partition: Partition
    status: str
    iterations: int
    reusable: Any = None
    remark: str = ""
    measure: Measure | None = None


@dataclass(frozen=True, repr=False)
class Clustering(Represented):
    """The solution of a convex clustering model, with proved accuracy and proved labels.

    Attributes
    ----------
    model : ConvexClustering
        The model that was solved.
    method : str
        The method that solved it: "ssnal", "clarabel" or "exact".
    X : ndarray, shape (n, d)
        Primal solution.
    partition : Partition
        The labels, and the pairs of points that are undecided.
    objective : float
        Primal objective at X; 0 or inf if it underflows or overflows.
    gap : float
        Relative duality gap (primal - dual) / (1 + |primal|) of X and the feasible Z.
    kkt_residual : float
        Relative KKT residual; inf if a limit was reached before it could be computed.
    status : str
        "optimal" if gap and KKT residual are at most `tol`. "labels proved" if only labels were
        wanted and they are proved. Otherwise "inaccurate", "iteration limit", "time limit",
        "interrupted" (from the keyboard) or "error: ...", and X is the best point so far.
    iterations : int
        Steps of ADMM and of Newton's method (SSNAL), or interior-point steps (Clarabel).
    seconds : float
        Wall time, including the proof of the labels.
    remark : str
        Notes on the solve, such as a factorisation that failed; empty if there are none.
    reusable : object
        Factorisations or a conic program for a warm start; not pickled.
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
    reusable: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the factorisations."""
        return {**self.__dict__, "reusable": None}

    def summary(self) -> dict[str, Any]:
        """Return the status, the clusters and what is proved of them, and the accuracy."""
        return {
            "status": self.status,
            "n_clusters": self.n_clusters,
            "sizes": np.bincount(self.labels),
            "proved": self.proved,
            "objective": self.objective,
            "gap": self.gap,
            "kkt_residual": self.kkt_residual,
            "method": self.method,
            "iterations": self.iterations,
            "seconds": self.seconds,
        }

    def _content(self) -> dict[str, Any]:
        names = ("labels", "undecided", "X", "distance_bound", "remark", "model")
        return {**self.summary(), **{name: getattr(self, name) for name in names}}

    def to_frame(self) -> DataFrame:
        """Return one row a point: its label, then its row of X under the names of the features.

        The index is that of the data frame in which the data were given, or 0, .., n-1; without a
        data frame the features are x0, x1, ...
        """
        model = self.model
        return point_frame(self.X, model.feature_names, model.index, {"label": self.labels})

    def plot(self, ax: Axes | None = None, features: Sequence[int | str] = (0, 1)) -> Axes:
        """Draw the data, coloured by cluster, and the row of X of each cluster as a cross.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.
        features : pair of int or str, default (0, 1)
            The features to draw, by their numbers or names. If there is only one, it is drawn
            against the number of the point.

        Raises
        ------
        ArgumentError
            If an argument is something else.
        """
        plot = ScatterPlot.of(self.model, features, ax)
        plot.draw(self.model.data, self.labels, "cluster")
        first = np.unique(self.labels, return_index=True)[1]
        centres = plot.coordinates(self.state)[first]
        plot.axes.scatter(
            centres[:, 0], centres[:, 1], s=60, marker="x", color="black", label="rows of X"
        )
        plot.axes.legend(**BESIDE)
        return plot.axes

    @cached_property
    def Z(self) -> FloatArray:
        """Dual solution, feasible: shape (m, d), edges in the graph's order, oriented i -> j."""
        return self.make_dual()  # projected in scaled units, where squares are finite

    @property
    def labels(self) -> IntArray:
        """Cluster of each point: shape (n,)."""
        return self.partition.labels

    @property
    def outcome(self) -> IntArray:
        """The labels: the outcome that deviations compare."""
        return self.labels

    @cached_property
    def state(self) -> FloatArray:
        """X averaged over each cluster: shape (n, d)."""
        means = np.zeros((self.n_clusters, self.X.shape[1]))
        np.add.at(means, self.labels, self.X)
        means /= np.bincount(self.labels)[:, None]
        return means[self.labels]

    @property
    def undecided(self) -> IntArray:
        """Pairs of points not proved together or apart: shape (u, 2).

        Two points that a chain of these pairs connects are undecided too.
        """
        return self.partition.undecided

    @property
    def proved(self) -> bool:
        """Whether every pair of points is proved to be together or apart."""
        return self.partition.proved

    @property
    def distance_bound(self) -> float:
        """Bound sqrt(2 g) on ||X - X*||_F for the absolute gap g.

        The bound holds because the objective is strongly convex with modulus 1. The rounding error
        of the gap is estimated as 1e-14 of the objective.
        """
        gap = max(self.gap, 0.0) + ROUNDOFF
        return math.sqrt(2.0 * gap * (1.0 + abs(self.objective)))

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1
