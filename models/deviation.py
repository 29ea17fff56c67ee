"""Deviation functions U: how much the outcome of a learning model has changed (paper, section 5).

A deviation function is nonnegative, and zero if the two outcomes are equal. All functions here
except "distance" compare two partitions of the same points. The measure of the paper is `delta`,
the number of ordered pairs of points that are together (in one cluster) in one partition and apart
in the other. Some deviation functions are additive over pairs,

    U = sum over pairs i < j of c_ij [i and j are together in exactly one of the two partitions],

which smooth approximations and mixed-integer models require. "distance" compares the parameter
vectors of learning models that have no clusters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import add

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bilad.models.deviation_function import (
    DEVIATIONS,
    DeviationFunction,
    constant,
    deviation_function,
    register_deviations,
)
from bilad.models.prediction_deviation import changed_predictions, validation_loss
from bilad.models.smooth_deviation import Kernel, SmoothDeviation, SmoothDistance
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    index_array,
    integer_array,
)

UNCERTAINTY = 1e-6  # relative distance within which two solutions of one model agree


def contingency(labels: IntArray, other: IntArray) -> IntArray:
    """Return the contingency table c_kl = |I_k and J_l| of two partitions: shape (K, L).

    It is computed here, because the checks of scikit-learn's function cost more than an exact
    lower-level solve of a hundred points.
    """
    _, rows = np.unique(labels, return_inverse=True)
    _, columns = np.unique(other, return_inverse=True)
    shape = (rows.max() + 1, columns.max() + 1)
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def delta(labels: IntArray, other: IntArray) -> int:
    """Return delta = ||D D' - E E'||_F^2 for the membership matrices D, E of two partitions.

    It is the number of ordered pairs whose relation (together or apart) changed, at most n (n - 1).
    With the contingency table c, its row sums n_k and its column sums m_l, it equals
    sum_k n_k^2 + sum_l m_l^2 - 2 sum_kl c_kl^2.
    """
    table = contingency(labels, other)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    return int(rows @ rows + columns @ columns - 2 * np.vdot(table, table))


def rand_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - RI = delta / (n (n - 1)), where RI is the Rand index (paper, equation (4)).

    It orders partitions exactly as delta does.
    """
    n = len(labels)
    return delta(labels, other) / (n * (n - 1))


def adjusted_rand_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - ARI, where ARI is the Rand index adjusted for chance, from scikit-learn."""
    from sklearn.metrics import adjusted_rand_score  # slow to import

    return _one_minus(adjusted_rand_score(labels, other), labels, other)


def nmi_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - NMI, where NMI is the mutual information over the mean of the two entropies.

    If both partitions have one cluster, NMI is 0/0 and is taken as 1; if only one of them has one
    cluster, NMI is 0. The paper shows that this deviation is not monotone, and advises against it.
    """
    from sklearn.metrics import normalized_mutual_info_score  # slow to import

    return _one_minus(normalized_mutual_info_score(labels, other), labels, other)


def variation_of_information(labels: IntArray, other: IntArray) -> float:
    """Return the variation of information H(I|J) + H(J|I), in natural logarithms (Meila, 2007).

    It is a metric, computed as sum_kl c_kl / n [log(n_k / c_kl) + log(m_l / c_kl)]. All terms are
    nonnegative, and all are zero if and only if the partitions are equal.
    """
    table = contingency(labels, other)
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0)
    logarithms = -scipy.special.rel_entr(table, rows) - scipy.special.rel_entr(
        table, columns
    )  # exactly 0 for equal partitions
    return float(logarithms.sum()) / len(labels)


def _one_minus(score: float, labels: IntArray, other: IntArray) -> float:
    """Return 1 - score, and exactly 0 for equal partitions, whose score may be rounded."""
    return 0.0 if delta(labels, other) == 0 else max(0.0, 1.0 - float(score))


def changed(labels: IntArray, other: IntArray) -> int:
    """Return N_chg, the number of points whose label changed, without matching the labels."""
    return int(np.count_nonzero(labels != other))


def changed_matched(labels: IntArray, other: IntArray) -> int:
    """Return N_chg minimised over all renamings of the clusters (Hungarian method)."""
    table = contingency(labels, other)
    rows, columns = scipy.optimize.linear_sum_assignment(table, maximize=True)
    return len(labels) - int(table[rows, columns].sum())


def renamed(labels: IntArray, other: IntArray) -> IntArray:
    """Return `other` with its clusters named as in `labels`, so that fewest points change.

    Clusters beyond the number of those in `labels` get new numbers.
    """
    old, (_, numbers) = np.unique(labels), np.unique(other, return_inverse=True)
    rows, columns = scipy.optimize.linear_sum_assignment(contingency(labels, other), maximize=True)
    is_new = np.ones(numbers.max() + 1, dtype=np.int64)
    is_new[columns] = 0
    names = old.max() + np.cumsum(is_new)
    names[columns] = old[rows]
    return names[numbers]


def parameter_distance(parameters: FloatArray, other: FloatArray) -> float:
    """Return the Euclidean distance of two parameter arrays."""
    return float(np.linalg.norm(other - parameters))


def _distance_tolerance(parameters: FloatArray) -> float:
    return UNCERTAINTY * float(np.linalg.norm(parameters))


def _smooth_distance(parameters: FloatArray, kernel: Kernel) -> SmoothDeviation:
    return SmoothDistance(parameters)


def _ordered_pairs(n: int) -> int:
    return n * (n - 1)


def _rand_coefficient(n: int) -> float:
    return 2 / _ordered_pairs(n)


def _all_pairs(coefficient: Callable[[int], float], n: int) -> tuple[IntArray, FloatArray]:
    pairs = np.column_stack(np.triu_indices(n, k=1)).astype(np.int64)
    return pairs, np.full(len(pairs), coefficient(n))


register_deviations(
    DeviationFunction(
        "delta",
        delta,
        _ordered_pairs,
        partial(_all_pairs, partial(constant, 2.0)),
        least_change=2.0,
    ),
    DeviationFunction(
        "rand",
        rand_deviation,
        partial(constant, 1.0),
        partial(_all_pairs, _rand_coefficient),
    ),
    DeviationFunction("adjusted-rand", adjusted_rand_deviation, partial(constant, 2.0)),
    DeviationFunction("nmi", nmi_deviation, partial(constant, 1.0)),
    DeviationFunction("variation-of-information", variation_of_information, math.log),
    DeviationFunction("changed", changed, int),
    DeviationFunction("changed-matched", changed_matched, partial(add, -1)),
    DeviationFunction(
        "distance",
        parameter_distance,
        partial(constant, math.inf),
        least_n=1,
        compares="parameters",
        smooth=_smooth_distance,
        tolerance=_distance_tolerance,
    ),
    changed_predictions(),
    validation_loss(),
)

# The deviation functions of two partitions.
PARTITION_DEVIATIONS = {
    name: function for name, function in DEVIATIONS.items() if function.compares == "labels"
}


def chosen_pairs(pairs: ArrayLike) -> DeviationFunction:
    """Return the deviation function that counts the given pairs whose relation changed.

    U is the number of given pairs that are together in exactly one of the two partitions.

    Parameters
    ----------
    pairs : array_like of int, shape (P, 2)
        Pairs of two different points, in any order, without repetition.

    Returns
    -------
    DeviationFunction
        Named "chosen-pairs"; additive over the given pairs with c = 1.

    Raises
    ------
    ArgumentError
        If `pairs` is empty or not of this form.
    """
    chosen = _check_pairs(pairs)
    return DeviationFunction(
        "chosen-pairs",
        partial(_changed_pairs, chosen),
        partial(constant, float(len(chosen))),
        partial(_given_pairs, chosen),
        int(chosen.max()) + 1,
    )


def between_clusters(points: ArrayLike, others: ArrayLike) -> DeviationFunction:
    """Return the deviation function that counts changed pairs between two groups of points.

    U is the number of pairs, with one point in each group, that are together in exactly one of the
    two partitions. If the groups are two clusters, these are the pairs that a perturbation merges;
    if they are two parts of one cluster, these are the pairs that it separates.

    Parameters
    ----------
    points, others : array_like of int
        Indices of the points of the two groups, which must be disjoint.

    Returns
    -------
    DeviationFunction
        Named "between-clusters"; additive over all pairs between the groups with c = 1.

    Raises
    ------
    ArgumentError
        If an index is invalid, or a point is in both groups.
    """
    first, second = index_array(points, "points"), index_array(others, "others")
    common = np.intersect1d(first, second)
    if len(common):
        raise ArgumentError("others", f"point {common[0]}", "no point that is in `points`")
    return DeviationFunction(
        "between-clusters",
        partial(_changed_between, first, second),
        partial(constant, float(len(first) * len(second))),
        partial(_pairs_between, first, second),
        int(max(first.max(), second.max())) + 1,
    )


def _changed_pairs(pairs: IntArray, labels: IntArray, other: IntArray) -> int:
    i, j = pairs.T
    return int(np.count_nonzero((labels[i] == labels[j]) != (other[i] == other[j])))


def _given_pairs(pairs: IntArray, n: int) -> tuple[IntArray, FloatArray]:
    return pairs, np.ones(len(pairs))


def _pairs_between(first: IntArray, second: IntArray, n: int) -> tuple[IntArray, FloatArray]:
    grid = np.meshgrid(first, second, indexing="ij")
    pairs = np.sort(np.stack(grid, axis=-1).reshape(-1, 2), axis=1)
    return pairs, np.ones(len(pairs))


def _changed_between(first: IntArray, second: IntArray, labels: IntArray, other: IntArray) -> int:
    """Count T(before) + T(after) - 2 T(both), with T the pairs of the groups that are together.

    "both" is the common refinement of the two partitions.
    """
    before = np.unique(labels, return_inverse=True)[1]
    after = np.unique(other, return_inverse=True)[1]
    both = np.unique(before * (after.max() + 1) + after, return_inverse=True)[1]

    def together(classes: IntArray) -> int:
        count = int(classes.max()) + 1
        sizes = [np.bincount(classes[group], minlength=count) for group in (first, second)]
        return int(sizes[0] @ sizes[1])

    return together(before) + together(after) - 2 * together(both)


def deviation(
    labels: ArrayLike, perturbed_labels: ArrayLike, name: str | DeviationFunction = "delta"
) -> float:
    """Return the deviation U of one partition from another.

    Parameters
    ----------
    labels, perturbed_labels : array_like of int, shape (n,)
        Cluster labels of the same n >= 2 points. All functions but "changed" depend on the
        partitions only, not on the numbers that are used as labels.
    name : str or DeviationFunction, default "delta"
        "delta", "rand", "adjusted-rand", "nmi", "variation-of-information", "changed" or
        "changed-matched". "distance", which compares parameters, is refused.

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        If the lengths differ, the labels are not integers, the name is not known, or the function
        refers to a point that does not exist.
    """
    function = deviation_function(name, "name")
    if function.compares != "labels":
        raise ArgumentError("name", repr(function.name), "a deviation of labels")
    first = _check_labels(labels, "labels")
    second = _check_labels(perturbed_labels, "perturbed_labels")
    if len(first) != len(second):
        raise ArgumentError("perturbed_labels", f"length {len(second)}", f"length {len(first)}")
    function.check_points(len(first))
    return function.value(first, second)


# The deviations of predictions are also found beside the function that compares partitions.
deviation.changed_predictions = changed_predictions  # type: ignore[attr-defined]
deviation.validation_loss = validation_loss  # type: ignore[attr-defined]


def _check_labels(labels: ArrayLike, argument: str) -> IntArray:
    expected = "integers, shape (n,), n >= 2"
    array = integer_array(labels, argument, expected)
    if array.ndim != 1 or len(array) < 2:
        raise ArgumentError(argument, f"{array.dtype} array of shape {array.shape}", expected)
    return array.astype(np.int64)


def _check_pairs(pairs: ArrayLike) -> IntArray:
    """Return the pairs as rows i < j, or raise `ArgumentError` if they are invalid."""
    expected = "shape (P, 2), P >= 1, rows of two different points >= 0, none twice"
    array = integer_array(pairs, "pairs", expected)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ArgumentError("pairs", f"{array.dtype} array of shape {array.shape}", expected)
    if len(array) == 0:
        raise ArgumentError("pairs", "none", expected)
    ordered = np.sort(array.astype(np.int64), axis=1)
    wrong = (ordered[:, 0] < 0) | (ordered[:, 0] == ordered[:, 1])
    if wrong.any():
        raise ArgumentError("pairs", f"row {array[wrong][0].tolist()}", expected)
    rows, counts = np.unique(ordered, axis=0, return_counts=True)
    if (counts > 1).any():
        raise ArgumentError("pairs", f"{rows[counts > 1][0].tolist()} twice", expected)
    ordered.flags.writeable = False
    return ordered
