"""The exact staircase: the partition at every eps of an interval, every step a rational number."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation import DeviationFunction, deviation_function
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_number
from bilad.solvers.clustering.parametric.features import Feature, places_of_change, refine
from bilad.solvers.clustering.parametric.ray import check_ray, lines_along


@dataclass(frozen=True)
class ParametricPath:
    """The partition at every eps from `low` to `high`, both included.

    Points share a cluster iff their rows of the exact solution are equal. Labels are numbered by
    first appearance. The pieces between breaks are open; at a break the partition can be that of
    either side, or another one: there clusters may touch that are apart on both sides.

    Attributes
    ----------
    low, high : float
        Ends of the interval of eps.
    breaks : tuple of Fraction, length P + 1
        Where the partition changes, exactly: b_0 = low < b_1 < .. < b_P = high, the ends included.
    between : ndarray of int, shape (P, n)
        Labels for b_k < eps < b_{k+1}.
    at_breaks : ndarray of int, shape (P + 1, n)
        Labels for eps = b_k.
    """

    low: float
    high: float
    breaks: tuple[Fraction, ...] = field(repr=False)
    between: IntArray = field(repr=False)
    at_breaks: IntArray = field(repr=False)

    @cached_property
    def steps(self) -> FloatArray:
        """The breaks strictly between the ends, rounded to doubles: shape (P - 1,)."""
        return np.array([float(place) for place in self.breaks[1:-1]])

    def labels_at(self, eps: float | Fraction) -> IntArray:
        """Return the labels at an eps, decided in exact arithmetic: shape (n,).

        Raises
        ------
        ArgumentError
            If eps is not from `low` to `high`.
        """
        place, is_break = self._find(eps)
        return self.at_breaks[place] if is_break else self.between[place]

    def piece_at(self, eps: float | Fraction) -> tuple[Fraction, Fraction]:
        """Return the ends of the open piece with an eps in it; both are eps if it is a break."""
        place, is_break = self._find(eps)
        return self.breaks[place], self.breaks[place if is_break else place + 1]

    def _find(self, eps: float | Fraction) -> tuple[int, bool]:
        """Return the number of the break and True, or of the piece and False."""
        exact = eps if isinstance(eps, Fraction) else Fraction(real_number(eps, "eps"))
        if not self.breaks[0] <= exact <= self.breaks[-1]:
            raise ArgumentError("eps", eps, f"a number from {self.low:g} to {self.high:g}")
        place = bisect_left(self.breaks, exact)
        return (place, True) if self.breaks[place] == exact else (place - 1, False)

    def values(
        self, deviation: str | DeviationFunction = "delta", baseline: ArrayLike | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the deviation between the breaks and at the breaks.

        Parameters
        ----------
        deviation : str or DeviationFunction, default "delta"
        baseline : array_like of int, shape (n,), optional
            Labels to deviate from; by default those at eps = 0.

        Returns
        -------
        between : ndarray, shape (P,)
        at_breaks : ndarray, shape (P + 1,)

        Raises
        ------
        ArgumentError
            If the deviation is not known, the baseline is not n integers, or none is given and 0
            is not from low to high.
        """
        function = deviation_function(deviation)
        n = self.between.shape[1]
        function.check_points(n)
        before = self.labels_at(0.0) if baseline is None else _checked(baseline, n)
        seen: dict[bytes, float] = {}  # partitions come back, and a value may take a while

        def value(labels: IntArray) -> float:
            key = labels.tobytes()
            if key not in seen:
                seen[key] = float(function.value(before, labels))
            return seen[key]

        return (
            np.array([value(labels) for labels in self.between]),
            np.array([value(labels) for labels in self.at_breaks]),
        )


def _checked(baseline: ArrayLike, n: int) -> IntArray:
    """Return labels to deviate from, if they are n integers."""
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
    """Find every step of the partition along a ray, exactly.

    Parameters
    ----------
    model : ConvexClustering
        With p = 1, d = 1, or p = inf and d = 2; any graph, any weights.
    perturbation : Perturbation
        Of the data, of the weights, or of both, with one parameter.
    low, high : float
        Ends of the interval of eps, low < high, between the perturbation's bounds.

    Returns
    -------
    Staircase

    Raises
    ------
    UnsupportedError
        For another p and d.
    ArgumentError
        If another argument cannot be used.

    Notes
    -----
    What is solved is the model at A + eps V, with the doubles A, V, gamma and w taken as the
    rationals that they are. `perturbation.apply` rounds that sum, so within rounding of a break its
    model may be on the other side.

    With equal weights on the complete graph a cell takes O(n log n) operations, on other graphs a
    few minimum cuts for each cluster.
    """
    low, high = check_ray(model, perturbation, low, high)
    features = [
        Feature(line, Fraction(low), Fraction(high))
        for line in lines_along(model, perturbation, low, high)
    ]
    places = places_of_change(features)
    at_breaks = refine([feature.numbers_at(places) for feature in features])
    between = refine([feature.numbers_after(places) for feature in features])
    return _without_idle_breaks(low, high, places, between, at_breaks)


def _without_idle_breaks(
    low: float, high: float, places: list[Fraction], between: IntArray, at_breaks: IntArray
) -> ParametricPath:
    """Drop the places where the labels do not change: only the order of clusters does, if any."""
    before = (between[:-1] != at_breaks[1:-1]).any(axis=1)
    after = (between[1:] != at_breaks[1:-1]).any(axis=1)
    kept = np.flatnonzero(np.concatenate([[True], before | after, [True]]))
    breaks = tuple(places[k] for k in kept)
    return ParametricPath(low, high, breaks, _frozen(between[kept[:-1]]), _frozen(at_breaks[kept]))


def _frozen(labels: IntArray) -> IntArray:
    labels = labels.astype(np.int64)
    labels.flags.writeable = False
    return labels
