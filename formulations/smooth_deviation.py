"""Smooth deviation: "together" blurred to a kernel k(||x_i - x_j||^2 / w^2), k(0) = 1, k(inf) = 0.

    U_w(X) = sum over pairs of  c_ij (1 - k)  if i, j are together at eps = 0,  c_ij k  if not

which tends to the deviation U = sum c_ij [relation of i and j changed] as the width w goes to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.models.clustering_problem import clustering_of, edge_operator
from bilad.formulations.upper_level import reach
from bilad.models.bilevel import BilevelProblem
from bilad.models.deviation import DEVIATIONS
from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray, IntArray


@dataclass(frozen=True)
class Kernel:
    """A kernel and its complement.

    `together(squared, w2)` and `apart(squared, w2)` are expressions of ||x_i - x_j||^2 and w^2
    that add up to 1, in Pyomo variables or for NumPy arrays. `slope(squared, w2)`, for arrays, is
    the derivative of `together` in ||x_i - x_j||^2.
    """

    name: str
    together: Callable[[Any, Any], Any]
    apart: Callable[[Any, Any], Any]
    slope: Callable[[FloatArray, float], FloatArray]


def _exp(exponent: Any) -> Any:
    return np.exp(exponent) if isinstance(exponent, np.ndarray) else pyo.exp(exponent)


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel(
            "rational",
            lambda squared, w2: w2 / (w2 + squared),
            lambda squared, w2: squared / (w2 + squared),
            lambda squared, w2: -w2 / (w2 + squared) ** 2,
        ),
        Kernel(
            "exponential",
            lambda squared, w2: _exp(-squared / w2),
            lambda squared, w2: 1 - _exp(-squared / w2),
            lambda squared, w2: -_exp(-squared / w2) / w2,
        ),
    )
}


def refusal(problem: BilevelProblem) -> str | None:
    """Say why the problem's deviation cannot be smoothed, or None."""
    if problem.deviation.pairs is not None:
        return None
    able = [name for name, function in DEVIATIONS.items() if function.pairs is not None]
    return (
        f"only deviations additive over pairs are smoothed ({', '.join(able)}, chosen_pairs, "
        f"between_clusters), the problem has {problem.deviation.name!r}"
    )


@dataclass(frozen=True)
class SmoothDeviation:
    """The pairs that count in U_w, with their coefficients.

    Attributes
    ----------
    pairs : ndarray of int, shape (P, 2)
    coefficients : ndarray, shape (P,)
        c_ij.
    together : ndarray of bool, shape (P,)
        At eps = 0.
    kernel : Kernel
    """

    pairs: IntArray
    coefficients: FloatArray
    together: np.ndarray
    kernel: Kernel

    @classmethod
    def of(
        cls, problem: BilevelProblem, labels: IntArray, X: FloatArray, kernel: Kernel
    ) -> SmoothDeviation:
        """Take the deviation's pairs, without those that no eps allowed can bring together.

        X*(eps) is nonexpansive in the data: a pair farther apart than sqrt(2) times the largest
        displacement stays apart (paper, Definition 2, with modulus 1). Changed weights move X*
        without moving the data, so there every pair stays.
        """
        assert problem.deviation.pairs is not None
        pairs, coefficients = problem.deviation.pairs(clustering_of(problem).n)
        together = labels[pairs[:, 0]] == labels[pairs[:, 1]]
        kept = coefficients > 0
        if edge_operator(problem).nnz == 0:
            distances = row_norms(X[pairs[:, 0]] - X[pairs[:, 1]], 2)
            kept &= together | (distances <= np.sqrt(2) * reach(problem))
        return cls(pairs[kept], coefficients[kept], together[kept], kernel)

    def share(
        self, chosen: Iterable[int], squared_distance: Callable[[int, int], Any], width: Any
    ) -> Any:
        """Return the terms of the chosen pairs, as a Pyomo expression.

        Parameters
        ----------
        chosen : iterable of int
            Rows of `pairs`.
        squared_distance : callable(i, j)
            Expression of ||x_i - x_j||^2, i < j, in the reformulation's own variables.
        width : Pyomo variable
        """
        w2 = width**2
        terms = []
        for row in chosen:
            i, j = self.pairs[row].tolist()
            change = self.kernel.apart if self.together[row] else self.kernel.together
            terms.append(float(self.coefficients[row]) * change(squared_distance(i, j), w2))
        return pyo.quicksum(terms)
