"""Candidate active sets: which lengths vanish in X*, guessed from an approximate solution.

Nothing is claimed here: a candidate is proved afterwards, or dropped. The duality gap g determines
a length only up to the resolution 2 sqrt(g). Below it, an edge is taken as fused by strict
complementarity (its length or its unused capacity vanishes; the one that is the smaller share of
its largest possible value is chosen), or because it is very short, since solvers may leave fused
edges at full capacity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray

# Edges shorter than these multiples of the resolution are taken as fused, one candidate for each.
SHORT = (1e-6, 1e-4, 1e-2, 1.0)


@dataclass(frozen=True)
class ActiveSet:
    """A candidate for the blocks of points that are equal in X*.

    Attributes
    ----------
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    resolution : float
        Lengths above it do not vanish.
    short : float
        Lengths up to `short` times the resolution are taken to vanish.
    """

    blocks: IntArray
    resolution: float
    short: float

    def vanishing(self, lengths: FloatArray, unused: FloatArray, capacity: FloatArray) -> BoolArray:
        """Return which lengths are taken to vanish, given the unused part of a capacity."""
        return vanishing(lengths, unused, capacity, self.resolution, self.short)


def vanishing(
    lengths: FloatArray, unused: FloatArray, capacity: FloatArray, resolution: float, short: float
) -> BoolArray:
    """Return which lengths are taken to vanish in X*, as the module docstring states."""
    complementary = (lengths <= resolution) & (lengths * capacity < resolution * unused)
    return complementary | (lengths <= short * resolution)


def candidate_active_sets(
    model: ConvexClustering, X: FloatArray, Z: FloatArray
) -> Iterator[ActiveSet]:
    """Yield candidates, from few vanishing lengths to many. Z is dual feasible."""
    lengths = row_norms(model.graph.differences(X), 2)
    unused = model.radii - row_norms(Z, conjugate(model.p))
    resolution = 2.0 * np.sqrt(model.absolute_gap(X, Z))
    ties = model.p == np.inf and model.d > 1  # then `short` decides more than the blocks
    seen: set[bytes] = set()
    for short in SHORT:
        fused = vanishing(lengths, unused, model.radii, resolution, short)
        blocks = model.graph.components(fused & (model.radii > 0))
        key = blocks.tobytes()
        if ties or key not in seen:
            yield ActiveSet(blocks, resolution, short)
        seen.add(key)
