"""Clustering algorithms whose labels are observed and nothing else: any scikit-learn clusterer."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.learning_model import Answer, LearningModel, LearningModelError, solve
from bilad.models.validation import ArgumentError, IntArray, real_array, whole_number


class ClustererError(LearningModelError):
    """The clusterer raised an exception, or did not return a partition of its data."""


class BlackBox(LearningModel):
    """A clusterer applied to fixed data, known by its labels only. Immutable.

    Each query fits a new clone of the clusterer.

    Parameters
    ----------
    data : array_like, shape (n, d)
        One row per point, n >= 2, d >= 1, finite.
    clusterer : object with `fit_predict(data)` and `get_params`
        A clusterer with scikit-learn's interface. It must be deterministic, so set its
        `random_state`. Its labels are used unchanged: the label -1 of DBSCAN, for noise, is a
        cluster like any other.
    max_queries : int, optional
        The largest number of queries of an attack. The query at eps = 0 and the queries that check
        that the clusterer is deterministic do not count.

    Raises
    ------
    ArgumentError
        If the data are invalid, or the clusterer has no `fit_predict`.
    """

    def __init__(self, data: ArrayLike, clusterer: Any, max_queries: int | None = None) -> None:
        from sklearn.base import clone  # slow to import

        super().__init__(data)
        if not callable(getattr(clusterer, "fit_predict", None)):
            raise ArgumentError("clusterer", type(clusterer).__name__, "an object with fit_predict")
        self.clusterer = clone(clusterer, safe=False)
        self.max_queries = (
            None if max_queries is None else whole_number(max_queries, "max_queries", least=0)
        )

    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same clusterer with other data of the same shape."""
        if set(parts) - {"data"}:
            raise ArgumentError("parts", ", ".join(sorted(parts)), "'data'")
        shaped = real_array(parts.get("data", self.data), "data", self.data.shape)
        return type(self)(shaped, self.clusterer, self.max_queries)

    def contradiction(self) -> ClustererError:
        """Return the error to raise if the clusterer gave two partitions of the same data."""
        return ClustererError(
            f"{type(self.clusterer).__name__} is not deterministic: it returned two different "
            "partitions of the same data; set its random_state"
        )

    def query(self) -> IntArray:
        """Return the cluster label of each point: shape (n,).

        Raises
        ------
        ClustererError
            If the clusterer raises an exception, or does not return one integer for each point.
        """
        from sklearn.base import clone

        name = type(self.clusterer).__name__
        try:
            answer = clone(self.clusterer, safe=False).fit_predict(np.array(self.data))
        except Exception as error:  # third-party code can raise anything
            raise ClustererError(f"{name} raised {type(error).__name__}: {error}") from error
        labels = np.asarray(answer)
        if labels.shape != (self.n,) or not np.issubdtype(labels.dtype, np.integer):
            raise ClustererError(
                f"{name} returned a {labels.dtype} array of shape {labels.shape}, "
                f"expected integers of shape ({self.n},)"
            )
        return labels.astype(np.int64)


@solve.register(BlackBox)
def _ask(
    model: BlackBox, start: Any = None, tol: float = 1e-8, time_limit: float = math.inf
) -> Answer:
    """Return the clusterer's labels; `start`, `tol` and `time_limit` have no effect."""
    return Answer(model.query())
