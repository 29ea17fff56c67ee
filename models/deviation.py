"""Deviation functions: how far apart two partitions of the same points are (paper, section 5).

A deviation function is zero on equal partitions and nonnegative. `delta` is the paper's measure,
the number of ordered pairs whose together/apart relation changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from bilad.models.validation import ArgumentError, IntArray, one_of


def contingency(labels: IntArray, other: IntArray) -> IntArray:
    """Return the table c_kl = |I_k and J_l|: shape (K, L).

    Thirty times faster on a hundred points than scikit-learn's, whose checks would cost more than
    an exact lower-level solve.
    """
    _, rows = np.unique(labels, return_inverse=True)
    _, columns = np.unique(other, return_inverse=True)
    shape = (rows.max() + 1, columns.max() + 1)
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def delta(labels: IntArray, other: IntArray) -> int:
    """Return ||D D' - E E'||_F^2 for the membership matrices D, E of two partitions.

    From the contingency table c, with row sums n_k and column sums m_l:
    sum_k n_k^2 + sum_l m_l^2 - 2 sum_kl c_kl^2. At most n (n - 1).
    """
    table = contingency(labels, other)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    return int(rows @ rows + columns @ columns - 2 * np.vdot(table, table))


def rand_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - RI = delta / (n (n - 1)), RI the Rand index (paper, equation (4))."""
    n = len(labels)
    return delta(labels, other) / (n * (n - 1))


def adjusted_rand_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - ARI, ARI the Rand index adjusted for chance (scikit-learn)."""
    return _one_minus(adjusted_rand_score(labels, other), labels, other)


def nmi_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - NMI, normalised by the arithmetic mean of the entropies (scikit-learn).

    NMI of two one-cluster partitions, 0/0, is taken as 1; of a one-cluster partition and any
    other, as 0. The paper finds that NMI is not monotone and hence not a reasonable choice.
    """
    return _one_minus(normalized_mutual_info_score(labels, other), labels, other)


def _one_minus(score: float, labels: IntArray, other: IntArray) -> float:
    """Return 1 - score, exactly zero for equal partitions, which the score only nearly is."""
    return 0.0 if delta(labels, other) == 0 else max(0.0, 1.0 - float(score))


def changed(labels: IntArray, other: IntArray) -> int:
    """Return N_chg, the number of points whose label differs, labels taken as they are."""
    return int(np.count_nonzero(labels != other))


def changed_matched(labels: IntArray, other: IntArray) -> int:
    """Return N_chg after the renaming of clusters that makes it least (Hungarian method)."""
    table = contingency(labels, other)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return len(labels) - int(table[rows, columns].sum())


@dataclass(frozen=True)
class DeviationFunction:
    """A deviation function and the largest value it can take on n points."""

    name: str
    value: Callable[[IntArray, IntArray], float]
    largest: Callable[[int], float]


DEVIATIONS = {
    function.name: function
    for function in (
        DeviationFunction("delta", delta, lambda n: n * (n - 1)),
        DeviationFunction("rand", rand_deviation, lambda n: 1.0),
        DeviationFunction("adjusted-rand", adjusted_rand_deviation, lambda n: 2.0),
        DeviationFunction("nmi", nmi_deviation, lambda n: 1.0),
        DeviationFunction("changed", changed, lambda n: n),
        DeviationFunction("changed-matched", changed_matched, lambda n: n - 1),
    )
}


def deviation_function(name: str) -> DeviationFunction:
    """Return the deviation function called `name`."""
    return DEVIATIONS[one_of(name, "deviation", DEVIATIONS)]


def deviation(labels: ArrayLike, perturbed_labels: ArrayLike, name: str = "delta") -> float:
    """Return the deviation of one partition from another.

    Parameters
    ----------
    labels, perturbed_labels : array_like of int, shape (n,)
        Cluster labels of the same n >= 2 points; only `changed` reads the numbers themselves.
    name : {"delta", "rand", "adjusted-rand", "nmi", "changed", "changed-matched"}
        Which function; "delta" by default.

    Raises
    ------
    ArgumentError
        If the lengths differ, the labels are not integers, or the name is not known.
    """
    function = deviation_function(name)
    first = _check_labels(labels, "labels")
    second = _check_labels(perturbed_labels, "perturbed_labels")
    if len(first) != len(second):
        raise ArgumentError("perturbed_labels", f"length {len(second)}", f"length {len(first)}")
    return function.value(first, second)


def _check_labels(labels: ArrayLike, argument: str) -> IntArray:
    array = np.asarray(labels)
    if array.ndim != 1 or len(array) < 2 or not np.issubdtype(array.dtype, np.integer):
        raise ArgumentError(
            argument, f"{array.dtype} array of shape {array.shape}", "integers, shape (n,), n >= 2"
        )
    return array.astype(np.int64)
