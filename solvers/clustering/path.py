"""`cluster_path` solves convex clustering for increasing gamma, each time from the last solution.

With general weights a cluster can split again as gamma increases; the result says where.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console
from rich.progress import Progress

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.representation import Represented
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    boolean,
    real_array,
    real_number,
    seconds_limit,
    whole_number,
)
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.gamma_grid import (
    GammaRange,
    UnfinishedGridError,
    warn_if_disconnected,
)
from bilad.solvers.clustering.methods import choose_lower_method
from bilad.solvers.clustering.path_plots import plot_clusters, plot_paths
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.suggestion import Suggestion, suggest
from bilad.solvers.clustering.unit_scale import unit_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

COLUMNS = (
    "gamma",
    "n_clusters",
    "largest",
    "proved",
    "undecided",
    "objective",
    "gap",
    "kkt_residual",
    "status",
    "seconds",
)
COUNT = 50  # number of gammas of the automatic grid


class NoDendrogramError(ValueError):
    """Raised if the clusters of a path do not form a tree; the message gives the reason."""


@dataclass(frozen=True, repr=False)
class ClusterPath(Represented):
    """Solutions of one model for increasing gamma.

    Attributes
    ----------
    model : ConvexClustering
        The model as given; its own gamma is not used.
    gammas : ndarray, shape (G,)
        The values that were solved, increasing; fewer than wanted if a limit was reached.
    clusterings : tuple of Clustering, length G
        The solution at each gamma, with its own proof and status.
    status : str
        "complete", "time limit", "interrupted" (from the keyboard) or "error: ...".
    seconds : float
        Wall time.
    """

    model: ConvexClustering
    gammas: FloatArray
    clusterings: tuple[Clustering, ...]
    status: str
    seconds: float

    def summary(self) -> dict[str, Any]:
        """Return the status, the gammas, the numbers of clusters and what is proved."""
        ends, counts = slice(None, None, max(len(self.gammas) - 1, 1)), self.n_clusters
        return {
            "status": self.status,
            "gammas": len(self.gammas),
            "range": tuple(self.gammas[ends].tolist()),
            "n_clusters": tuple(counts[ends].tolist()),
            "proved": sum(clustering.proved for clustering in self.clusterings),
            "seconds": self.seconds,
            "model": self.model,
        }

    def _content(self) -> dict[str, Any]:
        """Return the summary, and for each gamma its row of `to_frame` and the labels."""
        rows = self.to_frame().to_dict("records")
        labels = (clustering.labels for clustering in self.clusterings)
        path = [{**row, "labels": own} for row, own in zip(rows, labels, strict=True)]
        return {**self.summary(), "path": path}

    @property
    def n_clusters(self) -> IntArray:
        """Number of clusters at each gamma: shape (G,)."""
        return np.array([c.n_clusters for c in self.clusterings], dtype=np.int64)

    @cached_property
    def splits(self) -> list[tuple[int, IntArray]]:
        """Proved splits (k, points): one cluster at gammas[k - 1] that has split at gammas[k]."""
        return [
            (k, points)
            for k in range(1, len(self.gammas))
            for points in self._split_clusters(k)
            if not np.isin(points, self.clusterings[k - 1].undecided).any()
        ]

    def _split_clusters(self, k: int) -> list[IntArray]:
        """Return the points of each cluster of gammas[k - 1] with several labels at gammas[k]."""
        before, after = self.clusterings[k - 1].labels, self.clusterings[k].labels
        pieces = np.unique(np.column_stack([before, after]), axis=0)[:, 0]
        return [np.flatnonzero(before == c) for c in np.flatnonzero(np.bincount(pieces) > 1)]

    @cached_property
    def linkage(self) -> FloatArray:
        """The linkage matrix for `scipy.cluster.hierarchy.dendrogram`: shape (n - 1, 4).

        The height of a merge is the first gamma at which the points are one cluster. Three or more
        clusters that merge at the same gamma give several merges of that height.

        Raises
        ------
        NoDendrogramError
            If clusters split, more than one remains at the last gamma, or no gamma was solved.
        """
        self._check_tree()
        nodes, sizes = np.arange(self.model.n), np.ones(self.model.n, dtype=np.int64)
        before, merges = nodes, []
        for gamma, clustering in zip(self.gammas, self.clusterings, strict=True):
            merged: dict[int, int] = {}
            counts = np.zeros(clustering.n_clusters, dtype=np.int64)
            for c, child in np.unique(np.column_stack([clustering.labels, before]), axis=0):
                counts[c] += sizes[child]
                if c in merged:
                    merges.append((merged[c], nodes[child], gamma, counts[c]))
                    merged[c] = self.model.n + len(merges) - 1
                else:
                    merged[c] = nodes[child]
            nodes, sizes = np.array([merged[c] for c in range(len(counts))]), counts
            before = clustering.labels
        return np.array(merges, dtype=np.float64)

    def _check_tree(self) -> None:
        for k in range(1, len(self.gammas)):
            if split := self._split_clusters(k):
                first, gamma = split[0], self.gammas[k]
                proved = any(k == index for index, _ in self.splits)
                why = "" if proved else "; the labels are not proved there: try refine=True"
                raise NoDendrogramError(
                    f"clusters split: at gamma = {gamma:g} the cluster of point {first[0]} and "
                    f"{len(first) - 1} more splits{why}"
                )
        left = int(self.n_clusters[-1]) if len(self.gammas) else self.model.n
        if left > 1:
            where = f"at the last gamma, {self.gammas[-1]:g}" if len(self.gammas) else "unsolved"
            parts = self.model.graph.n_components
            mend = (
                "add larger gammas"
                if parts == 1
                else f"no gamma joins the {parts} components of the graph: add edges between them, "
                "or cluster each by itself"
            )
            raise NoDendrogramError(f"{left} clusters remain {where}: {mend}")

    def plot(self, ax: Axes | None = None, features: Sequence[int | str] = (0, 1)) -> Axes:
        """Draw the data and the path of each point, coloured by its cluster at the last gamma.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.
        features : pair of int or str, default (0, 1)
            The features to draw, by their numbers or names. With a single feature, x is drawn
            against gamma.

        Raises
        ------
        ArgumentError
            If an argument is something else.
        """
        return plot_paths(self.model, self.gammas, self.clusterings, ax, features)

    def plot_clusters(self, ax: Axes | None = None) -> Axes:
        """Draw the number of clusters against gamma, on logarithmic axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.
        """
        return plot_clusters(self.gammas, self.clusterings, ax)

    def suggest(self, n_clusters: int | None = None, count: int = 5) -> list[Suggestion]:
        """Return partitions that stay the same over long ranges of gamma.

        Three kinds are left out, unless `n_clusters` is given and no partition is nearer to it: all
        distinct points apart, more than half of the points in clusters of their own, and one
        cluster for each component of the graph.

        Parameters
        ----------
        n_clusters : int, optional
            If it is given, partitions into this number of clusters come first, then those with the
            nearest numbers. Partitions with equally near numbers are ordered by their lifetime.
        count : int, default 5
            The largest number of suggestions.

        Returns
        -------
        list of Suggestion
            The longest lifetime first; if lifetimes are equal, the one with fewer clusters. It is
            empty if the path has no such partition.
        """
        if n_clusters is not None:
            n_clusters = whole_number(n_clusters, "n_clusters", least=1)
        return suggest(
            self.gammas, self.clusterings, n_clusters, whole_number(count, "count", least=1)
        )

    def to_frame(self) -> DataFrame:
        """Return a table with one row a gamma.

        Its columns are gamma, n_clusters, largest (the size of the largest cluster), proved,
        undecided (the number of undecided pairs), objective, gap, kkt_residual, status and seconds.
        """
        import pandas as pd

        rows = [
            (
                c.model.gamma,
                c.n_clusters,
                int(np.bincount(c.labels).max()),
                c.proved,
                len(c.undecided),
                c.objective,
                c.gap,
                c.kkt_residual,
                c.status,
                c.seconds,
            )
            for c in self.clusterings
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def cluster_path(
    model: ConvexClustering,
    gammas: ArrayLike | None = None,
    method: str = "auto",
    tol: float = 1e-8,
    refine: bool = False,
    max_iterations: int = 1000,
    time_limit: float = float("inf"),
    progress: bool = False,
    on_progress: Callable[[int, Clustering], None] | None = None,
) -> ClusterPath:
    """Solve a convex clustering model for several values of gamma, in increasing order.

    Parameters
    ----------
    model : ConvexClustering
        Its gamma is not used.
    gammas : array_like, shape (G,), optional
        Nonnegative and distinct, in any order. By default they are `gamma_grid(model)`: 50 values
        from below the first merge to the least gamma at which each component is one cluster.
    method, tol, refine, max_iterations
        As for `cluster`, at each gamma. Each solve starts from the last one.
    time_limit : float, default inf
        Seconds for the whole path.
    progress : bool, default False
        Show a progress bar on the standard error stream.
    on_progress : callable(index, clustering), optional
        Called after each gamma. An exception that it raises ends the path.

    Returns
    -------
    ClusterPath
        After a limit, an error or an interrupt from the keyboard it holds the solutions so far, and
        `status` gives the reason.

    Raises
    ------
    ArgumentError
        If an argument is wrong; raised before any work. Also if no gammas are given and no two
        distinct points are in one component of the graph.
    UnsupportedError
        If the method cannot solve the model.

    Warns
    -----
    DisconnectedGraphWarning
        If the graph has several components, which no gamma fuses with each other.
    """
    began = time.perf_counter()
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    given = None if gammas is None else _increasing(gammas)
    if on_progress is not None and not callable(on_progress):
        raise ArgumentError("on_progress", type(on_progress).__name__, "a callable, or None")
    most = whole_number(max_iterations, "max_iterations", least=1)
    deadline = began + seconds_limit(time_limit, "time_limit", least=0.0)
    unit = unit_scale(model.with_gamma(1.0 if given is None else given[-1]))
    chosen = choose_lower_method(unit.model, method).name
    tol = real_number(tol, "tol", above=0.0)
    boolean(refine, "refine")
    boolean(progress, "progress")
    levels = (
        partial(GammaRange(model, chosen, deadline).grid, COUNT)
        if given is None
        else partial(np.asarray, given)
    )
    warn_if_disconnected(model.graph)
    done: list[Clustering] = []
    latest: Clustering | None = None
    status = "complete"
    with Progress(disable=not progress, console=Console(stderr=True)) as bar:
        task = bar.add_task("cluster path", total=COUNT if given is None else len(given))
        try:
            for index, level in enumerate(levels()):
                if time.perf_counter() >= deadline:
                    status = "time limit"
                    break
                left, at = deadline - time.perf_counter(), model.with_gamma(level)
                latest = solve_lower(at, chosen, tol, latest, most, left, refine)
                if latest.status == "time limit" or latest.status.startswith("error"):
                    status = latest.status
                    break
                done.append(
                    replace(latest, reusable=None)
                )  # factorisations serve the next solve only
                bar.advance(task)
                if on_progress is not None:
                    on_progress(index, done[-1])
        except KeyboardInterrupt:
            status = "interrupted"
        except UnfinishedGridError as stop:
            status = stop.status
        except Exception as error:  # raised by on_progress
            status = f"error: {type(error).__name__}: {error}"
    solved = np.array([clustering.model.gamma for clustering in done])
    return ClusterPath(model, solved, tuple(done), status, time.perf_counter() - began)


def _increasing(gammas: ArrayLike) -> FloatArray:
    """Check and sort the gammas."""
    levels = np.sort(real_array(gammas, "gammas", (None,)))
    if len(levels) == 0:
        raise ArgumentError("gammas", "none", "at least one")
    if levels[0] < 0:
        raise ArgumentError("gammas", levels[0], "no negative number")
    twice = levels[1:][np.diff(levels) == 0]
    if len(twice):
        raise ArgumentError("gammas", f"{twice[0]:g} twice", "each once")
    return levels
