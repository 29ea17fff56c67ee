"""Convex clustering in centred data of unit spread, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.learning_model import NormalForm, normal_form
from bilad.models.validation import FloatArray, IntArray


@dataclass(frozen=True)
class ScaledClustering:
    """A solution of convex clustering in other units.

    Attributes
    ----------
    X : ndarray, shape (n, d)
    Z : ndarray, shape (m, d)
    labels : ndarray of int, shape (n,)
    distance_bound : float
        Of ||X - X*||_F.
    """

    X: FloatArray
    Z: FloatArray
    labels: IntArray
    distance_bound: float

    @property
    def outcome(self) -> IntArray:
        """The labels."""
        return self.labels

    @property
    def state(self) -> FloatArray:
        """X."""
        return self.X


@normal_form.register(ConvexClustering)
def _centred(model: ConvexClustering) -> NormalForm:
    scaled, centre, unit = model.standardised()

    def into(solution: Any) -> ScaledClustering:
        return ScaledClustering(
            (solution.X - centre) / unit,
            solution.Z / unit,
            solution.labels,
            solution.distance_bound / unit,
        )

    return NormalForm(scaled, {"data": unit}, into, lambda X: centre + unit * X)
