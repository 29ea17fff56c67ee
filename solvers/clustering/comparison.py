"""One convex clustering model solved by several methods, side by side.

Each solution has a proved bound on its distance to the only minimiser X*, and proved labels. So two
correct results cannot contradict each other: the distance of two solutions is at most the sum of
their bounds, and no pair of points is proved together by one and apart by the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, boolean, names_among, real_number, seconds_limit
from bilad.solvers.clustering.cluster import cluster
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.methods import LOWER_METHODS
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.errors import UnsupportedError

if TYPE_CHECKING:
    from pandas import DataFrame

ROUNDOFF = 1e-14  # estimated rounding error of a distance, relative to the size of the data

COLUMNS = (
    "status",
    "objective",
    "gap",
    "kkt_residual",
    "distance",
    "bound",
    "labels",
    "clusters",
    "undecided",
    "iterations",
    "seconds",
)
COUNTS = ("clusters", "undecided", "iterations")


@dataclass(frozen=True, repr=False)
class LowerComparison(Represented):
    """The solutions of one model by several methods.

    Attributes
    ----------
    model : ConvexClustering
    clusterings : dict of str to Clustering
        The solution by each method.
    not_run : dict of str to str
        The reason why a method has no solution: it cannot solve the model, or the comparison was
        interrupted from the keyboard before it.
    """

    model: ConvexClustering
    clusterings: Mapping[str, Clustering]
    not_run: Mapping[str, str]

    def summary(self) -> dict[str, Any]:
        """Return whether the solutions agree, and how each method ended."""
        ended = {name: found.status for name, found in self.clusterings.items()}
        return {
            "agrees": self.agrees,
            "reference": self.reference,
            **ended,
            **self.not_run,
            "model": self.model,
        }

    def _content(self) -> dict[str, Any]:
        """Return the summary, and for each method its row of `to_frame`."""
        table = self.to_frame().astype(object)
        rows = table.where(table.notna(), None).to_dict("index")
        return {
            "agrees": self.agrees,
            "reference": self.reference,
            "methods": rows,
            "model": self.model,
        }

    @cached_property
    def reference(self) -> str | None:
        """The method with the least proved distance to the minimiser; None if there is none."""
        return min(
            self.clusterings,
            key=lambda name: self.clusterings[name].distance_bound,
            default=None,
        )

    @property
    def agrees(self) -> bool | None:
        """Whether no two solutions contradict each other; None if there are not two solutions.

        A solution that does not reach the tolerance contradicts another one only if they are
        farther apart than their own bounds allow, or if their proved labels differ.
        """
        names = list(self.clusterings)
        if len(names) < 2:
            return None
        pairs = [(one, other) for k, one in enumerate(names) for other in names[:k]]
        return all(
            self._distance(*pair) <= self._bound(*pair) and self._labels_agree(*pair) is not False
            for pair in pairs
        )

    def to_frame(self) -> DataFrame:
        """Return a table with one row a method, in the order given.

        Returns
        -------
        DataFrame
            Index: method. Columns: status (the reason, if the method was not run), objective,
            gap and kkt_residual (both relative), distance (||X - X'||_F to the solution X' of the
            reference), bound (the proved bound on this distance), labels ("agree", "contradict", or
            "undecided": they differ at most in pairs that are not proved), clusters, undecided
            (pairs), iterations, seconds. The reference is compared with itself.
        """
        import pandas as pd

        rows = {name: self._row(name) for name in self.clusterings}
        rows |= {name: {"status": reason} for name, reason in self.not_run.items()}
        table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(COLUMNS))
        table.index.name = "method"
        return table.astype(dict.fromkeys(COUNTS, "Int64"))  # whole numbers beside missing ones

    def _row(self, name: str) -> dict[str, object]:
        one, reference = self.clusterings[name], str(self.reference)
        agree = self._labels_agree(name, reference)
        values = (
            one.status,
            one.objective,
            one.gap,
            one.kkt_residual,
            self._distance(name, reference),
            self._bound(name, reference),
            "undecided" if agree is None else "agree" if agree else "contradict",
            one.n_clusters,
            len(one.undecided),
            one.iterations,
            one.seconds,
        )
        return dict(zip(COLUMNS, values, strict=True))

    def _distance(self, one: str, other: str) -> float:
        return float(np.linalg.norm(self.clusterings[one].X - self.clusterings[other].X))

    def _bound(self, one: str, other: str) -> float:
        rounding = ROUNDOFF * float(np.linalg.norm(self.model.data))
        bounds = [self.clusterings[name].distance_bound for name in (one, other)]
        return sum(bounds) + rounding

    def _labels_agree(self, one: str, other: str) -> bool | None:
        """Return whether two partitions are equal, or None if only undecided pairs differ."""
        first, second = (self.clusterings[name].partition for name in (one, other))
        if _contradicts(first, second) or _contradicts(second, first):
            return False
        return True if np.array_equal(first.labels, second.labels) else None


def _contradicts(together: Partition, apart: Partition) -> bool:
    """Return whether one partition proves two points together that the other one proves apart."""
    doubtful = np.isin(together.labels, together.labels[together.undecided])
    if doubtful.all():
        return False
    sure, other = together.labels[~doubtful], apart.labels[~doubtful]
    return len(np.unique(np.column_stack([sure, other]), axis=0)) > len(np.unique(sure))


def compare_lower(
    model: ConvexClustering,
    methods: Sequence[str] = ("ssnal", "exact", "clarabel"),
    tol: float = 1e-8,
    time_limit: float | None = None,
    refine: bool = False,
) -> LowerComparison:
    """Solve a convex clustering model by several methods, each from scratch, and compare them.

    Each method first solves three points, so that its seconds do not include the loading of
    compiled code.

    Parameters
    ----------
    model : ConvexClustering
    methods : sequence of str
        Among "ssnal", "exact" and "clarabel", without repetition. By default all three.
    tol : float, default 1e-8
        As for `cluster`, for each method.
    time_limit : float, optional
        Seconds for each method; no limit by default.
    refine : bool, default False
        As for `cluster`, for each method.

    Returns
    -------
    LowerComparison
        Always, once the arguments are accepted. A method that cannot solve the model has its reason
        in `not_run`.

    Raises
    ------
    ArgumentError
        If an argument is wrong; raised before any work.
    """
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    names = names_among(methods, "methods", LOWER_METHODS)
    tol = real_number(tol, "tol", above=0.0)
    limit = seconds_limit(time_limit, "time_limit", above=0.0)
    boolean(refine, "refine")
    clusterings: dict[str, Clustering] = {}
    not_run: dict[str, str] = {}
    interrupted = False
    for name in names:
        if interrupted:
            not_run[name] = "interrupted"
            continue
        try:
            found = first = cluster(_three_points(model), name)  # loads compiled code
            if first.status != "interrupted":
                found = cluster(model, name, tol, time_limit=limit, refine=refine)
        except UnsupportedError as error:
            not_run[name] = error.reason
            continue
        interrupted = found.status == "interrupted"
        if found is first:
            not_run[name] = "interrupted"
        else:
            clusterings[name] = found
    return LowerComparison(model, clusterings, not_run)


def _three_points(model: ConvexClustering) -> ConvexClustering:
    """Return a model of three points with the norm and the dimension of another."""
    data = np.arange(3.0)[:, None] * np.ones(model.d)
    return ConvexClustering(data, FusionGraph.complete(3), 0.1, model.p)
