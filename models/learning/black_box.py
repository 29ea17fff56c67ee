"""A clusterer known by its answers only: anything with scikit-learn's `fit_predict`."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.learning_model import Answer, LearningModel, LearningModelError, solve
from bilad.models.validation import ArgumentError, IntArray, real_array, whole_number


class ClustererError(LearningModelError):
    """A clusterer that raised, or whose answer is no clustering of its data."""


class BlackBox(LearningModel):
    """A clusterer at fixed data. Immutable: each query clusters with a fresh clone.

    Parameters
    ----------
    data : array_like, shape (n, d)
        One row per point, n >= 2, d >= 1, finite.
    clusterer : object with `fit_predict(data)` and `get_params`
        As scikit-learn's, deterministic: set its `random_state`. Its labels are taken as they are;
        DBSCAN's -1, noise, is a cluster like any other.
    max_queries : int, optional
        How many eps an attack may ask about. The query at eps = 0, and those that check whether an
        answer is given twice, are not counted.

    Raises
    ------
    ArgumentError
        If the data are no such array, or the clusterer cannot be queried.
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
        """Return the same clusterer at other data of the same shape."""
        if set(parts) - {"data"}:
            raise ArgumentError("parts", ", ".join(sorted(parts)), "'data'")
        shaped = real_array(parts.get("data", self.data), "data", self.data.shape)
        return type(self)(shaped, self.clusterer, self.max_queries)

    def contradiction(self) -> ClustererError:
        """Return the error that the clusterer has given two partitions of the same data."""
        return ClustererError(
            f"{type(self.clusterer).__name__} is not deterministic, it gave two partitions of the "
            "same data; set its random_state"
        )

    def query(self) -> IntArray:
        """Return the cluster of each point: shape (n,).

        Raises
        ------
        ClustererError
            If the clusterer raises, or does not return one integer a point.
        """
        from sklearn.base import clone

        name = type(self.clusterer).__name__
        try:
            answer = clone(self.clusterer, safe=False).fit_predict(np.array(self.data))
        except Exception as error:  # whatever a stranger's code raises
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
    """Return what the clusterer answers; there is nothing to start from, and no limit is kept."""
    return Answer(model.query())
