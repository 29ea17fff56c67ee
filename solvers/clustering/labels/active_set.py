"""Guesses of what vanishes in X*, from an approximate primal-dual solution.

Nothing is claimed here: a guess is then proved or dropped. A duality gap g leaves lengths up to
2 sqrt(g) open. Of these an edge is guessed fused by strict complementarity (of its length and its
unused capacity one vanishes, so it is the one that is the smaller share of what it could be), or
because it is short by any measure: solvers also leave fused edges at full capacity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray, IntArray

# Short by any measure: these multiples of what the gap leaves open, one guess for each.
SHORT = (1e-6, 1e-4, 1e-2, 1.0)


@dataclass(frozen=True)
class Guess:
    """A guess of the block of each point, and how other lengths are guessed to vanish.

    Attributes
    ----------
    blocks : ndarray of int, shape (n,)
        0..K-1.
    open_length : float
        What is longer does not vanish.
    short : float
        Multiple of `open_length`; what is shorter than that vanishes.
    """

    blocks: IntArray
    open_length: float
    short: float

    def vanishing(
        self, lengths: FloatArray, unused: FloatArray, capacity: FloatArray
    ) -> NDArray[np.bool_]:
        """Return which lengths are guessed to vanish, given the unused part of a capacity."""
        return _vanishing(lengths, unused, capacity, self.open_length, self.short)


def _vanishing(
    lengths: FloatArray,
    unused: FloatArray,
    capacity: FloatArray,
    open_length: float,
    short: float,
) -> NDArray[np.bool_]:
    complementary = (lengths <= open_length) & (lengths * capacity < open_length * unused)
    return complementary | (lengths <= short * open_length)


def guesses(model: ConvexClustering, X: FloatArray, Z: FloatArray) -> Iterator[Guess]:
    """Yield guesses, from few vanishing lengths to many. Z is dual feasible."""
    lengths = row_norms(model.graph.differences(X), 2)
    unused = model.radii - row_norms(Z, conjugate(model.p))
    open_length = 2.0 * np.sqrt(model.absolute_gap(X, Z))
    ties = model.p == np.inf and model.d > 1  # then `short` says more than what the blocks are
    seen: set[bytes] = set()
    for short in SHORT:
        chosen = _vanishing(lengths, unused, model.radii, open_length, short)
        blocks = model.graph.components(chosen & (model.radii > 0))
        key = blocks.tobytes()
        if ties or key not in seen:
            yield Guess(blocks, open_length, short)
        seen.add(key)
