"""Guesses of what is fused in X*, from an approximate primal-dual solution.

Nothing is claimed here: a guess is then proved or dropped. A duality gap g leaves lengths up to
2 sqrt(g) open. Of these, an edge is guessed fused if it is short, or if its dual variable leaves
a larger share of its capacity unused than its length is of what the gap leaves open (strict
complementarity: one of the two vanishes).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray, IntArray

# An edge is guessed fused if it is shorter than these multiples of what the gap leaves open.
SHARES = (1.0, 1e-2, 1e-4)


def block_guesses(
    model: ConvexClustering, X: FloatArray, Z: FloatArray
) -> Iterator[tuple[IntArray, float]]:
    """Yield different guesses: the block of each point, and the length that counts as none."""
    lengths = row_norms(model.graph.differences(X), 2)
    open_length = 2.0 * np.sqrt(model.absolute_gap(X, Z))
    carries = model.radii > 0
    seen: set[bytes] = set()
    for share in SHARES:
        chosen = (lengths <= share * open_length) & carries
        if share < 1.0:
            unused = model.radii - row_norms(Z, conjugate(model.p))
            chosen |= (lengths <= open_length) & (lengths * model.radii < open_length * unused)
        blocks = model.graph.components(chosen)
        guess = (share * open_length, blocks.tobytes())
        if model.p != np.inf and guess[1] in seen:
            continue
        seen.add(guess[1])
        yield blocks, guess[0]
