"""Deviation functions: how far apart two outcomes of a learning model are (paper, section 5).

A deviation function is zero on equal outcomes and nonnegative. All but "distance" compare two
partitions of the same points. `delta` is the paper's measure, the number of ordered pairs whose
together/apart relation changed. Some are additive over pairs,

    U = sum over pairs i < j of c_ij [the relation of i and j changed],

which is what a smooth approximation or a mixed-integer model needs of them. "distance" compares
the parameters of other learning models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr

from bilad.models.learning.learning_model import LearningModel
from bilad.models.smooth_deviation import (
    KERNELS,
    Kernel,
    SmoothDeviation,
    SmoothDistance,
    SmoothPairs,
)
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    index_array,
    integer_array,
    one_of,
)

Pairs = Callable[[int], tuple[IntArray, FloatArray]]
UNCERTAINTY = 1e-6  # of parameters, relative: two solves of one model are as near


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
    """Return 1 - RI = delta / (n (n - 1)), RI the Rand index (paper, equation (4)).

    So it orders partitions as delta does: one is monotone where the other is.
    """
    n = len(labels)
    return delta(labels, other) / (n * (n - 1))


def adjusted_rand_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - ARI, ARI the Rand index adjusted for chance (scikit-learn)."""
    from sklearn.metrics import adjusted_rand_score  # slow to import

    return _one_minus(adjusted_rand_score(labels, other), labels, other)


def nmi_deviation(labels: IntArray, other: IntArray) -> float:
    """Return 1 - NMI, normalised by the arithmetic mean of the entropies (scikit-learn).

    NMI of two one-cluster partitions, 0/0, is taken as 1; of a one-cluster partition and any
    other, as 0. The paper finds that NMI is not monotone and hence not a reasonable choice.
    """
    from sklearn.metrics import normalized_mutual_info_score  # slow to import

    return _one_minus(normalized_mutual_info_score(labels, other), labels, other)


def variation_of_information(labels: IntArray, other: IntArray) -> float:
    """Return VI = H(U) + H(V) - 2 I(U, V), natural logarithm: a metric (Meila, 2007).

    As H(U|V) + H(V|U) = sum_kl c_kl / n [log(n_k / c_kl) + log(m_l / c_kl)], whose terms are not
    negative, and all zero only if the partitions are equal.
    """
    table = contingency(labels, other)
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0)
    logarithms = -rel_entr(table, rows) - rel_entr(table, columns)  # c log(c / c) is exactly 0
    return float(logarithms.sum()) / len(labels)


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


def parameter_distance(parameters: FloatArray, other: FloatArray) -> float:
    """Return the Euclidean distance of two arrays of parameters."""
    return float(np.linalg.norm(other - parameters))


def _smooth_distance(parameters: FloatArray, kernel: Kernel) -> SmoothDeviation:
    return SmoothDistance(parameters)


# Functions with names: a problem is sent to another process with its deviation function.
def _constant(value: float, n: int) -> float:
    return value


def _ordered_pairs(n: int) -> int:
    return n * (n - 1)


def _share_of_ordered_pairs(n: int) -> float:
    return 2 / _ordered_pairs(n)


def _all_pairs(coefficient: Callable[[int], float], n: int) -> tuple[IntArray, FloatArray]:
    pairs = np.column_stack(np.triu_indices(n, k=1)).astype(np.int64)
    return pairs, np.full(len(pairs), coefficient(n))


@dataclass(frozen=True)
class DeviationFunction:
    """A deviation function.

    Attributes
    ----------
    name : str
    value : callable(outcome, perturbed_outcome)
        For labels of shape (n,), or parameters; not negative.
    largest : callable(n)
        The largest value it can take on n points, or a bound of it.
    pairs : callable(n), or None
        If it is additive over pairs, the pairs i < j with c_ij > 0, shape (P, 2), and c, shape
        (P,). None if it is not.
    least_n : int
        The number of points that it needs; more than 2 if it names points.
    compares : {"labels", "parameters"}
        Which outcomes.
    smooth : callable(outcome, kernel), or None
        The smooth deviation from an outcome, if it is not that of `pairs`.
    """

    name: str
    value: Callable[[Any, Any], float]
    largest: Callable[[int], float]
    pairs: Pairs | None = None
    least_n: int = 2
    compares: str = "labels"
    smooth: Callable[[Any, Kernel], SmoothDeviation] | None = None

    @property
    def is_smooth(self) -> bool:
        """Whether it has a smooth form."""
        return self.pairs is not None or self.smooth is not None

    def smoothed(self, outcome: Any, kernel: str = "rational") -> SmoothDeviation:
        """Return the smooth deviation from the outcome at eps = 0.

        Parameters
        ----------
        outcome : ndarray
            Labels, shape (n,), or parameters.
        kernel : {"rational", "exponential"}
            Of the pairs, if it is additive over pairs.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        chosen = KERNELS[one_of(kernel, "kernel", KERNELS)]
        if self.smooth is not None:
            return self.smooth(outcome, chosen)
        if self.pairs is None:
            raise ArgumentError("deviation", repr(self.name), self._with_smooth_form())
        return SmoothPairs(outcome, *self.pairs(len(outcome)), chosen)

    def smoothing_refusal(self) -> str | None:
        """Say that there is no smooth form, and which deviations have one; or None."""
        if self.is_smooth:
            return None
        return f"{self.name!r} has no smooth form; {self._with_smooth_form()} has"

    def _with_smooth_form(self) -> str:
        """Return the names of the deviations of the same outcomes that have a smooth form."""
        alike = [one for one in DEVIATIONS.values() if one.compares == self.compares]
        able = [one.name for one in alike if one.is_smooth]
        able += ["chosen_pairs", "between_clusters"] if self.compares == "labels" else []
        return f"one of {', '.join(able)}"

    def uncertainty(self, outcome: Any) -> float:
        """Return by how much two solves of one model may differ: 0 for labels."""
        if self.compares == "labels":
            return 0.0
        return UNCERTAINTY * float(np.linalg.norm(outcome))

    def check_fits(self, model: LearningModel) -> None:
        """Raise `ArgumentError` if it compares other outcomes, or names a point there is not."""
        if self.compares != model.outcomes:
            kind = type(model).__name__
            expected = f"one of {model.outcomes}, which {kind} gives"
            raise ArgumentError("deviation", f"{self.name!r}, of {self.compares}", expected)
        self.check_points(model.n)

    def check_points(self, n: int) -> None:
        """Raise `ArgumentError` if it names a point that n points do not have."""
        if n < self.least_n:
            raise ArgumentError(
                "deviation", f"{self.name!r} with point {self.least_n - 1}", f"points 0 to {n - 1}"
            )


DEVIATIONS = {
    function.name: function
    for function in (
        DeviationFunction(
            "delta", delta, _ordered_pairs, partial(_all_pairs, partial(_constant, 2.0))
        ),
        DeviationFunction(
            "rand",
            rand_deviation,
            partial(_constant, 1.0),
            partial(_all_pairs, _share_of_ordered_pairs),
        ),
        DeviationFunction("adjusted-rand", adjusted_rand_deviation, partial(_constant, 2.0)),
        DeviationFunction("nmi", nmi_deviation, partial(_constant, 1.0)),
        DeviationFunction("variation-of-information", variation_of_information, math.log),
        DeviationFunction("changed", changed, int),
        DeviationFunction("changed-matched", changed_matched, partial(add, -1)),
        DeviationFunction(
            "distance",
            parameter_distance,
            partial(_constant, math.inf),
            least_n=1,
            compares="parameters",
            smooth=_smooth_distance,
        ),
    )
}

# Those that compare two partitions.
PARTITION_DEVIATIONS = {
    name: function for name, function in DEVIATIONS.items() if function.compares == "labels"
}


def chosen_pairs(pairs: ArrayLike) -> DeviationFunction:
    """Return the number of the given pairs whose together/apart relation changed.

    Parameters
    ----------
    pairs : array_like of int, shape (P, 2)
        Pairs of different points, in any order, none twice.

    Returns
    -------
    DeviationFunction
        "chosen-pairs", additive over the pairs with c = 1.
    """
    chosen = _check_pairs(pairs)
    return DeviationFunction(
        "chosen-pairs",
        partial(_changed_pairs, chosen),
        partial(_constant, float(len(chosen))),
        partial(_given_pairs, chosen),
        int(chosen.max()) + 1,
    )


def between_clusters(points: ArrayLike, others: ArrayLike) -> DeviationFunction:
    """Return the number of pairs, one of each group, whose together/apart relation changed.

    With two clusters as the groups, it counts what merges them; with two parts of one cluster,
    what tears it.

    Parameters
    ----------
    points, others : array_like of int
        Indices of points; no point is in both.

    Returns
    -------
    DeviationFunction
        "between-clusters", additive over the len(points) len(others) pairs with c = 1.
    """
    first, second = index_array(points, "points"), index_array(others, "others")
    common = np.intersect1d(first, second)
    if len(common):
        raise ArgumentError("others", f"point {common[0]}", "no point that is in `points`")
    return DeviationFunction(
        "between-clusters",
        partial(_changed_between, first, second),
        partial(_constant, float(len(first) * len(second))),
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
    """Count [together] + [together after] - 2 [both], each from the sizes of the classes."""
    before = np.unique(labels, return_inverse=True)[1]
    after = np.unique(other, return_inverse=True)[1]
    both = np.unique(before * (after.max() + 1) + after, return_inverse=True)[1]

    def together(classes: IntArray) -> int:
        count = int(classes.max()) + 1
        sizes = [np.bincount(classes[group], minlength=count) for group in (first, second)]
        return int(sizes[0] @ sizes[1])

    return together(before) + together(after) - 2 * together(both)


def deviation_function(deviation: str | DeviationFunction) -> DeviationFunction:
    """Return the deviation function of that name, or the one given."""
    if isinstance(deviation, DeviationFunction):
        return deviation
    return DEVIATIONS[one_of(deviation, "deviation", DEVIATIONS)]


def deviation(
    labels: ArrayLike, perturbed_labels: ArrayLike, name: str | DeviationFunction = "delta"
) -> float:
    """Return the deviation of one partition from another.

    Parameters
    ----------
    labels, perturbed_labels : array_like of int, shape (n,)
        Cluster labels of the same n >= 2 points; only `changed` reads the numbers themselves.
    name : str or DeviationFunction, default "delta"
        Which function: "delta", "rand", "adjusted-rand", "nmi", "variation-of-information",
        "changed" or "changed-matched"; "distance" compares parameters and is refused here.

    Raises
    ------
    ArgumentError
        If the lengths differ, the labels are not integers, the name is not known, or the function
        names a point that there is not.
    """
    function = deviation_function(name)
    if function.compares != "labels":
        raise ArgumentError("name", repr(function.name), "a deviation of labels")
    first = _check_labels(labels, "labels")
    second = _check_labels(perturbed_labels, "perturbed_labels")
    if len(first) != len(second):
        raise ArgumentError("perturbed_labels", f"length {len(second)}", f"length {len(first)}")
    function.check_points(len(first))
    return function.value(first, second)


def _check_labels(labels: ArrayLike, argument: str) -> IntArray:
    expected = "integers, shape (n,), n >= 2"
    array = integer_array(labels, argument, expected)
    if array.ndim != 1 or len(array) < 2:
        raise ArgumentError(argument, f"{array.dtype} array of shape {array.shape}", expected)
    return array.astype(np.int64)


def _check_pairs(pairs: ArrayLike) -> IntArray:
    """Return the pairs as distinct rows i < j."""
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
