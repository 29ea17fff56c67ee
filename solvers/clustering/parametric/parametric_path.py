"""The exact parametric path: the partition at every eps of an interval, rational breakpoints."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation_function import DeviationFunction, deviation_function
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_number
from bilad.solvers.clustering.parametric.features import Feature, candidate_breakpoints, refine
from bilad.solvers.clustering.parametric.ray import check_ray, lines_along


@dataclass(frozen=True)
class ParametricPath:
    """The partition at every eps from `low` to `high`, both included.

    Points share a cluster if and only if their rows of the exact solution are equal. Labels are
    numbered by first appearance, and are piecewise constant in eps. The pieces between breakpoints
    are open. At a breakpoint the partition may be that of either side or a third one, since
    clusters that are separate on both sides may touch.

    Attributes
    ----------
    low, high : float
        Ends of the interval of eps.
    breakpoints : tuple of Fraction, length P + 1
        The exact values of eps where the partition changes, and both ends:
        b_0 = low < b_1 < .. < b_P = high.
    between : ndarray of int, shape (P, n)
        Labels for b_k < eps < b_{k+1}.
    at_breakpoints : ndarray of int, shape (P + 1, n)
        Labels for eps = b_k.
    """

    low: float
    high: float
    breakpoints: tuple[Fraction, ...] = field(repr=False)
    between: IntArray = field(repr=False)
    at_breakpoints: IntArray = field(repr=False)

    @cached_property
    def inner_breakpoints(self) -> FloatArray:
        """The breakpoints strictly between the ends, rounded to doubles: shape (P - 1,)."""
        return np.array([float(place) for place in self.breakpoints[1:-1]])

    def labels_at(self, eps: float | Fraction) -> IntArray:
        """Return the labels at an eps, decided in exact arithmetic: shape (n,).

        Raises
        ------
        ArgumentError
            If eps is not from `low` to `high`.
        """
        place, is_breakpoint = self._find(eps)
        return self.at_breakpoints[place] if is_breakpoint else self.between[place]

    def piece_at(self, eps: float | Fraction) -> tuple[Fraction, Fraction]:
        """Return the ends of the open piece that contains eps; both are eps at a breakpoint."""
        place, is_breakpoint = self._find(eps)
        return self.breakpoints[place], self.breakpoints[place if is_breakpoint else place + 1]

    def _find(self, eps: float | Fraction) -> tuple[int, bool]:
        """Return the number of the breakpoint and True, or of the piece and False."""
        exact = eps if isinstance(eps, Fraction) else Fraction(real_number(eps, "eps"))
        if not self.breakpoints[0] <= exact <= self.breakpoints[-1]:
            raise ArgumentError("eps", eps, f"a number from {self.low:g} to {self.high:g}")
        place = bisect_left(self.breakpoints, exact)
        return (place, True) if self.breakpoints[place] == exact else (place - 1, False)

    def values(
        self, deviation: str | DeviationFunction = "delta", baseline: ArrayLike | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the deviation between the breakpoints and at the breakpoints.

        Parameters
        ----------
        deviation : str or DeviationFunction, default "delta"
        baseline : array_like of int, shape (n,), optional
            Labels from which the deviation is measured; by default those at eps = 0.

        Returns
        -------
        between : ndarray, shape (P,)
        at_breakpoints : ndarray, shape (P + 1,)

        Raises
        ------
        ArgumentError
            If the deviation is not known, if the baseline is not an array of n integers, or if it
            is not given and 0 is not in the interval.
        """
        function = deviation_function(deviation)
        n = self.between.shape[1]
        function.check_points(n)
        before = self.labels_at(0.0) if baseline is None else _checked(baseline, n)
        seen: dict[bytes, float] = {}  # partitions recur, and a deviation may be expensive

        def value(labels: IntArray) -> float:
            key = labels.tobytes()
            if key not in seen:
                seen[key] = float(function.value(before, labels))
            return seen[key]

        return (
            np.array([value(labels) for labels in self.between]),
            np.array([value(labels) for labels in self.at_breakpoints]),
        )


def _checked(baseline: ArrayLike, n: int) -> IntArray:
    """Check the baseline labels."""
    expected = f"one integer for each of {n} points"
    try:
        labels = np.asarray(baseline)
    except ValueError:
        raise ArgumentError("baseline", "rows of different lengths", expected) from None
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise ArgumentError("baseline", f"{labels.dtype} array of shape {labels.shape}", expected)
    return labels.astype(np.int64)


def parametric_path(
    model: ConvexClustering, perturbation: Perturbation, low: float, high: float
) -> ParametricPath:
    """Find every breakpoint of the partition along a ray, exactly.

    Parameters
    ----------
    model : ConvexClustering
        With p = 1, d = 1, or p = inf and d = 2; any graph, any weights.
    perturbation : Perturbation
        A perturbation of the data, of the weights, or of both, with one parameter.
    low, high : float
        Ends of the interval of eps, low < high, within the bounds of the perturbation.

    Returns
    -------
    ParametricPath

    Raises
    ------
    UnsupportedError
        For another p and d.
    ArgumentError
        If another argument cannot be used.

    Notes
    -----
    The model is solved at A + eps V in rational arithmetic, where the floating-point numbers A, V,
    gamma and w are taken as rationals. `perturbation.apply` rounds A + eps V, so very close to a
    breakpoint its model may have the partition of the other side.

    A critical region takes O(n log n) operations on the complete graph with equal weights, and a
    few minimum cuts for each cluster on other graphs.
    """
    low, high = check_ray(model, perturbation, low, high)
    features = [
        Feature(line, Fraction(low), Fraction(high))
        for line in lines_along(model, perturbation, low, high)
    ]
    candidates = candidate_breakpoints(features)
    at_breakpoints = refine([feature.labels_at(candidates) for feature in features])
    between = refine([feature.labels_after(candidates) for feature in features])
    return _without_false_breakpoints(low, high, candidates, between, at_breakpoints)


def _without_false_breakpoints(
    low: float, high: float, candidates: list[Fraction], between: IntArray, at_breakpoints: IntArray
) -> ParametricPath:
    """Drop the candidates at which the labels do not change."""
    before = (between[:-1] != at_breakpoints[1:-1]).any(axis=1)
    after = (between[1:] != at_breakpoints[1:-1]).any(axis=1)
    kept = np.flatnonzero(np.concatenate([[True], before | after, [True]]))
    breakpoints = tuple(candidates[k] for k in kept)
    inside, at = _frozen(between[kept[:-1]]), _frozen(at_breakpoints[kept])
    return ParametricPath(low, high, breakpoints, inside, at)


def _frozen(labels: IntArray) -> IntArray:
    labels = labels.astype(np.int64)
    labels.flags.writeable = False
    return labels
